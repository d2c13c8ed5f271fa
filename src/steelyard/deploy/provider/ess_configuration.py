"""Scaling configurations, with which a group without a launch template is enabled."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api
from steelyard.deploy.provider.ess import BUSY, find_group
from steelyard.deploy.provider.resource_type import ResourceType, changes, nested, shown, wait_gone, wire

_DISK = {
    "category": "Category",
    "deleteWithInstance": "DeleteWithInstance",
    "description": "Description",
    "device": "Device",
    "encrypted": "Encrypted",
    "kmsKeyId": "KMSKeyId",
    "name": "DiskName",
    "performanceLevel": "PerformanceLevel",
    "size": "Size",
    "snapshotId": "SnapshotId",
}
_SPOT_LIMIT = {"instanceType": "InstanceType", "priceLimit": "PriceLimit"}
_TYPE = {"instanceType": "InstanceType", "weightedCapacity": "WeightedCapacity"}
_SYSTEM_DISK = {
    "systemDiskCategory": "Category",
    "systemDiskDescription": "Description",
    "systemDiskEncrypted": "Encrypted",
    "systemDiskKmsKeyId": "KMSKeyId",
    "systemDiskName": "DiskName",
    "systemDiskPerformanceLevel": "PerformanceLevel",
    "systemDiskSize": "Size",
}
_DOTTED_DISK = {"systemDiskEncrypted": "SystemDisk.Encrypted", "systemDiskKmsKeyId": "SystemDisk.KMSKeyId"}
"""Those that answers call otherwise than the rest."""


class ScalingConfiguration(ResourceType):
    """`alicloud.ess.ScalingConfiguration`; with `active` and `enable` the group goes to work with it."""

    token = "alicloud:ess/scalingConfiguration:ScalingConfiguration"
    create_only = frozenset({"scalingGroupId"})
    _CHANGE: ClassVar = {
        "imageId": "ImageId",
        "scalingConfigurationName": "ScalingConfigurationName",
        "instanceName": "InstanceName",
        "hostName": "HostName",
        "securityGroupId": "SecurityGroupId",
        "internetChargeType": "InternetChargeType",
        "internetMaxBandwidthOut": "InternetMaxBandwidthOut",
        "keyName": "KeyPairName",
        "roleName": "RamRoleName",
        "spotStrategy": "SpotStrategy",
        "spotDuration": "SpotDuration",
        "httpEndpoint": "HttpEndpoint",
        "resourceGroupId": "ResourceGroupId",
        "securityEnhancementStrategy": "SecurityEnhancementStrategy",
        "deletionProtection": "DeletionProtection",
    }
    changeable = frozenset(
        {
            *_CHANGE,
            *_SYSTEM_DISK,
            "instanceType",
            "instanceTypes",
            "instanceTypeOverrides",
            "securityGroupIds",
            "dataDisks",
            "spotPriceLimits",
            "userData",
            "tags",
            "active",
            "enable",
            "forceDelete",
            "substitute",
            "override",
        }
    )

    def create(self, api: Api, inputs: Values) -> str:
        """CreateScalingConfiguration; ModifyScalingGroup and EnableScalingGroup as `active` and `enable` say."""
        params = {
            **wire(inputs, self._CHANGE),
            **_lists(inputs),
            "ScalingGroupId": inputs["scalingGroupId"],
            "ClientToken": api.operation.token,
        }
        answer = api.call(ESS, "CreateScalingConfiguration", params, retry_on=BUSY)
        configuration_id = str(answer["ScalingConfigurationId"])
        api.operation.allocated(configuration_id)
        self._activate(api, configuration_id, inputs)
        return configuration_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingConfigurations, and DescribeScalingGroups for whether it is at work."""
        found = _find(api, resource_id)
        if found is None:
            return None
        group = find_group(api, found["ScalingGroupId"]) or {}
        disk = {name: f"SystemDisk{key}" for name, key in _SYSTEM_DISK.items()}
        disk.update(_DOTTED_DISK, systemDiskName="SystemDiskName")
        return {
            **shown(found, {**self._CHANGE, **disk, "scalingGroupId": "ScalingGroupId"}),
            "instanceTypes": (found.get("InstanceTypes") or {}).get("InstanceType") or [],
            "spotPriceLimits": [
                shown(one, _SPOT_LIMIT)
                for one in (found.get("SpotPriceLimit") or {}).get("SpotPriceModel") or []
            ],
            "dataDisks": [shown(one, _DISK) for one in (found.get("DataDisks") or {}).get("DataDisk") or []],
            "tags": {one["Key"]: one["Value"] for one in (found.get("Tags") or {}).get("Tag") or []},
            "active": found.get("LifecycleState") == "Active",
            "enable": group.get("LifecycleState") == "Active",
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyScalingConfiguration with what changed; then as `active` and `enable` say."""
        changed = changes(old, new, self._CHANGE)
        before, after = _lists(old), _lists(new)
        changed.update({name: value for name, value in after.items() if value != before.get(name)})
        if changed:
            params = {"ScalingConfigurationId": resource_id, **changed}
            api.call(ESS, "ModifyScalingConfiguration", params, retry_on=BUSY)
        self._activate(api, resource_id, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteScalingConfiguration; with `forceDelete` DeleteScalingGroup, for the last one of a group."""
        if inputs.get("forceDelete"):
            group_id = str(inputs["scalingGroupId"])
            api.call(ESS, "DeleteScalingGroup", {"ScalingGroupId": group_id, "ForceDelete": True})
            wait_gone(api, lambda: find_group(api, group_id) is not None, f"scaling group {group_id}")
            return
        params = {"ScalingConfigurationId": resource_id}
        api.call(ESS, "DeleteScalingConfiguration", params)
        wait_gone(api, lambda: _find(api, resource_id) is not None, f"configuration {resource_id}")

    def _activate(self, api: Api, configuration_id: str, inputs: Values) -> None:
        group_id = str(inputs["scalingGroupId"])
        group = find_group(api, group_id) or {}
        is_active = group.get("ActiveScalingConfigurationId") == configuration_id
        if inputs.get("active") and not is_active:
            params = {"ScalingGroupId": group_id, "ActiveScalingConfigurationId": configuration_id}
            api.call(ESS, "ModifyScalingGroup", params)
        is_enabled = group.get("LifecycleState") == "Active"
        if inputs.get("enable") and not is_enabled:
            params = {"ScalingGroupId": group_id, "ActiveScalingConfigurationId": configuration_id}
            api.call(ESS, "EnableScalingGroup", params)
        elif inputs.get("enable") is False and is_enabled:
            api.call(ESS, "DisableScalingGroup", {"ScalingGroupId": group_id})


def _lists(inputs: Values) -> dict[str, Any]:
    tags = inputs.get("tags")
    types = inputs.get("instanceTypes") or ([inputs["instanceType"]] if inputs.get("instanceType") else [])
    overrides = inputs.get("instanceTypeOverrides") or []
    limits, disks = inputs.get("spotPriceLimits") or [], inputs.get("dataDisks") or []
    return {
        "InstanceTypes": types or None,
        "InstanceTypeOverride": [nested(one, _TYPE, "an override") for one in overrides] or None,
        "SecurityGroupIds": inputs.get("securityGroupIds") or None,
        "SystemDisk": wire(inputs, _SYSTEM_DISK) or None,
        "DataDisk": [nested(one, _DISK, "a data disk") for one in disks] or None,
        "SpotPriceLimit": [nested(one, _SPOT_LIMIT, "a price limit") for one in limits] or None,
        "UserData": _encoded(inputs.get("userData")),
        "Tags": json.dumps(tags) if tags else None,
    }


def _encoded(user_data: str | None) -> str | None:
    """Return user data as base64, which it may be already: the vendor's provider takes both."""
    if not user_data:
        return None
    try:
        base64.b64decode(user_data, validate=True)
    except (ValueError, binascii.Error):
        return base64.b64encode(user_data.encode()).decode()
    return user_data


def _find(api: Api, configuration_id: str) -> Mapping[str, Any] | None:
    answer = api.call(ESS, "DescribeScalingConfigurations", {"ScalingConfigurationId": [configuration_id]})
    rows = (answer.get("ScalingConfigurations") or {}).get("ScalingConfiguration") or []
    return rows[0] if rows else None
