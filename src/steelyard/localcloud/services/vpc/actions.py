from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.page import number_page, token_page
from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch, status_at, utc_text
from steelyard.localcloud.tag import MAX_TAGS, has_tags, read_tags
from steelyard.localcloud.wire.error import ApiError, missing_parameter
from steelyard.spec.catalogue import REGIONS

DEFAULT_CIDR = "172.16.0.0/12"
MAX_VPCS = 10
MAX_VSWITCHES = 150


@runtime_checkable
class NetworkUser(Protocol):
    """A service whose resources stand in VPCs or VSwitches (ecs, slb, ...); it is asked before one is deleted."""

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name the sort of thing that stands directly in a VPC, e.g. `SecurityGroup`; None where nothing does."""

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name the sort of thing that stands in a VSwitch, e.g. `Instance`; None where nothing does."""

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that the service's resources hold."""


class VpcService(Service):
    """VPCs, VSwitches, their route tables and tags."""

    code, version = "vpc", "2016-04-28"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.vpcs = Records(cloud.store, Vpc)
        self.vswitches = Records(cloud.store, VSwitch)

    # VPCs

    @action("CreateVpc")
    def create_vpc(self, request: Request) -> dict[str, object]:
        """Create a VPC with its router."""
        network = check.read_cidr(request.text("CidrBlock") or DEFAULT_CIDR, check.VPC_PREFIXES)
        check.check_name("Vpc", request.text("VpcName"))
        check.check_description("Vpc", request.text("Description"))
        if len(self._vpcs_of(request.region_id)) >= MAX_VPCS:
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
        """List VPCs by ids, name, resource group and tags."""
        ids, name, tags = request.texts("VpcId"), request.text("VpcName"), read_tags(request)
        group = request.text("ResourceGroupId")
        found = [
            vpc
            for vpc in self._vpcs_of(request.region_id)
            if (not ids or vpc.id in ids)
            and name in ("", vpc.name)
            and group in ("", vpc.resource_group_id)
            and not request.flag("IsDefault")
            and has_tags(vpc.tags, tags)
        ]
        page, head = number_page(request, found)
        return {**head, "Vpcs": {"Vpc": [self._vpc_answer(vpc) for vpc in page]}}

    @action("DescribeVpcAttribute")
    def describe_vpc_attribute(self, request: Request) -> dict[str, object]:
        """Give one VPC."""
        return self._vpc_answer(self._vpc(request))

    @action("ModifyVpcAttribute", optional=("RegionId",))
    def modify_vpc_attribute(self, request: Request) -> dict[str, object]:
        """Change a VPC's name, description, DNS host names or, while it is empty, its range."""
        vpc = self._available_vpc(request)
        check.check_name("Vpc", request.text("VpcName"))
        check.check_description("Vpc", request.text("Description"))
        cidr = request.text("CidrBlock", vpc.cidr_block)
        network = check.read_cidr(cidr, check.VPC_PREFIXES)
        if any(not vswitch.network.subnet_of(network) for vswitch in self.vswitches_of(vpc.id)):
            raise errors.cidr_outside_vpc()
        self.vpcs.put(
            replace(
                vpc,
                name=request.text("VpcName", vpc.name),
                description=request.text("Description", vpc.description),
                has_dns_hostnames=request.flag("EnableDnsHostname", vpc.has_dns_hostnames),
                cidr_block=str(network),
            )
        )
        return {}

    @action("DeleteVpc", optional=("RegionId",))
    def delete_vpc(self, request: Request) -> dict[str, object]:
        """Delete a VPC in which nothing stands any more."""
        vpc = self._vpc(request)
        if self.vswitches_of(vpc.id):
            raise errors.dependency_violation("VSwitch")
        for user in self._network_users():
            tenant = user.in_vpc(vpc.id)
            if tenant:
                raise errors.dependency_violation(tenant)
        self.vpcs.delete(vpc.id)
        return {}

    @action("DescribeRouteTableList")
    def describe_route_table_list(self, request: Request) -> dict[str, object]:
        """List the system route tables: each VPC's router has one."""
        table_id, router_id = request.text("RouteTableId"), request.text("RouterId")
        found = [
            vpc
            for vpc in self._vpcs_of(request.region_id)
            if request.text("VpcId") in ("", vpc.id)
            and table_id in ("", vpc.route_table_id)
            and router_id in ("", vpc.router_id)
            and request.text("RouteTableName") == ""
            and request.text("RouteTableType") in ("", "System")
        ]
        page, head = number_page(request, found)
        tables = [self._route_table_answer(vpc) for vpc in page]
        return {**head, "RouterTableList": {"RouterTableListType": tables}}

    # VSwitches

    @action("CreateVSwitch", optional=("RegionId",))
    def create_vswitch(self, request: Request) -> dict[str, object]:
        """Create a VSwitch in a zone of its VPC's region."""
        vpc = self._available_vpc(request)
        zone_id = request.text("ZoneId")
        if zone_id not in REGIONS[vpc.region_id]:
            raise errors.zone_not_found()
        check.check_name("VSwitch", request.text("VSwitchName"))
        check.check_description("VSwitch", request.text("Description"))
        others = self.vswitches_of(vpc.id)
        if len(others) >= MAX_VSWITCHES:
            raise errors.quota_exceeded("VSwitch")
        network = check.read_cidr(request.text("CidrBlock"), check.VSWITCH_PREFIXES)
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
        return self._vswitch_answer(self._vswitch(request))

    @action("ModifyVSwitchAttribute", optional=("RegionId",))
    def modify_vswitch_attribute(self, request: Request) -> dict[str, object]:
        """Change a VSwitch's name or description."""
        vswitch = self._available_vswitch(request)
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
        vswitch = self._vswitch(request)
        for user in self._network_users():
            tenant = user.in_vswitch(vswitch.id)
            if tenant:
                raise errors.dependency_violation(tenant)
        self.vswitches.delete(vswitch.id)
        return {}

    # Tags

    @action("TagResources", optional=("RegionId",))
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on VPCs or VSwitches."""
        tags = read_tags(request)
        if not tags:
            raise missing_parameter("Tag.1.Key")
        for record, put in self._tagged(request):
            merged = {**record.tags, **tags}
            if len(merged) > MAX_TAGS:
                raise ApiError("NumberExceed.Tags", f"The maximum number of tags is exceeded: {record.id!r}.")
            put(replace(record, tags=merged))
        return {}

    @action("UnTagResources", optional=("RegionId",))
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        keys = request.texts("TagKey")
        for record, put in self._tagged(request):
            kept = {
                key: value
                for key, value in record.tags.items()
                if key not in keys and (keys or not request.flag("All"))
            }
            put(replace(record, tags=kept))
        return {}

    @action("ListTagResources", optional=("RegionId",))
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        resource_type, wanted = request.text("ResourceType"), read_tags(request)
        ids = request.texts("ResourceId")
        entries: list[dict[str, object]] = [
            {"ResourceId": record.id, "ResourceType": resource_type, "TagKey": key, "TagValue": value}
            for record in self._records(resource_type).list()
            if (not ids or record.id in ids) and has_tags(record.tags, wanted)
            for key, value in record.tags.items()
        ]
        page, token = token_page(request, entries)
        return {"TagResources": {"TagResource": list(page)}, "NextToken": token}

    # What other services ask

    def find_vpc(self, vpc_id: str) -> Vpc | None:
        """Give a VPC, or None where there is none of this id."""
        return self.vpcs.get(vpc_id)

    def find_vswitch(self, vswitch_id: str) -> VSwitch | None:
        """Give a VSwitch, or None where there is none of this id."""
        return self.vswitches.get(vswitch_id)

    def vswitches_of(self, vpc_id: str) -> list[VSwitch]:
        """Give a VPC's VSwitches."""
        return [vswitch for vswitch in self.vswitches.list() if vswitch.vpc_id == vpc_id]

    def _network_users(self) -> list[NetworkUser]:
        return [service for service in self.cloud.services.values() if isinstance(service, NetworkUser)]

    def _vpcs_of(self, region_id: str) -> list[Vpc]:
        return [vpc for vpc in self.vpcs.list() if vpc.region_id == region_id]

    def _vpc(self, request: Request) -> Vpc:
        vpc = self.vpcs.get(request.text("VpcId"))
        if vpc is None:
            raise errors.vpc_not_found()
        return vpc

    def _available_vpc(self, request: Request) -> Vpc:
        vpc = self._vpc(request)
        if status_at(vpc.created_at, self.cloud.clock()) != "Available":
            raise errors.incorrect_vpc_status()
        return vpc

    def _vswitch(self, request: Request) -> VSwitch:
        vswitch = self.vswitches.get(request.text("VSwitchId"))
        if vswitch is None:
            raise errors.vswitch_not_found()
        return vswitch

    def _available_vswitch(self, request: Request) -> VSwitch:
        vswitch = self._vswitch(request)
        if status_at(vswitch.created_at, self.cloud.clock()) != "Available":
            raise errors.incorrect_vswitch_status()
        return vswitch

    def _records(self, resource_type: str) -> Records[Vpc] | Records[VSwitch]:
        if resource_type.upper() == "VPC":
            return self.vpcs
        if resource_type.upper() == "VSWITCH":
            return self.vswitches
        raise errors.unknown_resource_type(resource_type)

    def _tagged(self, request: Request) -> list[tuple[Record, Callable[[Record], None]]]:
        records = self._records(request.text("ResourceType"))
        found: list[tuple[Record, Callable[[Record], None]]] = []
        for resource_id in request.texts("ResourceId"):
            record = records.get(resource_id)
            if record is None:
                raise errors.resource_not_found(resource_id)
            found.append((record, records.put))  # type: ignore[arg-type]
        return found

    def _vpc_answer(self, vpc: Vpc) -> dict[str, object]:
        return vpc.to_answer(
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            vswitch_ids=[vswitch.id for vswitch in self.vswitches_of(vpc.id)],
        )

    def _vswitch_answer(self, vswitch: VSwitch) -> dict[str, object]:
        return vswitch.to_answer(
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            num_used_addresses=sum(user.num_addresses(vswitch.id) for user in self._network_users()),
        )

    def _route_table_answer(self, vpc: Vpc) -> dict[str, object]:
        return {
            "RouteTableId": vpc.route_table_id,
            "RouteTableName": "",
            "RouteTableType": "System",
            "RouterId": vpc.router_id,
            "RouterType": "VRouter",
            "VpcId": vpc.id,
            "Status": "Available",
            "AssociateType": "VSwitch",
            "RoutePropagationEnable": True,
            "CreationTime": utc_text(vpc.created_at),
            "OwnerId": int(self.cloud.identity.account_id),
            "ResourceGroupId": vpc.resource_group_id,
            "VSwitchIds": {"VSwitchId": [vswitch.id for vswitch in self.vswitches_of(vpc.id)]},
            "Tags": {"Tag": []},
        }


def _search_keys(vswitch: VSwitch) -> list[str]:
    return [vswitch.vpc_id, vswitch.zone_id, vswitch.name, vswitch.resource_group_id, vswitch.route_table_id]
