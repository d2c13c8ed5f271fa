from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recording_monitor import ACCOUNT_ID, Recording, record

from steelyard.components.node_policy import Place, balancer_statements, report_statements, scaling_statements
from steelyard.components.program import declare
from steelyard.localcloud.services.ram.decision import Call, Decision, decide
from steelyard.spec import ClusterSpec

# Every wildcard that a policy may hold, with its reason; docs/node-role.md says the same in full.
EXPLAINED_WILDCARDS = {
    f"acs:ecs:cn-hangzhou:{ACCOUNT_ID}:instance/*": "a listing, which the condition on the tag binds",
    "*": "CloudMonitor has no names of resources for RAM, and the one action puts metrics alone",
    f"acs:oss:*:{ACCOUNT_ID}:demo-bucket": "OSS has no regions in names",
    f"acs:oss:*:{ACCOUNT_ID}:demo-bucket/checkpoints/*": "the objects under the prefix",
}
PLACE = Place(cluster="demo", region="cn-hangzhou", account_id=ACCOUNT_ID)
DOCUMENT = Path(__file__).parents[2] / "docs" / "node-role.md"


def statements(document: str) -> list[dict[str, Any]]:
    policy = json.loads(document)
    assert policy["Version"] == "1"
    return policy["Statement"]


def policy_of(recording: Recording) -> str:
    return recording.the("ram/policy:Policy").inputs["policyDocument"]


@pytest.fixture
def with_checkpoints() -> Recording:
    spec = ClusterSpec(name="demo", target="alicloud", checkpoints={"kind": "oss", "bucket": "demo-bucket"})
    return record(lambda: declare(spec, "t0ken"))


def allows(document: str, action: str, resource: str, **context: str) -> bool:
    values = {key.replace("__", ":"): {value} for key, value in context.items()}
    call = Call(action=action, resources=[resource], context=values)
    return decide([document], call) is Decision.ALLOWED


def test_only_instances_may_take_the_role(demo: Recording) -> None:
    role = demo.the("ram/role:Role").inputs
    assert role["roleName"] == "demo-cn-hangzhou-node"
    assert statements(role["assumeRolePolicyDocument"]) == [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
    ]


def test_a_node_may_read_its_own_load_balancer_and_find_its_like(demo: Recording) -> None:
    assert statements(policy_of(demo)) == [
        {
            "Action": [
                "slb:DescribeLoadBalancerAttribute",
                "slb:DescribeVServerGroupAttribute",
                "slb:DescribeHealthStatus",
            ],
            "Effect": "Allow",
            "Resource": [f"acs:slb:cn-hangzhou:{ACCOUNT_ID}:loadbalancer/demo-balancer-balancer-id"],
        },
        {
            "Action": ["ecs:DescribeInstances"],
            "Effect": "Allow",
            "Resource": [f"acs:ecs:cn-hangzhou:{ACCOUNT_ID}:instance/*"],
            "Condition": {"StringEquals": {"ecs:tag/steelyard:cluster": ["demo"]}},
        },
    ]


@pytest.mark.parametrize(("kind", "product"), [("network", "nlb"), ("application", "alb")])
def test_of_the_other_kinds_it_may_set_weights_in_its_own_server_group_alone(kind: str, product: str) -> None:
    rights = balancer_statements(PLACE, kind, "lb-mine", "sgp-mine", sets_weights=True)
    document = json.dumps({"Version": "1", "Statement": rights})
    action, prefix = f"{product}:UpdateServerGroupServersAttribute", f"acs:{product}:cn-hangzhou:{ACCOUNT_ID}"
    assert allows(document, action, f"{prefix}:servergroup/sgp-mine")
    assert not allows(document, action, f"{prefix}:servergroup/sgp-other")
    assert not allows(document, f"{product}:DeleteServerGroup", f"{prefix}:servergroup/sgp-mine")
    assert allows(document, f"{product}:GetLoadBalancerAttribute", f"{prefix}:loadbalancer/lb-mine")
    rights = balancer_statements(PLACE, kind, "lb-mine", "sgp-mine")
    document = json.dumps({"Version": "1", "Statement": rights})
    assert not allows(document, action, f"{prefix}:servergroup/sgp-mine")


def test_a_node_may_use_one_prefix_of_one_bucket(with_checkpoints: Recording) -> None:
    document, bucket = policy_of(with_checkpoints), f"acs:oss:cn-hangzhou:{ACCOUNT_ID}:demo-bucket"
    for action in ("oss:GetObject", "oss:PutObject", "oss:DeleteObject"):
        assert allows(document, action, f"{bucket}/checkpoints/run/step-1")
        assert not allows(document, action, f"{bucket}/elsewhere/run/step-1")
        assert not allows(document, action, f"{bucket}-other/checkpoints/run/step-1")
    assert allows(document, "oss:ListObjects", bucket, oss__prefix="checkpoints/run/")
    assert not allows(document, "oss:ListObjects", bucket, oss__prefix="")
    assert not allows(document, "oss:DeleteBucket", bucket)


def test_without_a_bucket_there_is_no_right_on_any(demo: Recording) -> None:
    assert "oss:" not in policy_of(demo)


def test_a_node_that_reports_may_put_metrics_and_read_none(demo: Recording) -> None:
    spec = ClusterSpec(name="demo", monitoring={"report_every_s": 30})
    document = policy_of(record(lambda: declare(spec, "t0ken")))
    everything = f"acs:cms:cn-hangzhou:{ACCOUNT_ID}:*"
    assert allows(document, "cms:PutCustomMetric", everything)
    for action in ("cms:DescribeMetricList", "cms:PutResourceMetricRule", "cms:DeleteMetricRules"):
        assert not allows(document, action, everything)
    assert "cms:" not in policy_of(demo)


def test_a_scaled_node_may_see_its_own_group_set_its_capacity_and_end_its_hooks() -> None:
    document = json.dumps({"Version": "1", "Statement": scaling_statements(PLACE, "asg-mine")})
    group = f"acs:ess:cn-hangzhou:{ACCOUNT_ID}:scalinggroup/asg"
    for action in ("ess:ModifyScalingGroup", "ess:CompleteLifecycleAction", "ess:DescribeScalingInstances"):
        assert allows(document, action, f"{group}-mine")
        assert not allows(document, action, f"{group}-other")
    assert not allows(document, "ess:DeleteScalingGroup", f"{group}-mine")


def test_no_action_and_no_resource_is_a_wildcard_that_nobody_explained(
    demo: Recording, with_checkpoints: Recording
) -> None:
    found = [*statements(policy_of(demo)), *statements(policy_of(with_checkpoints))]
    found += [*scaling_statements(PLACE, "asg-1"), *report_statements()]
    for kind in ("classic", "network", "application"):
        found += balancer_statements(PLACE, kind, "lb-1", "sgp-1", sets_weights=True)
    for statement in found:
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        for resource in statement["Resource"]:
            assert "*" not in resource or resource in EXPLAINED_WILDCARDS, resource
            assert resource != "*" or statement["Action"] == ["cms:PutCustomMetric"]


def test_a_listing_is_bound_by_a_condition(with_checkpoints: Recording) -> None:
    for statement in statements(policy_of(with_checkpoints)):
        if {"ecs:DescribeInstances", "oss:ListObjects"} & set(statement["Action"]):
            assert statement["Condition"]


def test_the_document_names_every_right(with_checkpoints: Recording) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rights = [*statements(policy_of(with_checkpoints)), *scaling_statements(PLACE, "asg-1")]
    rights += report_statements()
    for kind in ("classic", "network", "application"):
        rights += balancer_statements(PLACE, kind, "lb-1", "sgp-1", sets_weights=True)
    for statement in rights:
        for action in statement["Action"]:
            assert action.split(":")[1] in text, action


def test_the_role_is_handed_out_once_its_policy_is_attached(demo: Recording) -> None:
    attachment = demo.the(":RolePolicyAttachment")
    assert attachment.inputs == {
        "roleName": "demo-cn-hangzhou-node",
        "policyName": "demo-cn-hangzhou-node",
        "policyType": "Custom",
    }
    for one in demo.of_type(":RamRoleAttachment"):
        assert attachment.urn in one.dependencies
