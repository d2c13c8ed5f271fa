"""The tag service through the vendor's SDK, beside the products that keep the tags."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_tag20180828 import models as tag
from alibabacloud_tag20180828.client import Client as TagClient
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_fleet import REGION
from contract_sdk import refused, sdk_config

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def client(local_cloud: CloudInfo) -> TagClient:
    return TagClient(sdk_config(local_cloud))


@pytest.fixture
def name_of(local_cloud: CloudInfo) -> Callable[[str], str]:
    def name(rest: str, product: str = "vpc", region: str = REGION) -> str:
        return f"acs:{product}:{region}:{local_cloud.account_id}:{rest}"

    return name


def set_tags(client: TagClient, names: list[str], tags: object, region: str = REGION) -> list[str]:
    """Set tags and give the codes of what failed."""
    text = tags if isinstance(tags, str) else json.dumps(tags)
    request = tag.TagResourcesRequest(region_id=region, resource_arn=names, tags=text)
    failed = client.tag_resources(request).body.failed_resources.failed_resource
    return [f"{one.resource_arn} {one.result.code}" for one in failed or []]


def listed(client: TagClient, **filters: object) -> dict[str, dict[str, str]]:
    body = client.list_tag_resources(tag.ListTagResourcesRequest(region_id=REGION, **filters)).body
    return {one.resource_arn: {each.key: each.value for each in one.tags} for one in body.tag_resources}


def test_tags_are_those_of_the_products(
    client: TagClient, vpc_client: VpcClient, ram_client: RamClient, make_vpc, name_of
):
    vpc_id = make_vpc()
    role = name_of("role/tagged-role", "ram", "*")
    ram_client.create_role(
        ram.CreateRoleRequest(
            role_name="tagged-role",
            assume_role_policy_document=json.dumps(
                {
                    "Version": "1",
                    "Statement": [
                        {
                            "Action": "sts:AssumeRole",
                            "Effect": "Allow",
                            "Principal": {"Service": ["ecs.aliyuncs.com"]},
                        }
                    ],
                }
            ),
        )
    )
    own = name_of(f"vpc/{vpc_id}")
    try:
        assert set_tags(client, [own, role], {"team": "a", "stage": "test"}) == []
        assert listed(client, resource_arn=[own, role]) == {
            own: {"team": "a", "stage": "test"},
            role: {"team": "a", "stage": "test"},
        }
        of_product = vpc_client.list_tag_resources(
            vpc.ListTagResourcesRequest(region_id=REGION, resource_type="VPC", resource_id=[vpc_id])
        ).body.tag_resources.tag_resource
        assert {one.tag_key for one in of_product} == {"team", "stage"}
        request = tag.UntagResourcesRequest(region_id=REGION, resource_arn=[own], tag_key=["stage", "none"])
        assert client.untag_resources(request).body.failed_resources.failed_resource in (None, [])
        assert listed(client, resource_arn=[own]) == {own: {"team": "a"}}
        assert listed(client, tags='{"stage":"test"}', resource_arn=[own, role]) == {
            role: {"team": "a", "stage": "test"}
        }
        assert listed(client, category="System") == {}
    finally:
        ram_client.delete_role(ram.DeleteRoleRequest(role_name="tagged-role"))


def test_a_key_pair_is_tagged_in_its_own_region(client: TagClient, ecs_client: EcsClient, name_of):
    for region in (REGION, "cn-beijing"):
        ecs_client.create_key_pair(ecs.CreateKeyPairRequest(region_id=region, key_pair_name="tagged-pair"))
    try:
        own = name_of("keypair/tagged-pair", "ecs")
        assert set_tags(client, [own], {"team": "a"}) == []
        found = {
            region: ecs_client.describe_key_pairs(
                ecs.DescribeKeyPairsRequest(region_id=region, key_pair_name="tagged-pair")
            ).body.key_pairs.key_pair[0]
            for region in (REGION, "cn-beijing")
        }
        assert [one.tag_value for one in found[REGION].tags.tag] == ["a"]
        assert not found["cn-beijing"].tags.tag
    finally:
        for region in (REGION, "cn-beijing"):
            ecs_client.delete_key_pairs(
                ecs.DeleteKeyPairsRequest(region_id=region, key_pair_names='["tagged-pair"]')
            )


def test_what_fails_is_told_and_the_rest_is_done(client: TagClient, make_vpc, name_of):
    vpc_id = make_vpc()
    own, gone = name_of(f"vpc/{vpc_id}"), name_of("vpc/vpc-gone")
    elsewhere, strange = name_of(f"vpc/{vpc_id}", region="cn-beijing"), name_of("thing/1", "odd")
    foreign = f"acs:vpc:{REGION}:1:vpc/{vpc_id}"
    assert set_tags(client, [gone, own, elsewhere, strange, foreign, "x"], {"team": "a"}) == [
        f"{gone} InvalidResourceId.NotFound",
        f"{elsewhere} NoPermission",
        f"{strange} InvalidResourceType.NotSupport",
        f"{foreign} NoPermission",
        "x InvalidResourceARN.Malformed",
    ]
    assert listed(client, resource_arn=[own]) == {own: {"team": "a"}}
    request = tag.UntagResourcesRequest(region_id=REGION, resource_arn=[gone, own], tag_key=["team"])
    failed = client.untag_resources(request).body.failed_resources.failed_resource
    assert [one.resource_arn for one in failed] == [gone]
    assert listed(client, resource_arn=[own]) == {}
    assert set_tags(client, [own], {f"key-{i}": "" for i in range(20)}) == []
    assert set_tags(client, [own], {"key-20": ""}) == [f"{own} NumberExceed.Tags"]


def test_keys_and_values_are_listed_by_kind_and_beginning(client: TagClient, make_vpc, name_of):
    names = [name_of(f"vpc/{make_vpc()}") for _ in range(2)]
    set_tags(client, names[:1], {"unit-a": "1", "unit-b": "x"})
    set_tags(client, names[1:], {"unit-a": "2"})

    def keys(**filters: object) -> list[str]:
        request = tag.ListTagKeysRequest(
            region_id=REGION,
            fuzzy_type="PREFIX",
            tag_filter=tag.ListTagKeysRequestTagFilter(key="unit-"),
            **filters,
        )
        return [one.key for one in client.list_tag_keys(request).body.keys.key or []]

    assert keys() == keys(resource_type="ALIYUN::VPC::VPC") == ["unit-a", "unit-b"]
    assert keys(resource_type="ALIYUN::ECS::INSTANCE") == []
    with refused("InvalidResourceType.NotSupport", 400):
        keys(resource_type="ALIYUN::ODD::THING")
    first = client.list_tag_values(tag.ListTagValuesRequest(region_id=REGION, key="unit-a", page_size=1)).body
    rest = client.list_tag_values(
        tag.ListTagValuesRequest(region_id=REGION, key="unit-a", page_size=1, next_token=first.next_token)
    ).body
    assert (first.values.value, rest.values.value, rest.next_token) == (["1"], ["2"], "")


@pytest.mark.parametrize(
    ("names", "tags", "code"),
    [
        (["x"], "no json", "InvalidParameter.Tags"),
        (["x"], '{"a":1}', "InvalidParameter.Tags"),
        (["x"], {"acs:a": ""}, "InvalidTagKey.Malformed"),
        (["x"], {}, "MissingParameter"),
        ([f"x{i}" for i in range(51)], {"a": ""}, "NumberExceed.ResourceARN"),
    ],
)
def test_a_malformed_call_is_refused(client: TagClient, names, tags, code):
    with refused(code, 400):
        set_tags(client, names, tags)
