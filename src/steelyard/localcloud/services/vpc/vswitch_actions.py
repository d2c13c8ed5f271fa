from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import missing_parameter
from steelyard.spec.catalogue import REGIONS

MAX_VSWITCHES = 150


class VSwitchActions(VpcState):
    """VSwitches."""

    @action("CreateVSwitch", optional=("RegionId",))
    def create_vswitch(self, request: Request) -> dict[str, object]:
        """Create a VSwitch in a zone of its VPC's region."""
        if not request.text("CidrBlock"):
            raise missing_parameter("CidrBlock")
        vpc = self.available_vpc(request)
        zone_id = request.text("ZoneId")
        if zone_id not in REGIONS[vpc.region_id]:
            raise errors.zone_not_found()
        check.check_name("VSwitch", request.text("VSwitchName"))
        check.check_description("VSwitch", request.text("Description"))
        others = self.vswitches_of(vpc.id)
        if self.cloud.terms.has_quotas and len(others) >= MAX_VSWITCHES:
            raise errors.quota_exceeded("VSwitch")
        network = check.read_vswitch_cidr(request.text("CidrBlock"))
        if not network.subnet_of(vpc.network):
            raise errors.cidr_outside_vpc()
        if any(network.overlaps(other.network) for other in others):
            raise errors.cidr_overlaps()
        vswitch = VSwitch(
            id=self.cloud.new_id("vsw"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            vpc_id=vpc.id,
            zone_id=zone_id,
            region_id=vpc.region_id,
            cidr_block=str(network),
            name=request.text("VSwitchName"),
            description=request.text("Description"),
            route_table_id=vpc.route_table_id,
            resource_group_id=vpc.resource_group_id,
        )
        self.vswitches.put(vswitch)
        return {"VSwitchId": vswitch.id}

    @action("DescribeVSwitches", optional=("RegionId",))
    def describe_vswitches(self, request: Request) -> dict[str, object]:
        """List VSwitches by ids, VPC, zone, name, resource group and tags."""
        ids, tags = request.texts("VSwitchId"), read_tags(request)
        wanted = [
            request.text(name)
            for name in ("VpcId", "ZoneId", "VSwitchName", "ResourceGroupId", "RouteTableId")
        ]
        found = [
            vswitch
            for vswitch in self.vswitches.list()
            if vswitch.region_id == request.region_id
            and (not ids or vswitch.id in ids)
            and not request.flag("IsDefault")
            and has_tags(vswitch.tags, tags)
            and all(want in ("", got) for want, got in zip(wanted, _search_keys(vswitch), strict=True))
        ]
        page, head = number_page(request, found)
        return {**head, "VSwitches": {"VSwitch": [self._vswitch_answer(vswitch) for vswitch in page]}}

    @action("DescribeVSwitchAttributes")
    def describe_vswitch_attributes(self, request: Request) -> dict[str, object]:
        """Give one VSwitch."""
        return self._vswitch_answer(self.vswitch(request))

    @action("ModifyVSwitchAttribute", optional=("RegionId",))
    def modify_vswitch_attribute(self, request: Request) -> dict[str, object]:
        """Change a VSwitch's name or description."""
        vswitch = self.available_vswitch(request)
        check.check_name("VSwitch", request.text("VSwitchName"))
        check.check_description("VSwitch", request.text("Description"))
        self.vswitches.put(
            replace(
                vswitch,
                name=request.text("VSwitchName", vswitch.name),
                description=request.text("Description", vswitch.description),
            )
        )
        return {}

    @action("DeleteVSwitch", optional=("RegionId",))
    def delete_vswitch(self, request: Request) -> dict[str, object]:
        """Delete a VSwitch in which nothing stands any more."""
        vswitch = self.available_vswitch(request)
        for user in self.network_users():
            tenant = user.in_vswitch(vswitch.id)
            if tenant:
                raise errors.dependency_violation(tenant)
        self.vswitches.delete(vswitch.id)
        return {}

    def _vswitch_answer(self, vswitch: VSwitch) -> dict[str, object]:
        return vswitch.to_answer(
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            num_used_addresses=sum(user.num_addresses(vswitch.id) for user in self.network_users()),
        )


def _search_keys(vswitch: VSwitch) -> list[str]:
    return [vswitch.vpc_id, vswitch.zone_id, vswitch.name, vswitch.resource_group_id, vswitch.route_table_id]
