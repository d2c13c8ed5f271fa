from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import missing_parameter
from steelyard.spec.catalogue import REGIONS

MAX_VSWITCHES = 150
DEFAULT_PREFIX = 20
"""Mask of a default VSwitch (help page "Default VPC and default vSwitch", from memory)."""


class VSwitchActions(VpcState):
    """VSwitches."""

    @action("CreateVSwitch", optional=("RegionId",))
    def create_vswitch(self, request: Request) -> dict[str, object]:
        """Create a VSwitch in a zone of its VPC's region."""
        request.refuse_unserved("Ipv6CidrBlock", "VpcIpv6CidrBlock")
        if not request.text("CidrBlock"):
            raise missing_parameter("CidrBlock")
        vpc = self.available_vpc(request)
        zone_id = self._zone(request, vpc)
        check.check_name("VSwitch", request.text("VSwitchName"))
        check.check_description("VSwitch", request.text("Description"))
        others = self.vswitches_of(vpc.id)
        self._check_quota(others)
        network = check.read_vswitch_cidr(request.text("CidrBlock"))
        if not any(network.subnet_of(block) for block in vpc.networks):
            raise errors.cidr_outside_vpc()
        if any(network.overlaps(other.network) for other in others):
            raise errors.cidr_overlaps()
        return self._make_vswitch(request, vpc, zone_id, network)

    # The schema calls a number of IPv6 required, which the API does not.
    @action("CreateDefaultVSwitch", optional=("RegionId", "Ipv6CidrBlock"))
    def create_default_vswitch(self, request: Request) -> dict[str, object]:
        """Create the one default VSwitch of a zone, in its region's default VPC."""
        vpc = next((one for one in self.vpcs_of(request.region_id) if one.is_default), None)
        if vpc is None:
            raise errors.no_default_vpc()
        zone_id, others = self._zone(request, vpc), self.vswitches_of(vpc.id)
        if any(other.is_default and other.zone_id == zone_id for other in others):
            raise errors.default_vswitch_exists()
        self._check_quota(others)
        blocks = vpc.networks[0].subnets(new_prefix=DEFAULT_PREFIX)
        network = next(
            (one for one in blocks if not any(one.overlaps(other.network) for other in others)), None
        )
        if network is None:
            raise errors.cidr_overlaps()
        return self._make_vswitch(request, vpc, zone_id, network, is_default=True)

    def _zone(self, request: Request, vpc: Vpc) -> str:
        zone_id = request.text("ZoneId")
        if zone_id not in REGIONS[vpc.region_id]:
            raise errors.zone_not_found()
        return zone_id

    def _check_quota(self, others: Sequence[VSwitch]) -> None:
        if self.cloud.terms.has_quotas and len(others) >= MAX_VSWITCHES:
            raise errors.quota_exceeded("VSwitch")

    def _make_vswitch(
        self, request: Request, vpc: Vpc, zone_id: str, network: IPv4Network, *, is_default: bool = False
    ) -> dict[str, object]:
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
            is_default=is_default,
        )
        self.vswitches.put(vswitch)
        return {"VSwitchId": vswitch.id}

    @action("DescribeVSwitches", optional=("RegionId",))
    def describe_vswitches(self, request: Request) -> dict[str, object]:
        """List VSwitches by ids, VPC, zone, name, resource group, route table and tags."""
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
            and request.flag("IsDefault", vswitch.is_default) == vswitch.is_default
            and not request.flag("EnableIpv6")
            and self.names_owner(request, "VSwitchOwnerId")
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
        request.refuse_unserved("EnableIPv6", "Ipv6CidrBlock", "VpcIpv6CidrBlock")
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
        vpc = self.find_vpc(vswitch.vpc_id)
        return vswitch.to_answer(
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            num_used_addresses=sum(user.num_addresses(vswitch.id) for user in self.network_users()),
            has_system_table=vpc is None or vpc.route_table_id == vswitch.route_table_id,
        )


def _search_keys(vswitch: VSwitch) -> list[str]:
    return [vswitch.vpc_id, vswitch.zone_id, vswitch.name, vswitch.resource_group_id, vswitch.route_table_id]
