from __future__ import annotations

import json
from typing import Any

from recording_monitor import ACCOUNT_ID, Recording

# Every wildcard that the policy may hold, with its reason. There is none.
EXPLAINED_WILDCARDS: dict[str, str] = {}


def statements(document: str) -> list[dict[str, Any]]:
    policy = json.loads(document)
    assert policy["Version"] == "1"
    return policy["Statement"]


def test_only_instances_may_take_the_role(demo: Recording) -> None:
    role = demo.the("ram/role:Role").inputs
    assert role["roleName"] == "demo-cn-hangzhou-node"
    assert statements(role["assumeRolePolicyDocument"]) == [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
    ]


def test_a_node_may_read_its_own_load_balancer_and_nothing_else(demo: Recording) -> None:
    assert statements(demo.the("ram/policy:Policy").inputs["policyDocument"]) == [
        {
            "Action": [
                "slb:DescribeLoadBalancerAttribute",
                "slb:DescribeVServerGroupAttribute",
                "slb:DescribeHealthStatus",
            ],
            "Effect": "Allow",
            "Resource": [f"acs:slb:cn-hangzhou:{ACCOUNT_ID}:loadbalancer/demo-balancer-balancer-id"],
        }
    ]


def test_no_action_and_no_resource_is_a_wildcard_that_nobody_explained(demo: Recording) -> None:
    for statement in statements(demo.the("ram/policy:Policy").inputs["policyDocument"]):
        for value in (*statement["Action"], *statement["Resource"]):
            assert "*" not in value or value in EXPLAINED_WILDCARDS


def test_the_role_is_handed_out_once_its_policy_is_attached(demo: Recording) -> None:
    attachment = demo.the(":RolePolicyAttachment")
    assert attachment.inputs == {
        "roleName": "demo-cn-hangzhou-node",
        "policyName": "demo-cn-hangzhou-node",
        "policyType": "Custom",
    }
    for one in demo.of_type(":RamRoleAttachment"):
        assert attachment.urn in one.dependencies
