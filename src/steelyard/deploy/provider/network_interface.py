"""Secondary network interfaces, and the instances that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.instance_part import PartAttachment, PartKind
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map

_BUSY = (
    "IncorrectVSwitchStatus",
    "InvalidOperation.InvalidEcsState",
    "InvalidOperation.InvalidEniState",
    "OperationConflict",
    "Operation.Conflict",
)


def describe(api: Api, interface_id: str) -> Mapping[str, Any] | None:
    """Return an interface's row, None where there is none."""
    answer = api.call(ECS, "DescribeNetworkInterfaces", {"NetworkInterfaceId": [interface_id]})
    rows: list[Mapping[str, Any]] = (answer.get("NetworkInterfaceSets") or {}).get(
        "NetworkInterfaceSet"
    ) or []
    return rows[0] if rows else None


_KIND = PartKind(
    label="network interface",
    key="networkInterfaceId",
    id_name="NetworkInterfaceId",
    suffix="NetworkInterface",
    used_status="InUse",
    busy=_BUSY,
    describe=describe,
)


class EcsNetworkInterface(ResourceType):
    """`alicloud.ecs.EcsNetworkInterface`."""

    token = "alicloud:ecs/ecsNetworkInterface:EcsNetworkInterface"

    _NAMES: ClassVar = {"networkInterfaceName": "NetworkInterfaceName", "description": "Description"}
    _FLAGS: ClassVar = {"deleteOnRelease": "DeleteOnRelease", "sourceDestCheck": "SourceDestCheck"}
    _FIXED: ClassVar = {
        "vswitchId": "VSwitchId",
        "primaryIpAddress": "PrimaryIpAddress",
        "networkInterfaceTrafficMode": "NetworkInterfaceTrafficMode",
        "resourceGroupId": "ResourceGroupId",
    }
    create_only = frozenset(_FIXED)
    changeable = frozenset({*_NAMES, *_FLAGS, "securityGroupIds", "tags"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateNetworkInterface, then wait until it can be used."""
        params = {
            **wire(inputs, {**self._FIXED, **self._NAMES, **self._FLAGS}),
            "SecurityGroupIds": list(inputs.get("securityGroupIds") or []) or None,
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        answer = api.call(ECS, "CreateNetworkInterface", params, retry_on=("IncorrectVSwitchStatus",))
        interface_id = str(answer["NetworkInterfaceId"])
        api.operation.allocated(interface_id)
        _KIND.wait_status(api, interface_id, "Available")
        return interface_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeNetworkInterfaces."""
        row = describe(api, resource_id)
        if row is None:
            return None
        read = {
            **self._FIXED,
            **self._NAMES,
            **self._FLAGS,
            "primaryIpAddress": "PrivateIpAddress",
            "mac": "MacAddress",
            "status": "Status",
        }
        return {
            **shown(row, read),
            "securityGroupIds": (row.get("SecurityGroupIds") or {}).get("SecurityGroupId") or [],
            "tags": tag_map((row.get("Tags") or {}).get("Tag") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyNetworkInterfaceAttribute, TagResources, UntagResources."""
        changed: dict[str, Any] = changes(old, new, self._NAMES)
        for name, api_name in self._FLAGS.items():
            if old.get(name) != new.get(name):
                changed[api_name] = bool(new.get(name))
        if sorted(old.get("securityGroupIds") or []) != sorted(new.get("securityGroupIds") or []):
            changed["SecurityGroupId"] = list(new["securityGroupIds"])
        if changed:
            params = {"NetworkInterfaceId": resource_id, **changed}
            api.call(ECS, "ModifyNetworkInterfaceAttribute", params, retry_on=_BUSY)
        TagWriter(api, ECS, "eni").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteNetworkInterface, then wait until it is gone."""
        api.call(ECS, "DeleteNetworkInterface", {"NetworkInterfaceId": resource_id}, retry_on=_BUSY)
        wait_gone(api, lambda: describe(api, resource_id) is not None, f"network interface {resource_id}")


class EcsNetworkInterfaceAttachment(PartAttachment):
    """`alicloud.ecs.EcsNetworkInterfaceAttachment`; its id is `<interface>:<instance>`."""

    token = "alicloud:ecs/ecsNetworkInterfaceAttachment:EcsNetworkInterfaceAttachment"
    create_only = frozenset({"networkInterfaceId", "instanceId", "networkCardIndex"})
    kind = _KIND
    settings = {"networkCardIndex": "NetworkCardIndex"}
