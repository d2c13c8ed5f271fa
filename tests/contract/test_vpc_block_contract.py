"""Further ranges of VPCs, default VPCs and VSwitches, and resource groups, by the vendor's SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alibabacloud_vpc20160428 import models
from alibabacloud_vpc20160428.client import Client
from contract_sdk import refused, wait_for

REGION, DEFAULT_REGION = "cn-hangzhou", "ap-southeast-1"


def associate(client: Client, vpc_id: str, block: str | None, **settings: object):
    return client.associate_vpc_cidr_block(
        models.AssociateVpcCidrBlockRequest(
            region_id=REGION, vpc_id=vpc_id, secondary_cidr_block=block, **settings
        )
    ).body


def unassociate(client: Client, vpc_id: str, block: str) -> None:
    client.unassociate_vpc_cidr_block(
        models.UnassociateVpcCidrBlockRequest(region_id=REGION, vpc_id=vpc_id, secondary_cidr_block=block)
    )


def describe(client: Client, vpc_id: str):
    return client.describe_vpc_attribute(
        models.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
    ).body


class TestSecondaryBlocks:
    def test_a_vswitch_may_lie_in_one_and_keeps_it(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc("10.64.0.0/16")
        with refused("InvalidParameter", text="CIDR block"):
            make_vswitch(vpc_id, "192.168.1.0/24")
        assert associate(vpc_client, vpc_id, "192.168.0.0/16").cidr_block == "192.168.0.0/16"
        assert describe(vpc_client, vpc_id).secondary_cidr_blocks.secondary_cidr_block == ["192.168.0.0/16"]
        vswitch_id = make_vswitch(vpc_id, "192.168.1.0/24")
        with refused("OperationFailed.CidrInUse"):
            unassociate(vpc_client, vpc_id, "192.168.0.0/16")
        vpc_client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=vswitch_id))
        unassociate(vpc_client, vpc_id, "192.168.0.0/16")
        assert describe(vpc_client, vpc_id).secondary_cidr_blocks.secondary_cidr_block == []
        with refused("ResourceNotAssociated.CidrBlock", 404):
            unassociate(vpc_client, vpc_id, "192.168.0.0/16")

    @pytest.mark.parametrize(
        ("block", "code"),
        [
            ("nonsense", "InvalidCidrBlock.Malformed"),
            ("127.0.0.0/8", "InvalidCidrBlock.Malformed"),
            ("10.65.128.0/17", "InvalidCidrBlock.Overlapped"),
            ("10.0.0.0/8", "InvalidCidrBlock.Overlapped"),
            (None, "MissingParameter"),
        ],
    )
    def test_one_is_checked(self, vpc_client, make_vpc, block, code):
        with refused(code):
            associate(vpc_client, make_vpc("10.65.0.0/16"), block)

    def test_a_sixth_is_refused(self, vpc_client, make_vpc):
        vpc_id = make_vpc("10.66.0.0/16")
        for number in range(5):
            associate(vpc_client, vpc_id, f"192.168.{number}.0/24")
        with refused("QuotaExceeded.SecondaryCidrBlock"):
            associate(vpc_client, vpc_id, "192.168.5.0/24")

    def test_of_ipv6_are_refused_loudly(self, vpc_client, make_vpc):
        with refused("UnsupportedOperation", text="IPv6"):
            associate(vpc_client, make_vpc("10.67.0.0/16"), None, ip_version="IPV6")

    def test_the_first_block_does_not_grow_over_one(self, vpc_client, make_vpc):
        vpc_id = make_vpc("10.68.0.0/16")
        associate(vpc_client, vpc_id, "10.69.0.0/16")
        with refused("InvalidCidrBlock.Overlapped"):
            vpc_client.modify_vpc_attribute(
                models.ModifyVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id, cidr_block="10.68.0.0/15")
            )


@pytest.fixture
def default_vpc(vpc_client: Client) -> Iterator[str]:
    """The default VPC of a region that no other test has one in."""
    made = vpc_client.create_default_vpc(models.CreateDefaultVpcRequest(region_id=DEFAULT_REGION)).body
    request = models.DescribeVpcAttributeRequest(region_id=DEFAULT_REGION, vpc_id=made.vpc_id)
    wait_for(
        lambda: vpc_client.describe_vpc_attribute(request).body.status, lambda status: status == "Available"
    )
    yield made.vpc_id
    for vswitch in vswitches(vpc_client):
        vpc_client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=vswitch.v_switch_id))
    vpc_client.delete_vpc(models.DeleteVpcRequest(region_id=DEFAULT_REGION, vpc_id=made.vpc_id))


def vswitches(client: Client, **filters: object):
    request = models.DescribeVSwitchesRequest(region_id=DEFAULT_REGION, **filters)
    return client.describe_vswitches(request).body.v_switches.v_switch


def create_default_vswitch(client: Client, zone_id: str) -> str:
    made = client.create_default_vswitch(
        models.CreateDefaultVSwitchRequest(region_id=DEFAULT_REGION, zone_id=zone_id)
    ).body.v_switch_id
    wait_for(lambda: vswitches(client, v_switch_id=made)[0].status, lambda status: status == "Available")
    return made


class TestDefaults:
    def test_a_region_has_one_default_vpc_of_a_range_that_stays(self, vpc_client, default_vpc):
        (vpc,) = vpc_client.describe_vpcs(
            models.DescribeVpcsRequest(region_id=DEFAULT_REGION, is_default=True)
        ).body.vpcs.vpc
        assert (vpc.vpc_id, vpc.cidr_block, vpc.is_default) == (default_vpc, "172.16.0.0/12", True)
        with refused("OperationFailed.DefaultVpcExist"):
            vpc_client.create_default_vpc(models.CreateDefaultVpcRequest(region_id=DEFAULT_REGION))
        with refused("OperationFailed.DefaultVpc"):
            vpc_client.modify_vpc_attribute(
                models.ModifyVpcAttributeRequest(
                    region_id=DEFAULT_REGION, vpc_id=default_vpc, cidr_block="10.0.0.0/8"
                )
            )

    def test_a_zone_has_one_default_vswitch(self, vpc_client, default_vpc):
        zones = vpc_client.describe_zones(
            models.DescribeZonesRequest(region_id=DEFAULT_REGION)
        ).body.zones.zone
        first, second = zones[0].zone_id, zones[1].zone_id
        create_default_vswitch(vpc_client, first)
        create_default_vswitch(vpc_client, second)
        found = vswitches(vpc_client, is_default=True)
        assert {one.zone_id: one.cidr_block for one in found} == {
            first: "172.16.0.0/20",
            second: "172.16.16.0/20",
        }
        with refused("OperationFailed.DefaultVSwitchExist"):
            create_default_vswitch(vpc_client, first)
        with refused("InvalidZoneId.NotFound", 404):
            create_default_vswitch(vpc_client, "nowhere")

    def test_a_default_vswitch_needs_a_default_vpc(self, vpc_client):
        with refused("InvalidDefaultVpc.NotFound", 404):
            vpc_client.create_default_vswitch(
                models.CreateDefaultVSwitchRequest(region_id="us-east-1", zone_id="us-east-1a")
            )


class TestPlaces:
    def test_regions_and_zones_are_those_of_the_cloud(self, vpc_client, ecs_client):
        regions = vpc_client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert {REGION, DEFAULT_REGION} <= {region.region_id for region in regions}
        zones = vpc_client.describe_zones(models.DescribeZonesRequest(region_id=REGION)).body.zones.zone
        assert {"cn-hangzhou-h", "cn-hangzhou-i"} <= {zone.zone_id for zone in zones}

    def test_a_vpc_moves_to_another_resource_group_with_its_vswitches(
        self, vpc_client, make_vpc: Callable[..., str], make_vswitch: Callable[..., str]
    ):
        vpc_id = make_vpc("10.70.0.0/16", resource_group_id="rg-one")
        vswitch_id = make_vswitch(vpc_id, "10.70.0.0/24")
        move(vpc_client, "vpc", vpc_id, "rg-two")
        assert describe(vpc_client, vpc_id).resource_group_id == "rg-two"
        told = vpc_client.describe_vswitch_attributes(
            models.DescribeVSwitchAttributesRequest(v_switch_id=vswitch_id)
        ).body
        assert told.resource_group_id == "rg-two"

    def test_there_is_no_classic_network_to_link_to(self, vpc_client, make_vpc):
        named = {"region_id": REGION, "vpc_id": make_vpc("10.71.0.0/16")}
        vpc_client.disable_vpc_classic_link(models.DisableVpcClassicLinkRequest(**named))
        assert describe(vpc_client, named["vpc_id"]).classic_link_enabled is False
        with refused("UnsupportedOperation", text="classic network"):
            vpc_client.enable_vpc_classic_link(models.EnableVpcClassicLinkRequest(**named))
        named["vpc_id"] = "vpc-nowhere"
        with refused("InvalidVpcId.NotFound", 404):
            vpc_client.disable_vpc_classic_link(models.DisableVpcClassicLinkRequest(**named))

    def test_what_is_not_there_does_not_move(self, vpc_client):
        with refused("InvalidResourceId.NotFound", 404):
            move(vpc_client, "vpc", "vpc-nowhere", "rg-two")
        with refused("InvalidResourceId.NotFound", 404):
            move(vpc_client, "EIP", "eip-nowhere", "rg-two")
        with refused("InvalidParameter", text="ResourceType"):
            move(vpc_client, "flowlog", "fl-1", "rg-two")


def move(client: Client, resource_type: str, resource_id: str, group_id: str) -> None:
    client.move_resource_group(
        models.MoveResourceGroupRequest(
            region_id=REGION,
            resource_type=resource_type,
            resource_id=resource_id,
            new_resource_group_id=group_id,
        )
    )
