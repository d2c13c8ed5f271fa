from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.egress_models import NatGateway
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch
from steelyard.localcloud.services.vpc.route_models import RouteTable
from steelyard.localcloud.services.vpc.route_state import RouteState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import not_served

DEFAULT_CIDR = "172.16.0.0/12"
MAX_VPCS = 10
_UNSERVED = ("EnableIpv6", "Ipv6CidrBlock", "Ipv4IpamPoolId", "Ipv6IpamPoolId")


class VpcActions(RouteState):
    """VPCs, each with a router."""

    @action("CreateVpc")
    def create_vpc(self, request: Request) -> dict[str, object]:
        """Create a VPC with its router."""
        request.refuse_unserved(*_UNSERVED)
        network = check.read_vpc_cidr(request.text("CidrBlock") or DEFAULT_CIDR, errors.malformed_vpc_cidr)
        check.check_name("Vpc", request.text("VpcName"))
        check.check_description("Vpc", request.text("Description"))
        return self._make_vpc(request, network)

    # Without IPv6 the range of IPv6 is left out, which the schema calls required.
    @action("CreateDefaultVpc", optional=("RegionId", "Ipv6CidrBlock"))
    def create_default_vpc(self, request: Request) -> dict[str, object]:
        """Create the one default VPC of a region."""
        request.refuse_unserved(*_UNSERVED)
        if any(vpc.is_default for vpc in self.vpcs_of(request.region_id)):
            raise errors.default_vpc_exists()
        return self._make_vpc(request, IPv4Network(DEFAULT_CIDR), is_default=True)

    def _make_vpc(
        self, request: Request, network: IPv4Network, *, is_default: bool = False
    ) -> dict[str, object]:
        if self.cloud.terms.has_quotas and self.vpcs.are_at_least(MAX_VPCS, "region_id", request.region_id):
            raise errors.quota_exceeded("Vpc")
        vpc = Vpc(
            id=self.cloud.new_id("vpc"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            cidr_block=str(network),
            name=request.text("VpcName"),
            description=request.text("Description"),
            router_id=self.cloud.new_id("vrt"),
            route_table_id=self.cloud.new_id("vtb"),
            user_cidrs=check.read_user_cidrs(request.text("UserCidr")),
            has_dns_hostnames=request.flag("EnableDnsHostname"),
            resource_group_id=request.text("ResourceGroupId"),
            is_default=is_default,
        )
        self.vpcs.put(vpc)
        return {
            "VpcId": vpc.id,
            "VRouterId": vpc.router_id,
            "RouteTableId": vpc.route_table_id,
            "ResourceGroupId": vpc.resource_group_id,
        }

    @action("DescribeVpcs")
    def describe_vpcs(self, request: Request) -> dict[str, object]:
        """List VPCs by ids, name, resource group, whether they are default ones, and tags."""
        ids, name, tags = request.texts("VpcId"), request.text("VpcName"), read_tags(request)
        group = request.text("ResourceGroupId")
        found = [
            vpc
            for vpc in (self.vpcs.named(ids) if ids else self.vpcs_of(request.region_id))
            if vpc.region_id == request.region_id
            and name in ("", vpc.name)
            and group in ("", vpc.resource_group_id)
            and not request.text("DhcpOptionsSetId")
            and self.names_owner(request, "VpcOwnerId")
            and request.flag("IsDefault", vpc.is_default) == vpc.is_default
            and has_tags(vpc.tags, tags)
        ]
        page, head = number_page(request, found)
        return {**head, "Vpcs": {"Vpc": [self._vpc_answer(vpc) for vpc in page]}}

    @action("DescribeVpcAttribute")
    def describe_vpc_attribute(self, request: Request) -> dict[str, object]:
        """Give one VPC."""
        return self._vpc_answer(self.vpc(request))

    @action("ModifyVpcAttribute", optional=("RegionId",))
    def modify_vpc_attribute(self, request: Request) -> dict[str, object]:
        """Change a VPC's name, description, DNS host names or, while it is empty, its range."""
        request.refuse_unserved("EnableIPv6", "Ipv6CidrBlock")
        vpc = self.available_vpc(request)
        check.check_name("Vpc", request.text("VpcName"))
        check.check_description("Vpc", request.text("Description"))
        cidr = request.text("CidrBlock", vpc.cidr_block)
        network = check.read_vpc_cidr(cidr, errors.malformed_cidr)
        if vpc.is_default and str(network) != vpc.cidr_block:
            raise errors.default_vpc_keeps_cidr()
        if any(network.overlaps(IPv4Network(other)) for other in vpc.secondary_cidrs):
            raise errors.cidr_overlaps()
        kept = (network, *map(IPv4Network, vpc.secondary_cidrs))
        if any(
            not any(vswitch.network.subnet_of(one) for one in kept) for vswitch in self.vswitches_of(vpc.id)
        ):
            raise errors.cidr_outside_vpc()
        changed = replace(
            vpc,
            name=request.text("VpcName", vpc.name),
            description=request.text("Description", vpc.description),
            has_dns_hostnames=request.flag("EnableDnsHostname", vpc.has_dns_hostnames),
            cidr_block=str(network),
        )
        if changed.blocks == vpc.blocks:
            self.vpcs.put(changed)
        else:
            self.put_blocks(changed)
        return {}

    @action("EnableVpcClassicLink", optional=("RegionId",))
    def enable_vpc_classic_link(self, request: Request) -> dict[str, object]:
        """Refuse a link to the classic network, which is not sold any more and not here."""
        self.available_vpc(request)
        raise not_served("ClassicLink: there is no classic network")

    @action("DisableVpcClassicLink", optional=("RegionId",))
    def disable_vpc_classic_link(self, request: Request) -> dict[str, object]:
        """Leave a VPC without a link to the classic network."""
        self.available_vpc(request)
        return {}

    @action("DeleteVpc", optional=("RegionId",))
    def delete_vpc(self, request: Request) -> dict[str, object]:
        """Delete a VPC in which nothing stands any more."""
        vpc = self.available_vpc(request)
        if self.vswitches_of(vpc.id):
            raise errors.dependency_violation("VSwitch")
        for user in self.network_users():
            tenant = user.in_vpc(vpc.id)
            if tenant:
                raise errors.dependency_violation(tenant)
        self.vpcs.delete(vpc.id)
        self.route_tables.delete(vpc.route_table_id)
        return {}

    def _vpc_answer(self, vpc: Vpc) -> dict[str, object]:
        kinds = (VSwitch.kind, NatGateway.kind, RouteTable.kind)
        vswitches, gateways, tables = self.cloud.store.ids_where(kinds, "vpc_id", vpc.id).values()
        return vpc.to_answer(
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            vswitch_ids=vswitches,
            nat_gateway_ids=gateways,
            # That of its router is kept once it is changed, and is first in any case.
            route_table_ids=[vpc.route_table_id, *(table for table in tables if table != vpc.route_table_id)],
        )
