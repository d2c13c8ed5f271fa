"""Route tables and route entries, by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_sdk import refused, wait_for
from own_range import inner

REGION = "cn-hangzhou"


@dataclass(kw_only=True)
class Routes:
    """A VPC with a VSwitch, and calls on its route tables."""

    client: Client
    vpc_id: str
    vswitch_id: str
    made: list[str] = field(default_factory=list)

    def tables(self, **filters: object):
        request = models.DescribeRouteTableListRequest(region_id=REGION, vpc_id=self.vpc_id, **filters)
        return self.client.describe_route_table_list(request).body.router_table_list.router_table_list_type

    @property
    def system_id(self) -> str:
        return self.tables(route_table_type="System")[0].route_table_id

    def create(self, **settings: object) -> str:
        request = models.CreateRouteTableRequest(region_id=REGION, vpc_id=self.vpc_id, **settings)
        table_id = self.client.create_route_table(request).body.route_table_id
        self.made.append(table_id)
        wait_for(lambda: self.tables(route_table_id=table_id)[0].status, lambda status: status == "Available")
        return table_id

    def delete(self, table_id: str) -> None:
        self.client.delete_route_table(
            models.DeleteRouteTableRequest(region_id=REGION, route_table_id=table_id)
        )

    def associate(self, table_id: str, vswitch_id: str) -> None:
        self.client.associate_route_table(
            models.AssociateRouteTableRequest(
                region_id=REGION, route_table_id=table_id, v_switch_id=vswitch_id
            )
        )

    def unassociate(self, table_id: str, vswitch_id: str) -> None:
        self.client.unassociate_route_table(
            models.UnassociateRouteTableRequest(
                region_id=REGION, route_table_id=table_id, v_switch_id=vswitch_id
            )
        )

    def lead(self, destination: str, hop_id: str, hop_type: str = "Instance", **settings: object) -> str:
        request = models.CreateRouteEntryRequest(
            **{
                "region_id": REGION,
                "route_table_id": self.system_id,
                "destination_cidr_block": destination,
                "next_hop_id": hop_id,
                "next_hop_type": hop_type,
                **settings,
            }
        )
        return self.client.create_route_entry(request).body.route_entry_id

    def entries(self, table_id: str = "", **filters: object):
        request = models.DescribeRouteEntryListRequest(
            region_id=REGION, route_table_id=table_id or self.system_id, **filters
        )
        return self.client.describe_route_entry_list(request).body.route_entrys.route_entry

    def delete_entry(self, **named: object) -> None:
        self.client.delete_route_entry(models.DeleteRouteEntryRequest(region_id=REGION, **named))

    def wait_available(self, entry_id: str, table_id: str = "") -> None:
        wait_for(
            lambda: self.entries(table_id, route_entry_id=entry_id)[0].status,
            lambda status: status == "Available",
        )

    def clear(self) -> None:
        for table in self.tables():
            for entry in self.entries(table.route_table_id, route_entry_type="Custom"):
                self.wait_available(entry.route_entry_id, table.route_table_id)
                self.delete_entry(route_entry_id=entry.route_entry_id)
            if table.route_table_type == "Custom":
                for vswitch_id in table.v_switch_ids.v_switch_id:
                    self.unassociate(table.route_table_id, vswitch_id)
                self.delete(table.route_table_id)


@pytest.fixture
def routes(
    vpc_client: Client, make_vpc: Callable[..., str], make_vswitch: Callable[..., str]
) -> Iterator[Routes]:
    vpc_id = make_vpc("10.61.0.0/16")
    made = Routes(client=vpc_client, vpc_id=vpc_id, vswitch_id=make_vswitch(vpc_id, "10.61.0.0/24"))
    yield made
    made.clear()


def describe_vswitch(routes: Routes):
    return routes.client.describe_vswitch_attributes(
        models.DescribeVSwitchAttributesRequest(v_switch_id=routes.vswitch_id)
    ).body


class TestTables:
    def test_a_vpc_begins_with_the_one_of_its_router_which_its_vswitches_have(self, routes):
        (table,) = routes.tables()
        assert (table.route_table_type, table.vpc_id) == ("System", routes.vpc_id)
        assert table.v_switch_ids.v_switch_id == [routes.vswitch_id]
        assert describe_vswitch(routes).route_table.route_table_id == table.route_table_id

    def test_that_of_the_router_takes_a_name_and_keeps_it(self, routes):
        system_id = routes.system_id
        routes.client.modify_route_table_attributes(
            models.ModifyRouteTableAttributesRequest(
                region_id=REGION,
                route_table_id=system_id,
                route_table_name="main",
                description="of the router",
                route_propagation_enable=False,
            )
        )
        (table,) = routes.tables(route_table_name="main")
        assert (table.route_table_id, table.description, table.route_propagation_enable) == (
            system_id,
            "of the router",
            False,
        )
        assert table.v_switch_ids.v_switch_id == [routes.vswitch_id]

    def test_a_custom_one_is_pending_first_and_shown_by_its_vpc(self, routes):
        table_id = routes.create(route_table_name="training", description="why")
        (table,) = routes.tables(route_table_type="Custom")
        assert (table.route_table_id, table.route_table_name, table.description) == (
            table_id,
            "training",
            "why",
        )
        (vpc,) = routes.client.describe_vpcs(
            models.DescribeVpcsRequest(region_id=REGION, vpc_id=routes.vpc_id)
        ).body.vpcs.vpc
        assert vpc.router_table_ids.router_table_ids == [routes.system_id, table_id]

    def test_a_vswitch_has_one_and_gets_that_of_the_router_back(self, routes):
        table_id, other_id = routes.create(), routes.create()
        routes.associate(table_id, routes.vswitch_id)
        shown = describe_vswitch(routes).route_table
        assert (shown.route_table_id, shown.route_table_type) == (table_id, "Custom")
        assert routes.tables(route_table_id=table_id)[0].v_switch_ids.v_switch_id == [routes.vswitch_id]
        with refused("OperationFailed.RouteTableAssociated"):
            routes.associate(other_id, routes.vswitch_id)
        with refused("IncorrectRouteTableStatus.VSwitchExist"):
            routes.delete(table_id)
        with refused("DependencyViolation.RouteTable"):
            routes.client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=routes.vswitch_id))
        with refused("OperationFailed.RouteTableNotAssociated"):
            routes.unassociate(other_id, routes.vswitch_id)

        routes.unassociate(table_id, routes.vswitch_id)

        shown = describe_vswitch(routes).route_table
        assert (shown.route_table_id, shown.route_table_type) == (routes.system_id, "System")
        with refused("OperationFailed.RouteTableNotAssociated"):
            routes.unassociate(table_id, routes.vswitch_id)

    def test_one_of_another_vpc_is_refused(self, routes, make_vpc, make_vswitch):
        other_vpc = make_vpc("10.62.0.0/16")
        stranger = make_vswitch(other_vpc, "10.62.0.0/24")
        with refused("InvalidParameter.VpcMismatch"):
            routes.associate(routes.create(), stranger)

    def test_that_of_the_router_cannot_be_deleted_and_a_custom_one_only_when_empty(self, routes, make_vpc):
        with refused("IncorrectRouteTableType"):
            routes.delete(routes.system_id)
        with refused("InvalidRouteTable.NotFound", 404):
            routes.delete("vtb-nowhere")
        table_id = routes.create()
        routes.delete(table_id)
        assert routes.tables(route_table_id=table_id) == []

    def test_a_custom_one_keeps_its_vpc_from_being_deleted(self, routes):
        table_id = routes.create()
        routes.client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=routes.vswitch_id))
        with refused("DependencyViolation.RouteTable"):
            routes.client.delete_vpc(models.DeleteVpcRequest(vpc_id=routes.vpc_id))
        routes.delete(table_id)

    def test_a_tenth_custom_one_is_refused(self, routes):
        for _ in range(9):
            routes.create()
        with refused("QuotaExceeded.RouteTable"):
            routes.create()

    def test_those_of_gateways_are_refused_loudly(self, routes):
        with refused("UnsupportedOperation", text="Gateway"):
            routes.create(associate_type="Gateway")

    def test_they_take_tags(self, routes):
        table_ids = [routes.system_id, routes.create()]
        routes.client.tag_resources(
            models.TagResourcesRequest(
                region_id=REGION,
                resource_type="ROUTETABLE",
                resource_id=table_ids,
                tag=[models.TagResourcesRequestTag(key="team", value="vision")],
            )
        )
        found = routes.tables(tag=[models.DescribeRouteTableListRequestTag(key="team", value="vision")])
        assert [table.route_table_id for table in found] == table_ids


class TestEntries:
    def test_a_table_leads_to_each_vswitch_and_to_the_clouds_services_by_itself(self, routes):
        found = {entry.destination_cidr_block: entry for entry in routes.entries()}
        assert set(found) == {"10.61.0.0/24", "100.64.0.0/10"}
        assert {entry.type for entry in found.values()} == {"System"}
        assert {entry.next_hops.next_hop[0].next_hop_type for entry in found.values()} == {"local"}
        assert [entry.route_entry_id for entry in routes.entries()] == [
            entry.route_entry_id for entry in routes.entries()
        ]

    def test_one_leads_to_an_instance_until_it_is_deleted(self, fleet, vpc_client):
        routes = Routes(client=vpc_client, vpc_id=fleet.vpc_id, vswitch_id=fleet.vswitch_id)
        (instance_id,) = fleet.run()
        entry_id = routes.lead("192.168.0.0/24", instance_id, route_entry_name="office", description="why")
        routes.wait_available(entry_id)
        (entry,) = routes.entries(route_entry_type="Custom")
        assert (entry.destination_cidr_block, entry.route_entry_name, entry.description) == (
            "192.168.0.0/24",
            "office",
            "why",
        )
        (hop,) = entry.next_hops.next_hop
        assert (hop.next_hop_id, hop.next_hop_type) == (instance_id, "Instance")
        with refused("DependencyViolation.RouteEntry", 403):
            fleet.delete(instance_id)

        routes.delete_entry(
            route_table_id=routes.system_id, destination_cidr_block="192.168.0.0/24", next_hop_id=instance_id
        )

        assert routes.entries(route_entry_type="Custom") == []
        fleet.delete(instance_id)

    def test_one_leads_to_a_network_interface_and_can_be_led_elsewhere(self, fleet, vpc_client):
        routes = Routes(client=vpc_client, vpc_id=fleet.vpc_id, vswitch_id=fleet.vswitch_id)
        (instance_id,) = fleet.run()
        interface_id = fleet.ecs_client.create_network_interface(
            ecs.CreateNetworkInterfaceRequest(
                region_id=REGION, v_switch_id=fleet.vswitch_id, security_group_id=fleet.group_id
            )
        ).body.network_interface_id
        entry_id = routes.lead("192.168.1.7", interface_id, "NetworkInterface")
        routes.wait_available(entry_id)
        with refused("InvalidOperation.RouteEntryExist", 403):
            delete_interface(fleet, interface_id)
        vpc_client.modify_route_entry(
            models.ModifyRouteEntryRequest(
                region_id=REGION,
                route_entry_id=entry_id,
                route_entry_name="there",
                new_next_hop_id=instance_id,
                new_next_hop_type="Instance",
            )
        )
        (entry,) = routes.entries(destination_cidr_block="192.168.1.7/32")
        assert (entry.route_entry_name, entry.next_hops.next_hop[0].next_hop_id) == ("there", instance_id)
        delete_interface(fleet, interface_id)
        routes.delete_entry(route_entry_id=entry_id)

    def test_one_to_where_there_is_nothing_of_its_vpc_is_refused(self, routes, servers):
        for hop_id, hop_type in [
            ("i-nowhere", "Instance"),
            ("eni-nowhere", "NetworkInterface"),
            ("ngw-nowhere", "NatGateway"),
            (servers.ids[0], "Instance"),
        ]:
            with refused("InvalidNextHop.NotFound", 404):
                routes.lead("192.168.0.0/24", hop_id, hop_type)
        with refused("UnsupportedOperation", text="VpnGateway"):
            routes.lead("192.168.0.0/24", "vpn-1", "VpnGateway")
        with refused("InvalidParameter", text="NextHopType"):
            routes.lead("192.168.0.0/24", "x-1", "Elsewhere")

    def test_destinations_follow_the_apis_rules(self, fleet, vpc_client):
        routes = Routes(client=vpc_client, vpc_id=fleet.vpc_id, vswitch_id=fleet.vswitch_id)
        (instance_id,) = fleet.run()
        for destination in (inner("0.0/24"), inner("0.128/25"), "100.64.0.0/10", "100.100.0.0/16"):
            with refused("InvalidCidrBlock"):
                routes.lead(destination, instance_id)
        for destination in ("nonsense", "192.168.0.1/24", "192.168.0.0/33"):
            with refused("InvalidCidrBlock.Malformed"):
                routes.lead(destination, instance_id)
        entry_id = routes.lead("10.0.0.0/8", instance_id)
        with refused("InvalidCIDRBlock.Duplicate"):
            routes.lead("10.0.0.0/8", instance_id)
        routes.wait_available(entry_id)
        routes.delete_entry(route_entry_id=entry_id)
        with refused("InvalidRouteEntry.NotFound", 404):
            routes.delete_entry(route_entry_id=entry_id)

    def test_one_that_the_router_has_by_itself_stays(self, routes):
        for entry in routes.entries():
            with refused("IncorrectRouteEntryType"):
                routes.delete_entry(route_entry_id=entry.route_entry_id)
        with refused("InvalidRouteTable.NotFound", 404):
            routes.entries("vtb-nowhere")
        with refused("MissingParameter", text="RouteEntryId"):
            routes.delete_entry(destination_cidr_block="192.168.0.0/24")

    def test_a_custom_table_keeps_its_entries_and_is_not_deleted_with_them(self, fleet, vpc_client):
        routes = Routes(client=vpc_client, vpc_id=fleet.vpc_id, vswitch_id=fleet.vswitch_id)
        (instance_id,) = fleet.run()
        table_id = routes.create()
        entry_id = routes.lead("0.0.0.0/0", instance_id, route_table_id=table_id)
        routes.wait_available(entry_id, table_id)
        assert routes.entries(route_entry_type="Custom") == []
        with refused("IncorrectRouteTableStatus.RouteEntryExist"):
            routes.delete(table_id)
        routes.delete_entry(route_entry_id=entry_id)
        routes.delete(table_id)

    def test_pages_follow_a_token(self, routes):
        request = models.DescribeRouteEntryListRequest(
            region_id=REGION, route_table_id=routes.system_id, max_result=1
        )
        first = routes.client.describe_route_entry_list(request).body
        assert first.total_count == 2
        request.next_token = first.next_token
        second = routes.client.describe_route_entry_list(request).body
        assert not second.next_token
        seen = [*first.route_entrys.route_entry, *second.route_entrys.route_entry]
        assert {entry.destination_cidr_block for entry in seen} == {"10.61.0.0/24", "100.64.0.0/10"}

    def test_older_clients_see_them_with_their_tables(self, routes):
        (table,) = routes.client.describe_route_tables(
            models.DescribeRouteTablesRequest(region_id=REGION, route_table_id=routes.system_id)
        ).body.route_tables.route_table
        assert table.route_table_type == "System"
        assert {entry.next_hop_type for entry in table.route_entrys.route_entry} == {"local"}


def delete_interface(fleet, interface_id: str) -> None:
    fleet.ecs_client.delete_network_interface(
        ecs.DeleteNetworkInterfaceRequest(region_id=REGION, network_interface_id=interface_id)
    )
