"""Route tables and entries of tables are pending for a moment, in which nothing is done to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud
from clocked_cloud import call as ask

from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.services.vpc.models import PENDING_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vpc(tmp_path: Path, clock: Clock) -> Iterator[VpcService]:
    with standing_cloud(tmp_path, clock, VpcService) as cloud:
        yield cloud.services["vpc"]


@pytest.fixture
def vpc_id(vpc: VpcService, clock: Clock) -> str:
    made = ask(vpc, "create_vpc", CidrBlock="10.0.0.0/8")["VpcId"]
    clock.now += PENDING_S
    return made


@pytest.fixture
def gateway(vpc: VpcService, clock: Clock, vpc_id: str) -> dict:
    vswitch = ask(vpc, "create_vswitch", VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId="cn-hangzhou-h")
    clock.now += PENDING_S
    return ask(vpc, "create_nat_gateway", VpcId=vpc_id, VSwitchId=vswitch["VSwitchId"], NatType="Enhanced")


def test_a_route_table(vpc, clock, vpc_id):
    table_id = ask(vpc, "create_route_table", VpcId=vpc_id)["RouteTableId"]
    for method in ("modify_route_table_attributes", "delete_route_table"):
        with pytest.raises(ApiError, match=r"IncorrectStatus\.RouteTableStatus"):
            ask(vpc, method, RouteTableId=table_id)
    clock.now += PENDING_S
    ask(vpc, "delete_route_table", RouteTableId=table_id)


def test_a_route_entry(vpc, clock, gateway):
    (entry,) = vpc.route_entries.list()
    with pytest.raises(ApiError, match="IncorrectRouteEntryStatus"):
        ask(vpc, "delete_route_entry", RouteEntryId=entry.id)
    clock.now += PENDING_S
    ask(vpc, "delete_route_entry", RouteEntryId=entry.id)
    assert vpc.route_entries.list() == []


def test_a_forward_entry(vpc, clock, gateway):
    (table_id,) = gateway["ForwardTableIds"]["ForwardTableId"]
    clock.now += PENDING_S
    eip = ask(vpc, "allocate_eip_address")
    ask(
        vpc,
        "associate_eip_address",
        AllocationId=eip["AllocationId"],
        InstanceId=gateway["NatGatewayId"],
        InstanceType="Nat",
    )
    entry = ask(
        vpc,
        "create_forward_entry",
        ForwardTableId=table_id,
        ExternalIp=eip["EipAddress"],
        ExternalPort="80",
        InternalIp="10.1.0.9",
        InternalPort="80",
        IpProtocol="TCP",
    )
    named = {"ForwardTableId": table_id, "ForwardEntryId": entry["ForwardEntryId"]}
    with pytest.raises(ApiError, match="IncorretForwardEntryStatus"):
        ask(vpc, "delete_forward_entry", **named)
    clock.now += PENDING_S
    ask(vpc, "delete_forward_entry", **named)
    assert vpc.forward_entries.list() == []
