"""Launch templates: settings of instances under a name, in versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, VPC, Api
from steelyard.deploy.provider.resource_type import ResourceType, nested, shown, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map

MAX_VERSIONS = 30
"""Versions that a template holds; the vendor's provider removes the oldest before it adds one more."""

_PLAIN = {
    "autoReleaseTime": "AutoReleaseTime",
    "deploymentSetId": "DeploymentSetId",
    "description": "Description",
    "enableVmOsConfig": "EnableVmOsConfig",
    "hostName": "HostName",
    "httpEndpoint": "HttpEndpoint",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "httpTokens": "HttpTokens",
    "imageId": "ImageId",
    "imageOwnerAlias": "ImageOwnerAlias",
    "instanceChargeType": "InstanceChargeType",
    "instanceName": "InstanceName",
    "instanceType": "InstanceType",
    "internetChargeType": "InternetChargeType",
    "internetMaxBandwidthIn": "InternetMaxBandwidthIn",
    "internetMaxBandwidthOut": "InternetMaxBandwidthOut",
    "ioOptimized": "IoOptimized",
    "keyPairName": "KeyPairName",
    "networkType": "NetworkType",
    "passwordInherit": "PasswordInherit",
    "privateIpAddress": "PrivateIpAddress",
    "ramRoleName": "RamRoleName",
    "resourceGroupId": "ResourceGroupId",
    "securityEnhancementStrategy": "SecurityEnhancementStrategy",
    "securityGroupId": "SecurityGroupId",
    "spotDuration": "SpotDuration",
    "spotPriceLimit": "SpotPriceLimit",
    "spotStrategy": "SpotStrategy",
    "userData": "UserData",
    "versionDescription": "VersionDescription",
    "vpcId": "VpcId",
    "vswitchId": "VSwitchId",
    "zoneId": "ZoneId",
}
_DISK = {
    "category": "Category",
    "deleteWithInstance": "DeleteWithInstance",
    "description": "Description",
    "encrypted": "Encrypted",
    "kmsKeyId": "KMSKeyId",
    "name": "DiskName",
    "performanceLevel": "PerformanceLevel",
    "size": "Size",
}
_SYSTEM_DISK = {**_DISK, "iops": "Iops"}
_DATA_DISK = {**_DISK, "device": "Device", "snapshotId": "SnapshotId"}
_INTERFACE = {
    "deleteOnRelease": "DeleteOnRelease",
    "description": "Description",
    "name": "NetworkInterfaceName",
    "primaryIp": "PrimaryIpAddress",
    "securityGroupId": "SecurityGroupId",
    "vswitchId": "VSwitchId",
}
_CREATE_ONLY = {
    "autoRenew": "AutoRenew",
    "autoRenewPeriod": "AutoRenewPeriod",
    "launchTemplateName": "LaunchTemplateName",
    "period": "Period",
    "periodUnit": "PeriodUnit",
    "templateResourceGroupId": "TemplateResourceGroupId",
}
_VERSIONED = frozenset(
    {*_PLAIN, "dataDisks", "imageOptions", "networkInterfaces", "securityGroupIds", "systemDisk", "tags"}
)
_DEFAULT = {"defaultVersionNumber", "updateDefaultVersionNumber"}


class EcsLaunchTemplate(ResourceType):
    """`alicloud.ecs.EcsLaunchTemplate`; its user data is base64 already, as the API takes it."""

    token = "alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate"
    create_only = frozenset(_CREATE_ONLY)
    changeable = frozenset({*_VERSIONED, *_DEFAULT, "templateTags"})
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """[DescribeVSwitchAttributes], CreateLaunchTemplate."""
        params = {
            **_settings(api, inputs),
            **wire(inputs, _CREATE_ONLY),
            "TemplateTag": tag_list(inputs.get("templateTags")),
        }
        answer = api.call(ECS, "CreateLaunchTemplate", params)
        template_id = str(answer["LaunchTemplateId"])
        api.operation.allocated(template_id)
        return template_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeLaunchTemplates, DescribeLaunchTemplateVersions for the latest one."""
        answer = api.call(ECS, "DescribeLaunchTemplates", {"LaunchTemplateId": [resource_id]})
        rows = (answer.get("LaunchTemplateSets") or {}).get("LaunchTemplateSet") or []
        if not rows:
            return None
        template = rows[0]
        version = _versions(api, resource_id, {"LaunchTemplateVersion": [template["LatestVersionNumber"]]})[0]
        data = version.get("LaunchTemplateData") or {}
        interfaces = _rows(data, "NetworkInterfaces", "NetworkInterface", _INTERFACE)
        return {
            **shown(data, _PLAIN),
            "launchTemplateName": template["LaunchTemplateName"],
            "latestVersionNumber": template["LatestVersionNumber"],
            "defaultVersionNumber": template["DefaultVersionNumber"],
            "versionDescription": version.get("VersionDescription") or "",
            "systemDisk": shown(data.get("SystemDisk") or {}, _SYSTEM_DISK),
            "dataDisks": _rows(data, "DataDisks", "DataDisk", _DATA_DISK),
            "networkInterfaces": interfaces[0] if interfaces else None,
            "securityGroupIds": (data.get("SecurityGroupIds") or {}).get("SecurityGroupId") or [],
            "tags": tag_map((data.get("Tags") or {}).get("InstanceTag") or []),
            "templateTags": tag_map((template.get("Tags") or {}).get("Tag") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """TagResources, UntagResources; CreateLaunchTemplateVersion with all settings anew, where one differs.

        The default version stays, unless `updateDefaultVersionNumber` or `defaultVersionNumber` move it
        (ModifyLaunchTemplateDefaultVersion). The oldest version goes where there are 30.
        """
        tags = ({"tags": values.get("templateTags")} for values in (old, new))
        TagWriter(api, ECS, "launchtemplate").change(resource_id, *tags)
        target = {"LaunchTemplateId": resource_id}
        latest = None
        if any(old.get(name) != new.get(name) for name in _VERSIONED):
            self._make_room(api, resource_id)
            params = {**_settings(api, new), **wire(new, {"launchTemplateName": "LaunchTemplateName"})}
            answer = api.call(ECS, "CreateLaunchTemplateVersion", {**target, **params})
            latest = answer["LaunchTemplateVersionNumber"]
        number = new.get("defaultVersionNumber")
        if new.get("updateDefaultVersionNumber"):
            number = latest or max(int(one["VersionNumber"]) for one in _versions(api, resource_id, {}))
        elif number == old.get("defaultVersionNumber"):
            return
        params = {**target, "DefaultVersionNumber": int(number or 1)}
        api.call(ECS, "ModifyLaunchTemplateDefaultVersion", params)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLaunchTemplate."""
        name = wire(inputs, {"launchTemplateName": "LaunchTemplateName"})
        api.call(ECS, "DeleteLaunchTemplate", {"LaunchTemplateId": resource_id, **name})

    def _make_room(self, api: Api, resource_id: str) -> None:
        versions = _versions(api, resource_id, {})
        others = [int(one["VersionNumber"]) for one in versions if not one.get("DefaultVersion")]
        if len(versions) >= MAX_VERSIONS and others:
            params = {"LaunchTemplateId": resource_id, "DeleteVersion": [min(others)]}
            api.call(ECS, "DeleteLaunchTemplateVersion", params)


def _settings(api: Api, inputs: Values) -> dict[str, Any]:
    """Return the parameters that describe instances."""
    options = inputs.get("imageOptions") or {}
    interface = nested(inputs.get("networkInterfaces") or {}, _INTERFACE, "the network interface")
    params = {
        **wire(inputs, _PLAIN),
        "SecurityGroupIds": list(inputs.get("securityGroupIds") or []) or None,
        "SystemDisk": nested(inputs.get("systemDisk") or {}, _SYSTEM_DISK, "the system disk") or None,
        "DataDisk": [nested(disk, _DATA_DISK, "a data disk") for disk in inputs.get("dataDisks") or []]
        or None,
        "NetworkInterface": [interface] if interface else None,
        "ImageOptions": nested(options, {"loginAsNonRoot": "LoginAsNonRoot"}, "the image's options") or None,
        "Tag": tag_list(inputs.get("tags")),
    }
    if inputs.get("vswitchId"):
        vswitch = api.call(VPC, "DescribeVSwitchAttributes", {"VSwitchId": inputs["vswitchId"]})
        params.setdefault("VpcId", vswitch["VpcId"])
        params.setdefault("ZoneId", vswitch["ZoneId"])
    return params


def _versions(api: Api, template_id: str, filters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    params = {"LaunchTemplateId": template_id, "DetailFlag": True, "PageSize": 50, **filters}
    answer = api.call(ECS, "DescribeLaunchTemplateVersions", params)
    rows: list[Mapping[str, Any]] = answer["LaunchTemplateVersionSets"]["LaunchTemplateVersionSet"]
    return rows


def _rows(data: Mapping[str, Any], outer: str, inner: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [shown(row, names) for row in (data.get(outer) or {}).get(inner) or []]
