from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.instance_actions import both_pages
from steelyard.localcloud.services.ecs.models import SecurityGroup
from steelyard.localcloud.services.ecs.state import EcsState, GroupMember, read_json_texts
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

MAX_GROUPS = 100
"""Security groups of a region (help page "Limits" of security groups, from memory)."""
_TOKEN_PAGE = range(1, 100 + 1)
"""See `both_pages` (help page of DescribeSecurityGroups)."""


class SecurityGroupActions(EcsState):
    """Security groups. The namespace host enforces their rules on instances; the loopback host has no packet filter."""

    @action("CreateSecurityGroup")
    def create_security_group(self, request: Request) -> dict[str, object]:
        """Create a security group in a VPC; those of the classic network are no longer sold."""
        vpc_id = request.text("VpcId")
        if not vpc_id:
            raise missing_parameter("VpcId")
        vpc = self.vpc.find_vpc(vpc_id)
        if vpc is None or vpc.region_id != request.region_id:
            raise errors.vpc_not_found()
        if self.cloud.terms.has_quotas and self.security_groups.are_at_least(
            MAX_GROUPS, "region_id", vpc.region_id
        ):
            raise errors.too_many_security_groups()
        group_type = check.read_choice(request, "SecurityGroupType", ("normal", "enterprise"), "normal")
        group = SecurityGroup(
            id=self.cloud.new_id("sg"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            vpc_id=vpc.id,
            name=check.read_name(request, "SecurityGroupName", ""),
            description=check.read_description(request),
            group_type=group_type,
            inner_access_policy="Accept" if group_type == "normal" else "Drop",
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.security_groups.put(group)
        return {"SecurityGroupId": group.id}

    @action("DescribeSecurityGroups")
    def describe_security_groups(self, request: Request) -> dict[str, object]:
        """List security groups by ids, VPC, name, type and tags."""
        ids, tags = read_json_texts(request, "SecurityGroupIds"), read_tags(request)
        names = ("SecurityGroupId", "VpcId", "SecurityGroupName", "SecurityGroupType", "ResourceGroupId")
        wanted = [request.text(name) for name in names]
        found = [
            group
            for group in self.security_groups.where("region_id", request.region_id)
            if request.text("NetworkType", "vpc") == "vpc"
            and not request.flag("ServiceManaged")
            and (not ids or group.id in ids)
            and has_tags(group.tags, tags)
            and all(want in ("", got) for want, got in zip(wanted, _search_keys(group), strict=True))
        ]
        page, head = both_pages(request, found, _TOKEN_PAGE)
        sizes = self.group_sizes({group.vpc_id for group in page})
        rows = [group.to_answer(sizes.get(group.id, 0)) for group in page]
        return {**head, "RegionId": request.region_id, "SecurityGroups": {"SecurityGroup": rows}}

    @action("ModifySecurityGroupAttribute")
    def modify_security_group_attribute(self, request: Request) -> dict[str, object]:
        """Change a security group's name or description."""
        group = self.security_group(request)
        self.security_groups.put(
            replace(
                group,
                name=check.read_name(request, "SecurityGroupName", group.name),
                description=check.read_description(request, group.description),
            )
        )
        return {}

    @action("ModifySecurityGroupPolicy")
    def modify_security_group_policy(self, request: Request) -> dict[str, object]:
        """Change whether the instances of a basic security group reach each other."""
        group = self.security_group(request)
        policy = request.text("InnerAccessPolicy").capitalize()
        if policy not in ("Accept", "Drop"):
            raise invalid_parameter("InnerAccessPolicy", policy, "Accept or Drop")
        if group.group_type == "enterprise" and policy == "Accept":
            raise errors.value_not_supported("InnerAccessPolicy", policy)
        self.security_groups.put(replace(group, inner_access_policy=policy))
        return {}

    @action("DeleteSecurityGroup")
    def delete_security_group(self, request: Request) -> dict[str, object]:
        """Delete a security group that no instance, load balancer and other group's rule names any more."""
        group = self.security_group(request)
        if group.id in self.group_sizes({group.vpc_id}):
            raise errors.group_in_use("instance(s)")
        for service in self.cloud.services.values():
            if isinstance(service, GroupMember) and service.is_in_group(group.id):
                raise errors.group_in_use("load balancer(s)")
        for other in self.security_groups.list():
            if other.id != group.id and any(
                group.id in (rule.get("SourceGroupId"), rule.get("DestGroupId")) for rule in other.rules
            ):
                raise errors.group_in_use("a rule of another security group that authorizes instances")
        self.security_groups.delete(group.id)
        return {}


def _search_keys(group: SecurityGroup) -> list[str]:
    return [group.id, group.vpc_id, group.name, group.group_type, group.resource_group_id]
