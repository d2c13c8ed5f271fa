"""ECS instances and the RAM roles that they act under."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map
from steelyard.errors import PutOffError, ResourceError

_BUSY = ("IncorrectInstanceStatus", "DependencyViolation", "OperationConflict", "TaskConflict")
_NO_STOCK = "OperationDenied.NoStock"
_WAYS = {"Running": ("StartInstance", "Starting"), "Stopped": ("StopInstance", "Stopping")}
"""The order that leads to a status, and the status meanwhile."""

_SYSTEM_DISK = {
    "systemDiskCategory": "Category",
    "systemDiskSize": "Size",
    "systemDiskEncrypted": "Encrypted",
    "systemDiskKmsKeyId": "KMSKeyId",
    "systemDiskPerformanceLevel": "PerformanceLevel",
    "systemDiskName": "DiskName",
    "systemDiskDescription": "Description",
}
_DATA_DISK = {
    "category": "Category",
    "size": "Size",
    "encrypted": "Encrypted",
    "kmsKeyId": "KMSKeyId",
    "performanceLevel": "PerformanceLevel",
    "name": "DiskName",
    "description": "Description",
    "snapshotId": "SnapshotId",
    "deleteWithInstance": "DeleteWithInstance",
    "device": "Device",
}
_METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
}
_CREATE = {
    "availabilityZone": "ZoneId",
    "imageId": "ImageId",
    "instanceType": "InstanceType",
    "instanceName": "InstanceName",
    "hostName": "HostName",
    "description": "Description",
    "vswitchId": "VSwitchId",
    "privateIp": "PrivateIpAddress",
    "internetMaxBandwidthOut": "InternetMaxBandwidthOut",
    "internetChargeType": "InternetChargeType",
    "instanceChargeType": "InstanceChargeType",
    "keyName": "KeyPairName",
    "spotStrategy": "SpotStrategy",
    "spotPriceLimit": "SpotPriceLimit",
    "spotDuration": "SpotDuration",
    "spotInterruptionBehavior": "SpotInterruptionBehavior",
    "deletionProtection": "DeletionProtection",
    "deploymentSetId": "DeploymentSetId",
    "hpcClusterId": "HpcClusterId",
    "resourceGroupId": "ResourceGroupId",
    "securityEnhancementStrategy": "SecurityEnhancementStrategy",
    **_METADATA,
}
# With one of these, the network's parameters go to the primary interface's own, as the vendor's provider sends them.
_INTERFACE = {
    "networkInterfaceTrafficMode": "NetworkInterfaceTrafficMode",
    "queuePairNumber": "QueuePairNumber",
}
_ATTRIBUTE = {
    "instanceName": "InstanceName",
    "hostName": "HostName",
    "description": "Description",
    "deletionProtection": "DeletionProtection",
}
_READ = {
    "availabilityZone": "ZoneId",
    "imageId": "ImageId",
    "instanceType": "InstanceType",
    "instanceName": "InstanceName",
    "hostName": "HostName",
    "instanceChargeType": "InstanceChargeType",
    "internetChargeType": "InternetChargeType",
    "internetMaxBandwidthOut": "InternetMaxBandwidthOut",
    "keyName": "KeyPairName",
    "spotStrategy": "SpotStrategy",
    "deploymentSetId": "DeploymentSetId",
    "deletionProtection": "DeletionProtection",
    "status": "Status",
    "cpu": "Cpu",
    "memory": "Memory",
    "osName": "OSName",
    "osType": "OSType",
    "createTime": "CreationTime",
    "startTime": "StartTime",
    "expiredTime": "ExpiredTime",
    "stoppedMode": "StoppedMode",
}


class Instance(ResourceType):
    """`alicloud.ecs.Instance`.

    Its user data runs at the first boot alone, so that a change of it replaces the instance.
    """

    token = "alicloud:ecs/instance:Instance"
    changeable = frozenset(
        {*_ATTRIBUTE, "httpEndpoint", "httpTokens", "keyName", "securityGroups", "status", "tags"}
    )
    create_only = (
        frozenset({*_CREATE, *_SYSTEM_DISK, *_INTERFACE, "dataDisks", "userData", "forceDelete"}) - changeable
    )

    def create(self, api: Api, inputs: Values) -> str:
        """RunInstances, then wait until it runs; StopInstance where it is wanted stopped.

        Raises:
            PutOffError: There is no room for it now.
        """
        with _room_needed(f"instance type {inputs.get('instanceType')}"):
            answer = api.call(ECS, "RunInstances", _order(inputs, api.operation.token), retry_on=_BUSY)
        instance_id = str(answer["InstanceIdSets"]["InstanceIdSet"][0])
        api.operation.allocated(instance_id)
        self._wait(api, instance_id, "Running", failures=("Stopping",))
        if inputs.get("status") == "Stopped":
            self._set_status(api, instance_id, "Stopped")
        return instance_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeInstances and, for its system disk, DescribeDisks."""
        row = self._describe(api, resource_id)
        if row is None:
            return None
        disks = api.call(ECS, "DescribeDisks", {"InstanceId": resource_id, "DiskType": "system"})
        rows = (disks.get("Disks") or {}).get("Disk") or []
        network = row.get("VpcAttributes") or {}
        private_ips = (network.get("PrivateIpAddress") or {}).get("IpAddress") or [""]
        public_ips = (row.get("PublicIpAddress") or {}).get("IpAddress") or [""]
        return {
            **shown(row, _READ),
            **shown(row.get("MetadataOptions") or {}, _METADATA),
            **shown(network, {"vswitchId": "VSwitchId", "vpcId": "VpcId"}),
            **(_disk(rows[0]) if rows else {}),
            "privateIp": private_ips[0],
            "primaryIpAddress": private_ips[0],
            "publicIp": public_ips[0],
            "securityGroups": (row.get("SecurityGroupIds") or {}).get("SecurityGroupId") or [],
            "tags": tag_map((row.get("Tags") or {}).get("Tag") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyInstanceAttribute, ModifyInstanceMetadataOptions, Attach/DetachKeyPair, Start/StopInstance, tags."""
        target = {"InstanceId": resource_id}
        changed: dict[str, Any] = changes(old, new, _ATTRIBUTE)
        if sorted(old.get("securityGroups") or []) != sorted(new.get("securityGroups") or []):
            changed["SecurityGroupIds"] = new["securityGroups"]
        if changed:
            api.call(ECS, "ModifyInstanceAttribute", {**target, **changed}, retry_on=_BUSY)
        if changes(old, new, {name: _METADATA[name] for name in ("httpEndpoint", "httpTokens")}):
            params = {**target, **wire(new, _METADATA)}
            api.call(ECS, "ModifyInstanceMetadataOptions", params, retry_on=_BUSY)
        if old.get("keyName") != new.get("keyName"):
            _change_key(api, resource_id, old.get("keyName"), new.get("keyName"))
        TagWriter(api, ECS, "instance").change(resource_id, old, new)
        if old.get("status") != new.get("status"):
            self._set_status(api, resource_id, new.get("status") or "Running")

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteInstance, running or not, then wait until it is gone."""
        api.call(ECS, "DeleteInstance", {"InstanceId": resource_id, "Force": True}, retry_on=_BUSY)
        wait_gone(api, lambda: self._describe(api, resource_id) is not None, f"instance {resource_id}")

    def _describe(self, api: Api, instance_id: str) -> Mapping[str, Any] | None:
        answer = api.call(ECS, "DescribeInstances", {"InstanceIds": json.dumps([instance_id])})
        rows = answer["Instances"]["Instance"]
        return dict(rows[0]) if rows else None

    def _set_status(self, api: Api, instance_id: str, status: str) -> None:
        if status not in _WAYS:
            raise ResourceError(
                f"status {status!r} of instance {instance_id}",
                f"say {' or '.join(_WAYS)}",
                urn=api.operation.urn,
            )
        order, on_the_way = _WAYS[status]
        seen = (self._describe(api, instance_id) or {}).get("Status")
        # Else an order of one that is on its way there would be refused until it is there, and then for good.
        if seen not in (status, on_the_way):
            self._order(api, order, instance_id)
        self._wait(api, instance_id, status)

    def _order(self, api: Api, action: str, instance_id: str) -> None:
        """Start or stop an instance.

        Raises:
            PutOffError: There is no room for it to be started now.
        """
        with _room_needed(f"instance {instance_id} could not be started"):
            api.call(ECS, action, {"InstanceId": instance_id}, retry_on=_BUSY)

    def _wait(self, api: Api, instance_id: str, status: str, *, failures: tuple[str, ...] = ()) -> None:
        def look() -> bool | None:
            row = self._describe(api, instance_id)
            # The listing may lag behind the order, so that an instance that is not in it is waited for as well.
            seen = row["Status"] if row else "Pending"
            if seen in failures:
                raise ResourceError(
                    f"instance {instance_id} is {seen} instead of {status}",
                    "look at its console output",
                    urn=api.operation.urn,
                )
            return True if seen == status else None

        api.wait(look, what=f"instance {instance_id} to be {status}")


class RamRoleAttachment(ResourceType):
    """`alicloud.ecs.RamRoleAttachment`: the role that an instance acts under."""

    token = "alicloud:ecs/ramRoleAttachment:RamRoleAttachment"
    create_only = frozenset({"instanceId", "ramRoleName", "policy"})

    def create(self, api: Api, inputs: Values) -> str:
        """AttachInstanceRamRole, whose answer tells per instance whether it was done."""
        params = {
            "RamRoleName": inputs["ramRoleName"],
            "InstanceIds": json.dumps([inputs["instanceId"]]),
            "Policy": inputs.get("policy"),
        }
        answer = api.call(ECS, "AttachInstanceRamRole", params, retry_on=("unexpected end of JSON input",))
        _refuse_failures(api, answer.get("AttachInstanceRamRoleResults"), "AttachInstanceRamRoleResult")
        attachment_id = f"{inputs['instanceId']}:{inputs['ramRoleName']}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeInstanceRamRole."""
        instance_id, role_name = resource_id.split(":", 1)
        answer = api.call(ECS, "DescribeInstanceRamRole", {"InstanceIds": json.dumps([instance_id])})
        rows = (answer.get("InstanceRamRoleSets") or {}).get("InstanceRamRoleSet") or []
        held = any(
            row.get("RamRoleName") == role_name for row in rows if row.get("InstanceId") == instance_id
        )
        return {"instanceId": instance_id, "ramRoleName": role_name} if held else None

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DetachInstanceRamRole."""
        instance_id, role_name = resource_id.split(":", 1)
        params = {"RamRoleName": role_name, "InstanceIds": json.dumps([instance_id])}
        answer = api.call(ECS, "DetachInstanceRamRole", params)
        _refuse_failures(api, answer.get("DetachInstanceRamRoleResults"), "DetachInstanceRamRoleResult")


@contextmanager
def _room_needed(failed: str) -> Iterator[None]:
    """Tell a call that the zone has no room for from one that was wrong.

    Raises:
        PutOffError: There is no room now.
    """
    try:
        yield
    except ResourceError as err:
        if err.code != _NO_STOCK:
            raise
        raise PutOffError(
            f"{failed}: {err.message}",
            "all the rest is done; run `steelyard up` again when the zone has room again",
            urn=err.urn,
            code=err.code,
            request_id=err.request_id,
            status=err.status,
        ) from err


def _order(inputs: Values, token: str) -> dict[str, Any]:
    """Return the parameters of RunInstances."""
    user_data = inputs.get("userData")
    return {
        **wire(inputs, _CREATE),
        **_network(inputs),
        "SystemDisk": wire(inputs, _SYSTEM_DISK) or None,
        "DataDisk": [wire(disk, _DATA_DISK) for disk in inputs.get("dataDisks") or []] or None,
        "UserData": _base64(user_data) if user_data else None,
        "IoOptimized": "optimized",
        "Amount": 1,
        "Tag": tag_list(inputs.get("tags")),
        "ClientToken": token,
    }


def _network(inputs: Values) -> dict[str, Any]:
    """Return where an instance stands, by itself or as its primary interface's parameters."""
    groups = list(inputs.get("securityGroups") or []) or None
    interface = wire(inputs, _INTERFACE)
    if not interface:
        return {"SecurityGroupIds": groups}
    place = wire(inputs, {"vswitchId": "VSwitchId", "privateIp": "PrimaryIpAddress"})
    primary = {"InstanceType": "Primary", "SecurityGroupIds": groups, **place, **interface}
    return {"NetworkInterface": [primary], "VSwitchId": None, "PrivateIpAddress": None}


def _change_key(api: Api, instance_id: str, old: str | None, new: str | None) -> None:
    ids = json.dumps([instance_id])
    if new:
        api.call(ECS, "AttachKeyPair", {"KeyPairName": new, "InstanceIds": ids})
    elif old:
        api.call(ECS, "DetachKeyPair", {"KeyPairName": old, "InstanceIds": ids})


def _base64(user_data: str) -> str:
    """Encode user data, unless it came encoded (as the vendor's provider allows)."""
    try:
        base64.b64decode(user_data, validate=True)
    except ValueError:
        return base64.b64encode(user_data.encode()).decode()
    return user_data


def _disk(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {"systemDiskId": "DiskId", **_SYSTEM_DISK}
    return shown(row, names)


def _refuse_failures(api: Api, results: Mapping[str, Any] | None, name: str) -> None:
    """Raise for a result with a code other than 200 or 0 in an answer that as a whole was good."""
    for row in (results or {}).get(name) or []:
        code = str(row.get("Code") or "200")
        if code not in ("200", "0", "OK", "success"):
            raise ResourceError(
                f"instance {row.get('InstanceId')}: {row.get('Message')} ({code})",
                urn=api.operation.urn,
                code=code,
            )
