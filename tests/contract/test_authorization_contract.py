"""What a temporary key may do, by the policies of its role, through the vendor's SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import alibabacloud_oss_v2 as oss
import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_nas20170626.client import Client as NasClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.utils_models import Config, GlobalParameters
from contract_files import Files
from contract_fleet import REGION, Fleet
from contract_sdk import refused, sdk_config
from contract_storage import Shelf, storage_client, storage_refused

from steelyard.components.node_policy import Place, checkpoint_statements, report_statements


@pytest.fixture
def act_as(local_cloud, ram_client: RamClient, sts_client: StsClient) -> Iterator[Callable[..., Config]]:
    """Give the configuration of a client that acts in a role with some statements."""
    name = "actor"
    document = json.dumps(
        {
            "Version": "1",
            "Statement": [
                {
                    "Action": "sts:AssumeRole",
                    "Effect": "Allow",
                    "Principal": {"RAM": [f"acs:ram::{local_cloud.account_id}:root"]},
                }
            ],
        }
    )
    role = ram_client.create_role(
        ram.CreateRoleRequest(role_name=name, assume_role_policy_document=document)
    ).body.role
    policies: list[tuple[str, str]] = []

    def attach(kind: str, policy: str) -> None:
        ram_client.attach_policy_to_role(
            ram.AttachPolicyToRoleRequest(role_name=name, policy_name=policy, policy_type=kind)
        )
        policies.append((kind, policy))

    def act(*statements: dict[str, object], system: str = "") -> Config:
        if statements:
            text = json.dumps({"Version": "1", "Statement": list(statements)})
            policy = f"actor-{len(policies)}"
            ram_client.create_policy(ram.CreatePolicyRequest(policy_name=policy, policy_document=text))
            attach("Custom", policy)
        if system:
            attach("System", system)
        key = sts_client.assume_role(
            sts.AssumeRoleRequest(role_arn=role.arn, role_session_name="session")
        ).body.credentials
        return sdk_config(
            local_cloud,
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
        )

    yield act
    for kind, policy in policies:
        ram_client.detach_policy_from_role(
            ram.DetachPolicyFromRoleRequest(role_name=name, policy_name=policy, policy_type=kind)
        )
        if kind == "Custom":
            ram_client.delete_policy(ram.DeletePolicyRequest(policy_name=policy))
    ram_client.delete_role(ram.DeleteRoleRequest(role_name=name))


def allow(*actions: str, resource: str = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [resource], **more}


def describe(client: EcsClient, **filters: object) -> list[str]:
    request = ecs.DescribeInstancesRequest(region_id=REGION, **filters)
    return [one.instance_id for one in client.describe_instances(request).body.instances.instance]


def test_a_role_without_a_policy_may_do_nothing_but_ask_who_it_is(act_as, local_cloud):
    config = act_as()
    assert "assumed-role/actor" in StsClient(config).get_caller_identity().body.arn
    with refused("Forbidden.RAM", 403, "ecs:DescribeInstances"):
        describe(EcsClient(config))
    with refused("NoPermission", 403, "ram:ListRoles"):
        RamClient(config).list_roles(ram.ListRolesRequest())


def test_a_node_may_put_metrics_and_read_none(act_as):
    client = CmsClient(act_as(*report_statements()))
    sample = cms.PutCustomMetricRequestMetricList(
        group_id="0", metric_name="m", dimensions='{"a":"b"}', type="0", values='{"value":1}'
    )
    put = client.put_custom_metric(cms.PutCustomMetricRequest(metric_list=[sample]))
    assert put.body.code == "200"
    with refused("Forbidden.RAM", 403, "cms:DescribeMetricList"):
        client.describe_metric_list(cms.DescribeMetricListRequest(namespace="n", metric_name="m"))


def test_the_system_policies_mean_what_they_say(act_as):
    client = EcsClient(act_as(system="AliyunECSReadOnlyAccess"))
    assert isinstance(describe(client), list)
    with refused("Forbidden.RAM", 403):
        client.delete_instance(ecs.DeleteInstanceRequest(instance_id="i-1"))


def test_a_policy_can_be_bound_to_one_instance(act_as, fleet: Fleet):
    mine, other = fleet.run(amount=2)
    client = EcsClient(act_as(allow("ecs:*", resource=f"acs:ecs:*:*:instance/{mine}")))
    client.stop_instance(ecs.StopInstanceRequest(instance_id=mine))
    with refused("Forbidden.RAM", 403, other):
        client.stop_instance(ecs.StopInstanceRequest(instance_id=other))
    assert describe(client, instance_ids=json.dumps([mine])) == [mine]
    with refused("Forbidden.RAM", 403):
        describe(client, instance_ids=json.dumps([mine, other]))


def test_a_policy_can_be_bound_to_one_file_system(act_as, files: Files):
    mine, other = files.make(), files.make()
    bound = Files(NasClient(act_as(allow("nas:*", resource=f"acs:nas:*:*:filesystem/{mine}"))))
    assert bound.describe(mine).status == "Running"
    with refused("Forbidden.RAM", 403, other):
        bound.delete(other)
    with refused("Forbidden.RAM", 403):
        bound.groups()


def test_a_policy_can_be_bound_to_a_tag(act_as, fleet: Fleet):
    tag = ecs.RunInstancesRequestTag(key="steelyard:cluster", value="demo")
    (instance_id,) = fleet.run(tag=[tag])
    condition = {"StringEquals": {"ecs:tag/steelyard:cluster": "demo"}}
    client = EcsClient(act_as(allow("ecs:DescribeInstances", Condition=condition)))
    wanted = ecs.DescribeInstancesRequestTag(key="steelyard:cluster", value="demo")
    assert describe(client, tag=[wanted]) == [instance_id]
    for filters in ({}, {"tag": [ecs.DescribeInstancesRequestTag(key="steelyard:cluster", value="other")]}):
        with refused("Forbidden.RAM", 403):
            describe(client, **filters)


def test_a_policy_can_be_bound_to_the_tags_of_what_is_touched_and_to_those_that_are_set(act_as, fleet: Fleet):
    tag = ecs.RunInstancesRequestTag(key="team", value="vision")
    (mine,), (other,) = fleet.run(tag=[tag]), fleet.run()
    touched = {"StringEquals": {"acs:ResourceTag/team": "vision"}}
    given = {"StringLike": {"acs:RequestTag/step": "1*"}}
    client = EcsClient(
        act_as(allow("ecs:StopInstance", Condition=touched), allow("ecs:TagResources", Condition=given))
    )
    client.stop_instance(ecs.StopInstanceRequest(instance_id=mine))
    with refused("Forbidden.RAM", 403, other):
        client.stop_instance(ecs.StopInstanceRequest(instance_id=other))

    def mark(value: str) -> None:
        tags = [ecs.TagResourcesRequestTag(key="step", value=value)]
        client.tag_resources(
            ecs.TagResourcesRequest(region_id=REGION, resource_type="instance", resource_id=[mine], tag=tags)
        )

    mark("17")
    with refused("Forbidden.RAM", 403):
        mark("27")


def test_a_denial_weighs_more_and_takes_effect_at_once(act_as, fleet: Fleet):
    config = act_as(allow("ecs:*"))
    assert isinstance(describe(EcsClient(config)), list)
    act_as({"Effect": "Deny", "Action": "ecs:Describe*", "Resource": "*"})
    with refused("Forbidden.RAM", 403, "denied by a statement"):
        describe(EcsClient(config))


def test_a_server_group_belongs_to_its_load_balancer(act_as, fleet: Fleet):
    mine, other = (fleet.balance().load_balancer_id for _ in range(2))
    groups = [
        fleet.slb_client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer)
        ).body.vserver_group_id
        for balancer in (mine, other)
    ]
    statement = allow("slb:*VServerGroup*", resource=f"acs:slb:*:*:loadbalancer/{mine}")
    client = SlbClient(act_as(statement))

    def look(group_id: str) -> str:
        request = slb.DescribeVServerGroupAttributeRequest(region_id=REGION, vserver_group_id=group_id)
        return client.describe_vserver_group_attribute(request).body.vserver_group_id

    assert look(groups[0]) == groups[0]
    with refused("Forbidden.RAM", 403, other):
        look(groups[1])


def test_where_a_call_comes_from_counts(act_as):
    def config(block: str) -> Config:
        return act_as(allow("ecs:Describe*", Condition={"IpAddress": {"acs:SourceIp": [block]}}))

    client = EcsClient(config("203.0.113.0/24"))
    with refused("Forbidden.RAM", 403):
        describe(client)
    config("127.0.0.0/8")
    assert isinstance(describe(client), list)


def test_a_header_does_not_change_where_a_call_comes_from(act_as):
    config = act_as(allow("ecs:Describe*", Condition={"IpAddress": {"acs:SourceIp": ["203.0.113.0/24"]}}))
    config.global_parameters = GlobalParameters(headers={"X-Forwarded-For": "203.0.113.7"})
    with refused("Forbidden.RAM", 403):
        describe(EcsClient(config))


def test_the_accounts_own_key_may_do_anything(ecs_client, act_as):
    act_as({"Effect": "Deny", "Action": "*", "Resource": "*"})
    assert isinstance(describe(ecs_client), list)


def test_a_node_keeps_checkpoints_below_its_prefix_and_sees_nothing_else(act_as, local_cloud):
    client = storage_client(local_cloud)
    shelf, other = Shelf(client, "authorized-shelf"), Shelf(client, "authorized-other")
    for one in (shelf, other):
        client.put_bucket(oss.PutBucketRequest(bucket=one.bucket))
    place = Place(cluster="demo", region=REGION, account_id=local_cloud.account_id)
    config = act_as(*checkpoint_statements(place, shelf.bucket, "runs"))
    node_client = storage_client(
        local_cloud,
        key_id=config.access_key_id,
        secret=config.access_key_secret,
        token=config.security_token,
    )
    own, foreign = Shelf(node_client, shelf.bucket), Shelf(node_client, other.bucket)

    def listed(prefix: str, bucket: str = shelf.bucket) -> list[str]:
        found = node_client.list_objects_v2(oss.ListObjectsV2Request(bucket=bucket, prefix=prefix))
        return [entry.key for entry in found.contents or ()]

    try:
        own.put("runs/1/weights", b"1")
        shelf.put("secret", b"1")
        assert own.get("runs/1/weights") == b"1"
        assert listed("runs/") == ["runs/1/weights"]
        for forbidden in (
            lambda: listed(""),
            lambda: listed("secret"),
            lambda: listed("runs/", other.bucket),
            lambda: own.get("secret"),
            lambda: own.put("elsewhere", b"1"),
            lambda: foreign.put("runs/1/weights", b"1"),
            lambda: node_client.put_bucket_acl(oss.PutBucketAclRequest(bucket=shelf.bucket, acl="private")),
            lambda: node_client.delete_bucket(oss.DeleteBucketRequest(bucket=other.bucket)),
        ):
            with storage_refused("AccessDenied", 403):
                forbidden()
        node_client.delete_object(oss.DeleteObjectRequest(bucket=shelf.bucket, key="runs/1/weights"))
        assert shelf.keys() == ["secret"]
    finally:
        shelf.clear()
        other.clear()
