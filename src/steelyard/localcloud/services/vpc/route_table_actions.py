from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors, route_errors
from steelyard.localcloud.services.vpc.models import Vpc
from steelyard.localcloud.services.vpc.route_models import RouteTable
from steelyard.localcloud.services.vpc.route_state import RouteState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import not_served

MAX_CUSTOM_TABLES = 9
"""Custom route tables of a VPC (help page "Limits and quotas" of VPC, from memory)."""


class RouteTableActions(RouteState):
    """Route tables: each VPC's router has one, and VSwitches can have others."""

    @action("CreateRouteTable", optional=("RegionId",))
    def create_route_table(self, request: Request) -> dict[str, object]:
        """Create a custom route table, which no VSwitch has yet."""
        vpc = self.available_vpc(request)
        if request.text("AssociateType", "VSwitch") != "VSwitch":
            raise not_served("route tables of gateways (AssociateType Gateway)")
        check.check_name("RouteTable", request.text("RouteTableName"))
        check.check_description("RouteTable", request.text("Description"))
        if self.cloud.terms.has_quotas and len(self.route_tables_of(vpc)) > MAX_CUSTOM_TABLES:
            raise errors.quota_exceeded("RouteTable")
        table = RouteTable(
            id=self.cloud.new_id("vtb"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=vpc.region_id,
            vpc_id=vpc.id,
            name=request.text("RouteTableName"),
            description=request.text("Description"),
            is_system=False,
            propagates=True,
        )
        self.route_tables.put(table)
        return {"RouteTableId": table.id}

    @action("DescribeRouteTableList", optional=("RegionId",))
    def describe_route_table_list(self, request: Request) -> dict[str, object]:
        """List route tables by id, router, VPC, name, type, resource group and tags."""
        names = (
            "RouteTableId",
            "RouterId",
            "VpcId",
            "RouteTableName",
            "RouteTableType",
            "RouterType",
            "ResourceGroupId",
        )
        tags = read_tags(request)
        rows = [
            self._table_answer(table, vpc)
            for vpc in self.vpcs_of(request.region_id)
            for table in self.route_tables_of(vpc)
            if has_tags(table.tags, tags)
        ]
        found = [row for row in rows if all(request.text(name) in ("", row[name]) for name in names)]
        page, head = number_page(request, found)
        return {**head, "RouterTableList": {"RouterTableListType": page}}

    @action("DescribeRouteTables", optional=("RegionId",))
    def describe_route_tables(self, request: Request) -> dict[str, object]:
        """List route tables with their entries, as the API's older clients ask for them."""
        router_id = request.text("VRouterId") or request.text("RouterId")
        now = self.cloud.clock()
        found = [
            table
            for vpc in self.vpcs_of(request.region_id)
            for table in self.route_tables_of(vpc)
            if router_id in ("", vpc.router_id)
            and request.text("RouteTableId") in ("", table.id)
            and request.text("RouteTableName") in ("", table.name)
        ]
        page, head = number_page(request, found)
        rows = [
            {
                **self._table_answer(table, self.vpcs.named([table.vpc_id])[0]),
                "RouteEntrys": {"RouteEntry": [one.to_old_answer(now) for one in self.entries_of(table)]},
            }
            for table in page
        ]
        return {**head, "RouteTables": {"RouteTable": rows}}

    @action("ModifyRouteTableAttributes", optional=("RegionId",))
    def modify_route_table_attributes(self, request: Request) -> dict[str, object]:
        """Change a route table's name, description, or whether learned routes come in."""
        table = self.available_route_table(request)
        check.check_name("RouteTable", request.text("RouteTableName"))
        check.check_description("RouteTable", request.text("Description"))
        self.route_tables.put(
            replace(
                table,
                name=request.text("RouteTableName", table.name),
                description=request.text("Description", table.description),
                propagates=request.flag("RoutePropagationEnable", table.propagates),
            )
        )
        return {}

    @action("AssociateRouteTable", optional=("RegionId",))
    def associate_route_table(self, request: Request) -> dict[str, object]:
        """Give a VSwitch of the VPC a custom route table in place of the router's own."""
        table, vswitch = self.available_route_table(request), self.available_vswitch(request)
        if table.vpc_id != vswitch.vpc_id:
            raise route_errors.route_table_in_other_vpc()
        vpc = self.vpcs.named([vswitch.vpc_id])[0]
        if vswitch.route_table_id not in (vpc.route_table_id, table.id):
            raise route_errors.vswitch_already_associated()
        self.vswitches.put(replace(vswitch, route_table_id=table.id))
        return {}

    @action("UnassociateRouteTable", optional=("RegionId",))
    def unassociate_route_table(self, request: Request) -> dict[str, object]:
        """Give a VSwitch the router's own route table again."""
        table, vswitch = self.available_route_table(request), self.available_vswitch(request)
        if table.is_system or vswitch.route_table_id != table.id:
            raise route_errors.vswitch_not_associated()
        vpc = self.vpcs.named([vswitch.vpc_id])[0]
        self.vswitches.put(replace(vswitch, route_table_id=vpc.route_table_id))
        return {}

    @action("DeleteRouteTable", optional=("RegionId",))
    def delete_route_table(self, request: Request) -> dict[str, object]:
        """Delete a custom route table without entries that no VSwitch has."""
        table = self.available_route_table(request)
        if table.is_system:
            raise route_errors.route_table_is_system()
        if self.custom_entries_of(table.id):
            raise route_errors.route_table_has_entries()
        if self.vswitches_of_table(table):
            raise route_errors.route_table_has_vswitches()
        self.route_tables.delete(table.id)
        return {}

    def _table_answer(self, table: RouteTable, vpc: Vpc) -> dict[str, object]:
        return table.to_answer(
            vpc=vpc,
            now=self.cloud.clock(),
            owner_id=int(self.cloud.identity.account_id),
            vswitch_ids=[vswitch.id for vswitch in self.vswitches_of_table(table)],
        )
