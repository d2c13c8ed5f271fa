"""What is new is not worked on before it is available, which takes a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_egress import REGION, Egress, create_gateway, standing_egress
from contract_sdk import code_of, refused, wait_for, wait_refusal

ZONE = "cn-hangzhou-h"


@pytest.fixture
def egress(
    vpc_client: Client, make_vpc: Callable[..., str], make_vswitch: Callable[..., str]
) -> Iterator[Egress]:
    vpc_id = make_vpc("10.66.0.0/16")
    with standing_egress(vpc_client, vpc_id, make_vswitch(vpc_id, "10.66.0.0/24")) as made:
        yield made


def test_a_vpc(vpc_client: Client) -> None:
    made: list[str] = []

    def make() -> str:
        if made:  # There can be ten of them.
            delete()
        request = models.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8")
        made.append(vpc_client.create_vpc(request).body.vpc_id)
        return made[-1]

    def delete() -> None:
        vpc_id = made.pop()
        found = models.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
        wait_for(
            lambda: vpc_client.describe_vpc_attribute(found).body.status, lambda status: status == "Available"
        )
        for vswitch_id in vpc_client.describe_vpc_attribute(found).body.v_switch_ids.v_switch_id:
            request = models.DeleteVSwitchRequest(v_switch_id=vswitch_id)
            wait_for(partial(code_of, partial(vpc_client.delete_vswitch, request)), lambda code: code == "")
        vpc_client.delete_vpc(models.DeleteVpcRequest(vpc_id=vpc_id))

    def use(vpc_id: str) -> None:
        vpc_client.create_vswitch(
            models.CreateVSwitchRequest(
                region_id=REGION, vpc_id=vpc_id, cidr_block="10.1.0.0/24", zone_id=ZONE
            )
        )

    wait_refusal("IncorrectVpcStatus", make, use)
    delete()


def test_a_vswitch(vpc_client: Client, make_vpc: Callable[..., str]) -> None:
    vpc_id = make_vpc("10.67.0.0/16")
    numbers = iter(range(256))

    def make() -> str:
        request = models.CreateVSwitchRequest(
            region_id=REGION, vpc_id=vpc_id, cidr_block=f"10.67.{next(numbers)}.0/24", zone_id=ZONE
        )
        return vpc_client.create_vswitch(request).body.v_switch_id

    def use(vswitch_id: str) -> None:
        vpc_client.modify_vswitch_attribute(
            models.ModifyVSwitchAttributeRequest(v_switch_id=vswitch_id, v_switch_name="new")
        )

    wait_refusal("IncorrectVSwitchStatus", make, use)
    request = models.DescribeVSwitchesRequest(region_id=REGION, vpc_id=vpc_id)
    wait_for(
        lambda: [one.status for one in vpc_client.describe_vswitches(request).body.v_switches.v_switch],
        lambda states: set(states) == {"Available"},
    )


def test_a_nat_gateway(egress: Egress) -> None:
    client, made = egress.client, []

    def make() -> str:
        made.append(create_gateway(client, egress.vpc_id, egress.vswitch_id))
        return made[-1]

    def use(gateway_id: str) -> None:
        client.modify_nat_gateway_attribute(
            models.ModifyNatGatewayAttributeRequest(region_id=REGION, nat_gateway_id=gateway_id, name="other")
        )

    wait_refusal("IncorrectStatus.NatGateway", make, use)
    for gateway_id in made:
        wait_for(
            lambda gateway_id=gateway_id: egress.gateways(nat_gateway_id=gateway_id)[0].status,
            lambda status: status == "Available",
        )
        client.delete_nat_gateway(
            models.DeleteNatGatewayRequest(region_id=REGION, nat_gateway_id=gateway_id, force=True)
        )


def test_a_route_table(vpc_client: Client, make_vpc: Callable[..., str]) -> None:
    vpc_id = make_vpc("10.68.0.0/16")
    made: list[str] = []

    def make() -> str:
        if made:  # There can be nine of them.
            delete()
        request = models.CreateRouteTableRequest(region_id=REGION, vpc_id=vpc_id)
        made.append(vpc_client.create_route_table(request).body.route_table_id)
        return made[-1]

    def delete() -> None:
        request = models.DeleteRouteTableRequest(region_id=REGION, route_table_id=made.pop())
        wait_for(lambda: code_of(lambda: vpc_client.delete_route_table(request)), lambda code: code == "")

    def use(table_id: str) -> None:
        vpc_client.modify_route_table_attributes(
            models.ModifyRouteTableAttributesRequest(
                region_id=REGION, route_table_id=table_id, route_table_name="other"
            )
        )

    wait_refusal("IncorrectStatus.RouteTableStatus", make, use)
    delete()


def test_a_route_entry_and_entries_of_a_gateway(egress: Egress) -> None:
    client = egress.client
    request = models.DescribeRouteTableListRequest(
        region_id=REGION, vpc_id=egress.vpc_id, route_table_type="System"
    )
    (table,) = client.describe_route_table_list(request).body.router_table_list.router_table_list_type
    numbers = iter(range(1, 100))

    def lead() -> str:
        request = models.CreateRouteEntryRequest(
            region_id=REGION,
            route_table_id=table.route_table_id,
            destination_cidr_block=f"172.16.{next(numbers)}.0/24",
            next_hop_id=egress.gateway_id,
            next_hop_type="NatGateway",
        )
        return client.create_route_entry(request).body.route_entry_id

    def forget(entry_id: str) -> None:
        client.delete_route_entry(models.DeleteRouteEntryRequest(region_id=REGION, route_entry_id=entry_id))

    wait_refusal("IncorrectRouteEntryStatus", lead, forget)
    eip = egress.allocate()
    egress.bind(eip.allocation_id)
    forwards = egress.gateway.forward_table_ids.forward_table_id[0]

    def forward() -> str:
        request = models.CreateForwardEntryRequest(
            region_id=REGION,
            forward_table_id=forwards,
            external_ip=eip.eip_address,
            external_port=str(8000 + next(numbers)),
            internal_ip="10.66.0.10",
            internal_port="8080",
            ip_protocol="tcp",
        )
        return client.create_forward_entry(request).body.forward_entry_id

    def take_back(entry_id: str) -> None:
        client.delete_forward_entry(
            models.DeleteForwardEntryRequest(
                region_id=REGION, forward_table_id=forwards, forward_entry_id=entry_id
            )
        )

    wait_refusal("IncorretForwardEntryStatus", forward, take_back)
    sources = (f"10.66.0.{number}/32" for number in range(1, 200))
    wait_refusal(
        "IncorretSnatEntryStatus",
        lambda: egress.begin_translating(eip.eip_address, source_cidr=next(sources)),
        egress.delete_entry,
    )


class TestUserCidr:
    """Ranges outside of the private ones that a VPC routes as its own."""

    def make(self, client: Client, user_cidr: str) -> None:
        client.create_vpc(
            models.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8", user_cidr=user_cidr)
        )

    def test_are_three_at_most(self, vpc_client: Client) -> None:
        with refused("InvalidUserCidr.Quota"):
            self.make(vpc_client, "30.1.0.0/16,30.2.0.0/16,30.3.0.0/16,30.4.0.0/16")

    @pytest.mark.parametrize("cidr", ["100.64.0.0/10", "100.70.0.0/16", "100.0.0.0/8"])
    def test_leave_the_clouds_own_range_alone(self, vpc_client: Client, cidr: str) -> None:
        with refused("InvalidUserCidr.Malformed"):
            self.make(vpc_client, f"30.1.0.0/16,{cidr}")

    @pytest.mark.parametrize("cidr", ["30.1.0.1/16", "30.1.0.0/33", "none"])
    def test_are_ranges(self, vpc_client: Client, cidr: str) -> None:
        with refused("InvalidParameter", text="UserCidr"):
            self.make(vpc_client, cidr)
