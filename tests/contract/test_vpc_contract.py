from __future__ import annotations

import pytest
from alibabacloud_vpc20160428 import models
from contract_sdk import refused, wait_for

REGION = "cn-hangzhou"


def describe(client, vpc_id):
    return client.describe_vpc_attribute(
        models.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
    ).body


def describe_vswitch(client, vswitch_id):
    return client.describe_vswitch_attributes(
        models.DescribeVSwitchAttributesRequest(v_switch_id=vswitch_id)
    ).body


def create_vswitch(client, vpc_id, cidr_block, zone_id="cn-hangzhou-h", **settings):
    return client.create_vswitch(
        models.CreateVSwitchRequest(
            region_id=REGION, vpc_id=vpc_id, cidr_block=cidr_block, zone_id=zone_id, **settings
        )
    ).body.v_switch_id


class TestVpc:
    def test_with_addresses_of_ipv6_or_of_a_pool_is_refused_by_name(self, vpc_client, make_vpc):
        for settings, name in (
            ({"enable_ipv_6": True}, "EnableIpv6"),
            ({"ipv_4ipam_pool_id": "p"}, "Ipv4Ipam"),
        ):
            with refused("UnsupportedOperation", text=name):
                vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, **settings))
        vpc_id = make_vpc(enable_ipv_6=False)
        with refused("UnsupportedOperation", text="EnableIPv6"):
            vpc_client.modify_vpc_attribute(
                models.ModifyVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id, enable_ipv_6=True)
            )
        with refused("UnsupportedOperation", text="Ipv6CidrBlock"):
            create_vswitch(vpc_client, vpc_id, "10.0.0.0/24", ipv_6cidr_block=7)

    def test_is_pending_first_then_available_with_a_router_and_a_route_table(self, vpc_client):
        made = vpc_client.create_vpc(
            models.CreateVpcRequest(
                region_id=REGION,
                cidr_block="10.64.0.0/16",
                vpc_name="naïve & + name",
                description="a b",
                tag=[models.CreateVpcRequestTag(key="env", value="té st")],
            )
        ).body
        assert made.vpc_id.startswith("vpc-")

        vpc = wait_for(lambda: describe(vpc_client, made.vpc_id), lambda vpc: vpc.status == "Available")
        assert (vpc.cidr_block, vpc.vpc_name, vpc.description) == ("10.64.0.0/16", "naïve & + name", "a b")
        assert vpc.vrouter_id == made.vrouter_id
        assert vpc.is_default is False
        assert [(tag.key, tag.value) for tag in vpc.tags.tag] == [("env", "té st")]

        tables = vpc_client.describe_route_table_list(
            models.DescribeRouteTableListRequest(region_id=REGION, vpc_id=made.vpc_id)
        ).body.router_table_list.router_table_list_type
        assert [(table.route_table_id, table.route_table_type) for table in tables] == [
            (made.route_table_id, "System")
        ]
        vpc_client.delete_vpc(models.DeleteVpcRequest(region_id=REGION, vpc_id=made.vpc_id))
        with refused("InvalidVpcId.NotFound", 404):
            describe(vpc_client, made.vpc_id)

    def test_without_a_range_gets_the_default_one(self, vpc_client, make_vpc):
        assert describe(vpc_client, make_vpc(cidr_block=None)).cidr_block == "172.16.0.0/12"

    @pytest.mark.parametrize(
        "cidr_block",
        [
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/7",
            "10.0.0.0/29",
            "300.0.0.0/8",
            "x/8",
            "10.0.0.0/-8",
        ],
    )
    def test_with_a_malformed_range_is_refused(self, vpc_client, cidr_block):
        with refused("InvalidParameter", text="CIDR block"):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, cidr_block=cidr_block))

    @pytest.mark.parametrize("cidr_block", ["127.0.0.0/8", "100.64.0.0/16", "224.0.0.0/8", "169.254.0.0/16"])
    def test_with_a_reserved_range_is_refused(self, vpc_client, cidr_block):
        with refused("InvalidParameter", text="CIDR block"):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, cidr_block=cidr_block))

    def test_in_an_unknown_region_is_refused(self, vpc_client):
        with refused("InvalidRegionId.NotFound", 404):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id="cn-atlantis", cidr_block="10.0.0.0/8"))

    def test_with_a_web_address_for_a_name_is_refused(self, vpc_client):
        with refused("InvalidVpcName.Malformed"):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, vpc_name="http://x"))
        with refused("InvalidVpcDiscription.Malformed"):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, description="d" * 257))

    def test_an_eleventh_in_a_region_is_refused(self, make_vpc):
        region = "eu-west-1"
        for _ in range(10):
            make_vpc(region_id=region)
        with refused("QuotaExceeded.Vpc"):
            make_vpc(region_id=region)

    def test_dry_run_checks_everything_and_makes_nothing(self, vpc_client):
        request = models.CreateVpcRequest(
            region_id=REGION, cidr_block="10.0.0.0/8", vpc_name="never", dry_run=True
        )
        with refused("DryRunOperation"):
            vpc_client.create_vpc(request)
        request.cidr_block = "nonsense"
        with refused("InvalidParameter"):
            vpc_client.create_vpc(request)
        found = vpc_client.describe_vpcs(models.DescribeVpcsRequest(region_id=REGION, vpc_name="never")).body
        assert found.total_count == 0

    def test_is_found_in_its_own_region_alone(self, vpc_client, make_vpc):
        vpc_id = make_vpc()
        far = {"region_id": "cn-beijing", "vpc_id": vpc_id}
        with refused("InvalidVpcId.NotFound", 404):
            vpc_client.describe_vpc_attribute(models.DescribeVpcAttributeRequest(**far))
        with refused("InvalidVpcId.NotFound", 404):
            vpc_client.modify_vpc_attribute(models.ModifyVpcAttributeRequest(**far, vpc_name="far"))
        with refused("InvalidVpcId.NotFound", 404):
            vpc_client.delete_vpc(models.DeleteVpcRequest(**far))
        vpc_client.modify_vpc_attribute(models.ModifyVpcAttributeRequest(vpc_id=vpc_id, vpc_name="near"))
        assert describe(vpc_client, vpc_id).vpc_name == "near"

    def test_a_client_token_is_of_ascii(self, vpc_client):
        with refused("InvalidParameter", text="ClientToken"):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, client_token="tokén"))

    def test_the_same_client_token_makes_one_vpc(self, vpc_client):
        request = models.CreateVpcRequest(
            region_id=REGION, cidr_block="10.0.0.0/8", client_token="token-of-one-vpc"
        )
        first = vpc_client.create_vpc(request).body
        second = vpc_client.create_vpc(request).body
        assert first.vpc_id == second.vpc_id
        assert first.request_id != second.request_id
        request.cidr_block = "192.168.0.0/16"
        with refused("IdempotentParameterMismatch"):
            vpc_client.create_vpc(request)
        wait_for(lambda: describe(vpc_client, first.vpc_id).status, lambda status: status == "Available")
        vpc_client.delete_vpc(models.DeleteVpcRequest(vpc_id=first.vpc_id))

    def test_is_found_by_id_name_and_tag_and_in_pages(self, vpc_client, make_vpc):
        tag = [models.CreateVpcRequestTag(key="fleet", value="north")]
        ids = [make_vpc(vpc_name=f"found-{i}", tag=tag) for i in range(3)]

        def find(**filters):
            body = vpc_client.describe_vpcs(models.DescribeVpcsRequest(region_id=REGION, **filters)).body
            return [vpc.vpc_id for vpc in body.vpcs.vpc], body.total_count

        assert find(vpc_id=",".join(ids[:2])) == (ids[:2], 2)
        assert find(vpc_name="found-1") == ([ids[1]], 1)
        wanted = [models.DescribeVpcsRequestTag(key="fleet", value="north")]
        assert find(tag=wanted, page_size=2) == (ids[:2], 3)
        assert find(tag=wanted, page_size=2, page_number=2) == (ids[2:], 3)
        assert find(tag=[models.DescribeVpcsRequestTag(key="fleet", value="south")]) == ([], 0)
        with refused("InvalidParameter", text="PageSize"):
            find(page_size=51)

    def test_changes_its_name_and_its_description(self, vpc_client, make_vpc):
        vpc_id = make_vpc(vpc_name="before")
        vpc_client.modify_vpc_attribute(
            models.ModifyVpcAttributeRequest(
                region_id=REGION, vpc_id=vpc_id, vpc_name="after", description="changed"
            )
        )
        vpc = describe(vpc_client, vpc_id)
        assert (vpc.vpc_name, vpc.description, vpc.cidr_block) == ("after", "changed", "10.0.0.0/8")

    def test_with_a_vswitch_cannot_be_deleted(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc()
        vswitch_id = make_vswitch(vpc_id, "10.1.0.0/24")
        with refused("DependencyViolation.VSwitch"):
            vpc_client.delete_vpc(models.DeleteVpcRequest(vpc_id=vpc_id))
        assert describe(vpc_client, vpc_id).v_switch_ids.v_switch_id == [vswitch_id]

    def test_that_never_was_cannot_be_deleted(self, vpc_client):
        with refused("InvalidVpcId.NotFound", 404):
            vpc_client.delete_vpc(models.DeleteVpcRequest(region_id=REGION, vpc_id="vpc-none"))


class TestVSwitch:
    def test_stands_in_its_zone_with_its_addresses(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc()
        vswitch_id = make_vswitch(vpc_id, "10.1.0.0/24", zone_id="cn-hangzhou-i", v_switch_name="east")
        vswitch = describe_vswitch(vpc_client, vswitch_id)
        assert (vswitch.vpc_id, vswitch.zone_id, vswitch.v_switch_name) == (vpc_id, "cn-hangzhou-i", "east")
        # The first and the last three addresses are the cloud's own.
        assert vswitch.available_ip_address_count == 252
        assert vswitch.route_table.route_table_type == "System"

    def test_is_found_by_vpc_zone_and_name(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc()
        east = make_vswitch(vpc_id, "10.1.0.0/24", zone_id="cn-hangzhou-i", v_switch_name="east")
        west = make_vswitch(vpc_id, "10.2.0.0/24", zone_id="cn-hangzhou-h", v_switch_name="west")

        def find(**filters):
            request = models.DescribeVSwitchesRequest(region_id=REGION, vpc_id=vpc_id, **filters)
            return [v.v_switch_id for v in vpc_client.describe_vswitches(request).body.v_switches.v_switch]

        assert find() == [east, west]
        assert find(zone_id="cn-hangzhou-h") == [west]
        assert find(v_switch_name="east") == [east]
        assert find(v_switch_id=f"{east},{west}") == [east, west]

    def test_outside_of_its_vpc_is_refused(self, vpc_client, make_vpc):
        vpc_id = make_vpc("192.168.0.0/16")
        with refused("InvalidParameter", text="not valid in VPC"):
            create_vswitch(vpc_client, vpc_id, "10.0.0.0/24")

    @pytest.mark.parametrize("cidr_block", ["10.1.0.0/24", "10.1.0.128/25", "10.1.0.0/16"])
    def test_that_overlaps_another_is_refused(self, vpc_client, make_vpc, make_vswitch, cidr_block):
        vpc_id = make_vpc()
        make_vswitch(vpc_id, "10.1.0.0/24")
        with refused("InvalidCidrBlock.Overlapped"):
            create_vswitch(vpc_client, vpc_id, cidr_block)

    @pytest.mark.parametrize("cidr_block", ["10.1.0.0", "10.1.0.1/24", "10.1.0.0/x", "none"])
    def test_with_a_malformed_range_is_refused(self, vpc_client, make_vpc, cidr_block):
        vpc_id = make_vpc()
        with refused("InvalidCidrBlock.Malformed"):
            create_vswitch(vpc_client, vpc_id, cidr_block)

    @pytest.mark.parametrize("cidr_block", ["10.0.0.0/15", "10.1.0.0/30"])
    def test_with_too_long_or_too_short_a_mask_is_refused(self, vpc_client, make_vpc, cidr_block):
        vpc_id = make_vpc()
        with refused("InvalidCirdrBlock.MaskLength"):
            create_vswitch(vpc_client, vpc_id, cidr_block)

    @pytest.mark.parametrize("zone_id", ["cn-hangzhou-z", "cn-beijing-h"])
    def test_in_a_zone_that_the_region_does_not_have_is_refused(self, vpc_client, make_vpc, zone_id):
        vpc_id = make_vpc()
        with refused("InvalidZoneId.NotFound", 404):
            create_vswitch(vpc_client, vpc_id, "10.1.0.0/24", zone_id=zone_id)

    def test_in_a_vpc_that_never_was_is_refused(self, vpc_client):
        with refused("InvalidVpcId.NotFound", 404):
            create_vswitch(vpc_client, "vpc-none", "10.1.0.0/24")

    def test_changes_its_name_and_its_description(self, vpc_client, make_vpc, make_vswitch):
        vswitch_id = make_vswitch(make_vpc(), "10.1.0.0/24", v_switch_name="before")
        vpc_client.modify_vswitch_attribute(
            models.ModifyVSwitchAttributeRequest(
                v_switch_id=vswitch_id, v_switch_name="after", description="changed"
            )
        )
        vswitch = describe_vswitch(vpc_client, vswitch_id)
        assert (vswitch.v_switch_name, vswitch.description) == ("after", "changed")

    def test_that_was_deleted_is_gone(self, vpc_client, make_vpc, make_vswitch):
        vswitch_id = make_vswitch(make_vpc(), "10.1.0.0/24")
        vpc_client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=vswitch_id))
        with refused("InvalidVSwitchId.NotFound", 404):
            describe_vswitch(vpc_client, vswitch_id)
        with refused("InvalidVSwitchId.NotFound", 404):
            vpc_client.delete_vswitch(models.DeleteVSwitchRequest(v_switch_id=vswitch_id))

    def test_without_its_required_parameters_is_refused(self, vpc_client):
        with refused("MissingParameter", text='"CidrBlock"'):
            vpc_client.create_vswitch(models.CreateVSwitchRequest(vpc_id="vpc-1", zone_id="cn-hangzhou-h"))


class TestTags:
    def list_tags(self, client, resource_type, **filters):
        request = models.ListTagResourcesRequest(region_id=REGION, resource_type=resource_type, **filters)
        body = client.list_tag_resources(request).body
        return {(t.resource_id, t.tag_key): t.tag_value for t in body.tag_resources.tag_resource}

    def test_are_set_listed_replaced_and_removed(self, vpc_client, make_vpc, make_vswitch):
        vpc_id = make_vpc()
        vswitch_id = make_vswitch(vpc_id, "10.1.0.0/24")
        for resource_type, resource_id in (("VPC", vpc_id), ("VSWITCH", vswitch_id)):
            for value in ("1", "2"):
                vpc_client.tag_resources(
                    models.TagResourcesRequest(
                        region_id=REGION,
                        resource_type=resource_type,
                        resource_id=[resource_id],
                        tag=[
                            models.TagResourcesRequestTag(key="a", value=value),
                            models.TagResourcesRequestTag(key="b", value="x"),
                        ],
                    )
                )
            listed = self.list_tags(vpc_client, resource_type, resource_id=[resource_id])
            assert listed == {(resource_id, "a"): "2", (resource_id, "b"): "x"}
            vpc_client.un_tag_resources(
                models.UnTagResourcesRequest(
                    region_id=REGION, resource_type=resource_type, resource_id=[resource_id], tag_key=["a"]
                )
            )
            assert self.list_tags(vpc_client, resource_type, resource_id=[resource_id]) == {
                (resource_id, "b"): "x"
            }
            vpc_client.un_tag_resources(
                models.UnTagResourcesRequest(
                    region_id=REGION, resource_type=resource_type, resource_id=[resource_id], all=True
                )
            )
            assert self.list_tags(vpc_client, resource_type, resource_id=[resource_id]) == {}

    def test_are_listed_in_pages(self, vpc_client, make_vpc):
        tags = [models.CreateVpcRequestTag(key=f"k{i}", value="v") for i in range(5)]
        vpc_id = make_vpc(tag=tags)
        keys, token = [], None
        while token != "":
            body = vpc_client.list_tag_resources(
                models.ListTagResourcesRequest(
                    region_id=REGION,
                    resource_type="VPC",
                    resource_id=[vpc_id],
                    max_results=2,
                    next_token=token,
                )
            ).body
            keys.append([tag.tag_key for tag in body.tag_resources.tag_resource])
            token = body.next_token
        assert keys == [["k0", "k1"], ["k2", "k3"], ["k4"]]

    def test_belong_to_their_region(self, vpc_client, make_vpc):
        tag = [models.CreateVpcRequestTag(key="far", value="1")]
        vpc_id = make_vpc(region_id="cn-beijing", tag=tag)
        listed = {
            region_id: vpc_client.list_tag_resources(
                models.ListTagResourcesRequest(
                    region_id=region_id,
                    resource_type="VPC",
                    tag=[models.ListTagResourcesRequestTag(key="far")],
                )
            ).body.tag_resources.tag_resource
            for region_id in ("cn-beijing", REGION)
        }
        assert [one.resource_id for one in listed["cn-beijing"]] == [vpc_id]
        assert listed[REGION] == []
        with refused("InvalidResourceId.NotFound", 404):
            vpc_client.tag_resources(
                models.TagResourcesRequest(
                    region_id=REGION,
                    resource_type="VPC",
                    resource_id=[vpc_id],
                    tag=[models.TagResourcesRequestTag(key="a", value="1")],
                )
            )

    def test_are_listed_fifty_at_most(self, vpc_client):
        with refused("InvalidParameter", text="MaxResults"):
            vpc_client.list_tag_resources(
                models.ListTagResourcesRequest(region_id=REGION, resource_type="VPC", max_results=51)
            )

    def test_on_what_is_not_there_are_refused(self, vpc_client):
        tag = [models.TagResourcesRequestTag(key="a", value="1")]
        with refused("InvalidResourceId.NotFound", 404):
            vpc_client.tag_resources(
                models.TagResourcesRequest(
                    region_id=REGION, resource_type="VPC", resource_id=["vpc-none"], tag=tag
                )
            )
        with refused("InvalidResourceType.NotFound", 404):
            vpc_client.tag_resources(
                models.TagResourcesRequest(
                    region_id=REGION, resource_type="TEAPOT", resource_id=["vpc-none"], tag=tag
                )
            )

    @pytest.mark.parametrize(
        ("tags", "code"),
        [
            ([("acs:x", "1")], "InvalidTagKey.Malformed"),
            ([("a", "https://x")], "InvalidTagValue.Malformed"),
            ([("a", "1"), ("a", "2")], "Duplicate.TagKey"),
            ([(f"k{i}", "") for i in range(21)], "NumberExceed.Tags"),
        ],
    )
    def test_that_break_the_rules_are_refused(self, vpc_client, tags, code):
        tag = [models.CreateVpcRequestTag(key=key, value=value) for key, value in tags]
        with refused(code):
            vpc_client.create_vpc(models.CreateVpcRequest(region_id=REGION, tag=tag))
