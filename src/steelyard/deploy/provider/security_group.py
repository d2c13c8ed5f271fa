"""Security groups and their rules (product ECS)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map


class SecurityGroup(ResourceType):
    """`alicloud.ecs.SecurityGroup`."""

    token = "alicloud:ecs/securityGroup:SecurityGroup"
    create_only = frozenset({"vpcId", "securityGroupType", "resourceGroupId"})
    changeable = frozenset({"securityGroupName", "description", "innerAccessPolicy", "tags"})

    _CREATE: ClassVar = {
        "vpcId": "VpcId",
        "securityGroupName": "SecurityGroupName",
        "description": "Description",
        "securityGroupType": "SecurityGroupType",
        "resourceGroupId": "ResourceGroupId",
    }
    _CHANGE: ClassVar = {"securityGroupName": "SecurityGroupName", "description": "Description"}
    _READ: ClassVar = {**_CREATE, "createTime": "CreationTime"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateSecurityGroup and, where it is asked for, ModifySecurityGroupPolicy."""
        params = {
            **wire(inputs, self._CREATE),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        group_id = str(api.call(ECS, "CreateSecurityGroup", params)["SecurityGroupId"])
        api.operation.allocated(group_id)
        self._set_inner_access(api, group_id, inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeSecurityGroups and DescribeSecurityGroupAttribute."""
        groups = api.call(ECS, "DescribeSecurityGroups", {"SecurityGroupId": resource_id})
        rows = groups["SecurityGroups"]["SecurityGroup"]
        if not rows:
            return None
        attribute = api.call(ECS, "DescribeSecurityGroupAttribute", {"SecurityGroupId": resource_id})
        return {
            **shown(rows[0], self._READ),
            **shown(attribute, {"innerAccessPolicy": "InnerAccessPolicy"}),
            "tags": tag_map((rows[0].get("Tags") or {}).get("Tag") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifySecurityGroupAttribute, ModifySecurityGroupPolicy, TagResources, UntagResources."""
        changed = changes(old, new, self._CHANGE)
        if changed:
            api.call(ECS, "ModifySecurityGroupAttribute", {"SecurityGroupId": resource_id, **changed})
        if old.get("innerAccessPolicy") != new.get("innerAccessPolicy"):
            self._set_inner_access(api, resource_id, new)
        TagWriter(api, ECS, "securitygroup").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteSecurityGroup, waiting for its instances to go."""
        params = {"SecurityGroupId": resource_id}
        api.call(ECS, "DeleteSecurityGroup", params, retry_on=("DependencyViolation",))

    def _set_inner_access(self, api: Api, group_id: str, inputs: Values) -> None:
        policy = inputs.get("innerAccessPolicy")
        if policy:
            params = {"SecurityGroupId": group_id, "InnerAccessPolicy": policy}
            api.call(ECS, "ModifySecurityGroupPolicy", params)


class SecurityGroupRule(ResourceType):
    """`alicloud.ecs.SecurityGroupRule`: its id is made of what it says."""

    token = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
    create_only = frozenset(
        {
            "type",
            "ipProtocol",
            "nicType",
            "policy",
            "portRange",
            "priority",
            "securityGroupId",
            "cidrIp",
            "ipv6CidrIp",
            "sourceSecurityGroupId",
            "prefixListId",
        }
    )
    changeable = frozenset({"description"})

    _CREATE: ClassVar = {
        "ipProtocol": "IpProtocol",
        "portRange": "PortRange",
        "nicType": "NicType",
        "policy": "Policy",
        "priority": "Priority",
        "description": "Description",
    }
    # What may be on the other side, by direction.
    _PEERS: ClassVar = {
        "ingress": {
            "cidrIp": "SourceCidrIp",
            "ipv6CidrIp": "Ipv6SourceCidrIp",
            "sourceSecurityGroupId": "SourceGroupId",
            "prefixListId": "SourcePrefixListId",
        },
        "egress": {
            "cidrIp": "DestCidrIp",
            "ipv6CidrIp": "Ipv6DestCidrIp",
            "sourceSecurityGroupId": "DestGroupId",
            "prefixListId": "DestPrefixListId",
        },
    }
    _DEFAULTS: ClassVar = {
        "portRange": "-1/-1",
        "nicType": "intranet",
        "policy": "accept",
        "priority": 1,
    }

    def create(self, api: Api, inputs: Values) -> str:
        """AuthorizeSecurityGroup or AuthorizeSecurityGroupEgress."""
        api.call(
            ECS,
            f"AuthorizeSecurityGroup{_suffix(inputs['type'])}",
            {
                "SecurityGroupId": inputs["securityGroupId"],
                "Permissions": [self._permission(inputs)],
                "ClientToken": api.operation.token,
            },
        )
        rule_id = self._id(inputs)
        api.operation.allocated(rule_id)
        return rule_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeSecurityGroupAttribute, and in it the rule that says the same."""
        inputs = self._inputs(resource_id)
        row = self._find(api, inputs)
        if row is None:
            return None
        described = {"description": row["Description"]} if row.get("Description") else {}
        return {**inputs, **described, **shown(row, {"securityGroupRuleId": "SecurityGroupRuleId"})}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifySecurityGroupRule or ModifySecurityGroupEgressRule."""
        row = self._find(api, self._inputs(resource_id)) or {}
        direction = "Egress" if new["type"] == "egress" else ""
        api.call(
            ECS,
            f"ModifySecurityGroup{direction}Rule",
            {
                "SecurityGroupId": new["securityGroupId"],
                "SecurityGroupRuleId": row.get("SecurityGroupRuleId"),
                **self._permission(new),
                "Description": new.get("description") or "",
            },
        )

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RevokeSecurityGroup or RevokeSecurityGroupEgress."""
        said = self._inputs(resource_id)
        api.call(
            ECS,
            f"RevokeSecurityGroup{_suffix(said['type'])}",
            {"SecurityGroupId": said["securityGroupId"], "Permissions": [self._permission(said)]},
        )

    def _permission(self, inputs: Values) -> dict[str, Any]:
        full = {**self._DEFAULTS, **inputs}
        return {**wire(full, self._CREATE), **wire(full, self._PEERS[inputs["type"]])}

    def _id(self, inputs: Values) -> str:
        """Return the vendor's provider's id: group:direction:protocol:ports:nic:peer:policy:priority."""
        full = {**self._DEFAULTS, **inputs}
        peer = next((full[name] for name in self._PEERS["ingress"] if full.get(name)), "")
        # The id is cut at colons: those of an IPv6 range are written otherwise, as the vendor's provider does.
        parts = ("securityGroupId", "type", "ipProtocol", "portRange", "nicType")
        return ":".join(
            str(part)
            for part in (
                *(full[name] for name in parts),
                str(peer).replace(":", "_"),
                full["policy"],
                full["priority"],
            )
        )

    def _inputs(self, rule_id: str) -> dict[str, Any]:
        group, direction, protocol, ports, nic, peer, policy, priority = rule_id.split(":")
        names = {"sg-": "sourceSecurityGroupId", "pl-": "prefixListId"}
        name = names.get(peer[:3], "ipv6CidrIp" if "_" in peer else "cidrIp")
        return {
            "securityGroupId": group,
            "type": direction,
            "ipProtocol": protocol,
            "portRange": ports,
            "nicType": nic,
            name: peer.replace("_", ":") if name == "ipv6CidrIp" else peer,
            "policy": policy,
            "priority": int(priority),
        }

    def _find(self, api: Api, said: Values) -> Mapping[str, Any] | None:
        answer = api.call(
            ECS,
            "DescribeSecurityGroupAttribute",
            {
                "SecurityGroupId": said["securityGroupId"],
                "Direction": said["type"],
                "NicType": said["nicType"],
            },
        )
        want = {name: str(value).lower() for name, value in self._permission(said).items()}
        for row in (answer.get("Permissions") or {}).get("Permission") or []:
            if all(str(row.get(name, "")).lower() == value for name, value in want.items()):
                return dict(row)
        return None


def _suffix(direction: str) -> str:
    return "Egress" if direction == "egress" else ""
