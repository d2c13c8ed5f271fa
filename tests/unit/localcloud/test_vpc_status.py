from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud
from clocked_cloud import call as ask

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.service import ApiError, Service
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.services.vpc.models import PENDING_S


class Tenant(Service):
    """A product whose resources stand in networks."""

    code, version = "tenant", "2000-01-01"
    vpc_tenant: str | None = None
    vswitch_tenant: str | None = None

    def in_vpc(self, vpc_id: str) -> str | None:
        return self.vpc_tenant

    def in_vswitch(self, vswitch_id: str) -> str | None:
        return self.vswitch_tenant

    def num_addresses(self, vswitch_id: str) -> int:
        return 2


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock) -> Iterator[Cloud]:
    with standing_cloud(tmp_path, clock, VpcService, Tenant) as cloud:
        yield cloud


@pytest.fixture
def vpc(cloud) -> VpcService:
    return cloud.services["vpc"]


@pytest.fixture
def tenant(cloud) -> Tenant:
    return cloud.services["tenant"]


def make_vswitch(vpc: VpcService, clock: Clock) -> tuple[str, str]:
    vpc_id = ask(vpc, "create_vpc", CidrBlock="10.0.0.0/8")["VpcId"]
    clock.now += PENDING_S
    vswitch = ask(vpc, "create_vswitch", VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId="cn-hangzhou-h")
    clock.now += PENDING_S
    return vpc_id, vswitch["VSwitchId"]


def test_nothing_is_done_to_a_network_that_is_pending(vpc, clock):
    vpc_id = ask(vpc, "create_vpc", CidrBlock="10.0.0.0/8")["VpcId"]
    assert ask(vpc, "describe_vpc_attribute", VpcId=vpc_id)["Status"] == "Pending"
    for method in ("create_vswitch", "modify_vpc_attribute", "delete_vpc"):
        with pytest.raises(ApiError, match="IncorrectVpcStatus"):
            ask(vpc, method, VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId="cn-hangzhou-h")
    clock.now += PENDING_S
    assert ask(vpc, "describe_vpc_attribute", VpcId=vpc_id)["Status"] == "Available"

    vswitch = ask(vpc, "create_vswitch", VpcId=vpc_id, CidrBlock="10.1.0.0/24", ZoneId="cn-hangzhou-h")
    for method in ("modify_vswitch_attribute", "delete_vswitch"):
        with pytest.raises(ApiError, match="IncorrectVSwitchStatus"):
            ask(vpc, method, VSwitchId=vswitch["VSwitchId"])


def test_a_network_stays_while_another_products_resource_stands_in_it(vpc, tenant, clock):
    vpc_id, vswitch_id = make_vswitch(vpc, clock)
    tenant.vswitch_tenant = "Instance"
    with pytest.raises(ApiError, match=r"DependencyViolation\.Instance"):
        ask(vpc, "delete_vswitch", VSwitchId=vswitch_id)
    tenant.vswitch_tenant = None
    ask(vpc, "delete_vswitch", VSwitchId=vswitch_id)

    tenant.vpc_tenant = "SecurityGroup"
    with pytest.raises(ApiError, match=r"DependencyViolation\.SecurityGroup"):
        ask(vpc, "delete_vpc", VpcId=vpc_id)
    tenant.vpc_tenant = None
    ask(vpc, "delete_vpc", VpcId=vpc_id)
    assert vpc.vpcs.list() == []


def test_addresses_in_use_are_not_available(vpc, clock):
    _, vswitch_id = make_vswitch(vpc, clock)
    answer = ask(vpc, "describe_vswitch_attributes", VSwitchId=vswitch_id)
    assert answer["AvailableIpAddressCount"] == 256 - 4 - 2


def test_a_vpc_keeps_room_for_its_vswitches(vpc, clock):
    vpc_id, _ = make_vswitch(vpc, clock)
    with pytest.raises(ApiError, match="not valid in VPC"):
        ask(vpc, "modify_vpc_attribute", VpcId=vpc_id, CidrBlock="10.2.0.0/16")
    ask(vpc, "modify_vpc_attribute", VpcId=vpc_id, CidrBlock="10.1.0.0/16")
    assert ask(vpc, "describe_vpc_attribute", VpcId=vpc_id)["CidrBlock"] == "10.1.0.0/16"


@pytest.mark.parametrize(
    ("user_cidr", "code"),
    [
        ("1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8", "InvalidUserCidr.Quota"),
        ("100.64.0.0/12", "InvalidUserCidr.Malformed"),
        ("nonsense", "InvalidParameter"),
    ],
)
def test_the_users_own_ranges_are_checked(vpc, user_cidr, code):
    with pytest.raises(ApiError, match=code):
        ask(vpc, "create_vpc", UserCidr=user_cidr)
