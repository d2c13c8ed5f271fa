"""VPCs and VSwitches."""

from __future__ import annotations

from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import VPC, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map


class Network(ResourceType):
    """`alicloud.vpc.Network`: a VPC."""

    token = "alicloud:vpc/network:Network"
    create_only = frozenset({"cidrBlock", "userCidrs", "resourceGroupId"})
    changeable = frozenset({"vpcName", "description", "tags"})

    _CREATE: ClassVar = {
        "cidrBlock": "CidrBlock",
        "vpcName": "VpcName",
        "description": "Description",
        "resourceGroupId": "ResourceGroupId",
    }
    _CHANGE: ClassVar = {"vpcName": "VpcName", "description": "Description"}
    _READ: ClassVar = {
        **_CREATE,
        "status": "Status",
        "createTime": "CreationTime",
        "regionId": "RegionId",
        "routerId": "VRouterId",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateVpc, then wait until it is available."""
        user_cidrs = inputs.get("userCidrs")
        params = {
            **wire(inputs, self._CREATE),
            "UserCidr": ",".join(user_cidrs) if user_cidrs else None,
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        vpc_id = str(api.call(VPC, "CreateVpc", params)["VpcId"])
        api.operation.allocated(vpc_id)
        api.wait(lambda: _is_available(self._describe(api, vpc_id)), what=f"VPC {vpc_id}")
        return vpc_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeVpcAttribute and, for its route table, DescribeRouteTableList."""
        answer = self._describe(api, resource_id)
        tables = api.call(VPC, "DescribeRouteTableList", {"VpcId": resource_id})
        rows = (tables.get("RouterTableList") or {}).get("RouterTableListType") or []
        system = [row["RouteTableId"] for row in rows if row.get("RouteTableType") == "System"]
        route_table = {"routeTableId": system[0], "routerTableId": system[0]} if system else {}
        user_cidrs = (answer.get("UserCidrs") or {}).get("UserCidr") or []
        return {
            **shown(answer, self._READ),
            **route_table,
            **({"userCidrs": user_cidrs} if user_cidrs else {}),
            "tags": _tags(answer),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyVpcAttribute, TagResources, UnTagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            api.call(VPC, "ModifyVpcAttribute", {"VpcId": resource_id, **changed})
        TagWriter(api, VPC, "VPC", untag_action="UnTagResources").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteVpc, waiting for what is in it to go."""
        api.call(VPC, "DeleteVpc", {"VpcId": resource_id}, retry_on=("DependencyViolation",))
        wait_gone(api, lambda: bool(self._describe(api, resource_id).get("VpcId")), f"VPC {resource_id}")

    def _describe(self, api: Api, vpc_id: str) -> Answer:
        return api.call(VPC, "DescribeVpcAttribute", {"VpcId": vpc_id})


class Switch(ResourceType):
    """`alicloud.vpc.Switch`: a VSwitch."""

    token = "alicloud:vpc/switch:Switch"
    create_only = frozenset({"vpcId", "cidrBlock", "zoneId"})
    changeable = frozenset({"vswitchName", "description", "tags"})

    _CREATE: ClassVar = {
        "vpcId": "VpcId",
        "cidrBlock": "CidrBlock",
        "zoneId": "ZoneId",
        "vswitchName": "VSwitchName",
        "description": "Description",
    }
    _CHANGE: ClassVar = {"vswitchName": "VSwitchName", "description": "Description"}
    _READ: ClassVar = {**_CREATE, "status": "Status", "createTime": "CreationTime"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateVSwitch, then wait until it is available."""
        params = {
            **wire(inputs, self._CREATE),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        # A VPC takes one VSwitch at a time.
        answer = api.call(VPC, "CreateVSwitch", params, retry_on=("TaskConflict", "IncorrectStatus"))
        vswitch_id = str(answer["VSwitchId"])
        api.operation.allocated(vswitch_id)
        api.wait(lambda: _is_available(self._describe(api, vswitch_id)), what=f"VSwitch {vswitch_id}")
        return vswitch_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeVSwitchAttributes, which answers with an empty id where there is none."""
        answer = self._describe(api, resource_id)
        return {**shown(answer, self._READ), "tags": _tags(answer)} if answer.get("VSwitchId") else None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyVSwitchAttribute, TagResources, UnTagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            api.call(VPC, "ModifyVSwitchAttribute", {"VSwitchId": resource_id, **changed})
        TagWriter(api, VPC, "VSWITCH", untag_action="UnTagResources").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteVSwitch, waiting for what is in it to go."""
        passing = (
            "DependencyViolation",
            "IncorrectVSwitchStatus",
            "TaskConflict",
            "IncorrectRouteEntryStatus",
        )
        api.call(VPC, "DeleteVSwitch", {"VSwitchId": resource_id}, retry_on=passing)
        wait_gone(
            api, lambda: bool(self._describe(api, resource_id).get("VSwitchId")), f"VSwitch {resource_id}"
        )

    def _describe(self, api: Api, vswitch_id: str) -> Answer:
        return api.call(VPC, "DescribeVSwitchAttributes", {"VSwitchId": vswitch_id})


def _is_available(answer: Answer) -> bool | None:
    return True if answer.get("Status") == "Available" else None


def _tags(answer: Answer) -> dict[str, str]:
    tags: dict[str, Any] = answer.get("Tags") or {}
    return tag_map(tags.get("Tag") or [])
