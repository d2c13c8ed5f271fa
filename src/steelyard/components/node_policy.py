"""What nodes may do: the least rights, written out. docs/node-role.md explains each of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.components.tag import CLUSTER

Statement = Mapping[str, Any]

# By kind of load balancer: the actions on the load balancer, those on its server group, and the one that sets weights.
# A CLB's server group has no name of its own in RAM: rights on it are rights on its load balancer (help page "RAM
# authorization" of CLB, 2024-09).
_BALANCER: Mapping[str, tuple[str, Sequence[str], Sequence[str], str]] = {
    "classic": (
        "slb",
        [
            "slb:DescribeLoadBalancerAttribute",
            "slb:DescribeVServerGroupAttribute",
            "slb:DescribeHealthStatus",
        ],
        [],
        "slb:SetVServerGroupAttribute",
    ),
    "network": (
        "nlb",
        ["nlb:GetLoadBalancerAttribute"],
        ["nlb:ListServerGroupServers"],
        "nlb:UpdateServerGroupServersAttribute",
    ),
    "application": (
        "alb",
        ["alb:GetLoadBalancerAttribute"],
        ["alb:ListServerGroupServers"],
        "alb:UpdateServerGroupServersAttribute",
    ),
}
_OBJECT_ACTIONS = (
    "oss:GetObject",
    "oss:PutObject",
    "oss:DeleteObject",
    "oss:AbortMultipartUpload",
    "oss:ListParts",
)
_SCALING_ACTIONS = (
    "ess:DescribeScalingGroups",
    "ess:DescribeScalingInstances",
    "ess:DescribeLifecycleHooks",
    "ess:DescribeLifecycleActions",
    "ess:ModifyScalingGroup",
    "ess:CompleteLifecycleAction",
    "ess:RecordLifecycleActionHeartbeat",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a cluster is.

    Attributes:
        cluster: The cluster's name.
        region: Its region.
        account_id: Whose it is.
    """

    cluster: str
    region: str
    account_id: str

    def name(self, product: str, rest: str) -> str:
        """Name a resource of a region, as RAM does."""
        return f"acs:{product}:{self.region}:{self.account_id}:{rest}"


def balancer_statements(
    place: Place, kind: str, load_balancer_id: str, server_group_id: str, *, sets_weights: bool = False
) -> list[Statement]:
    """Return the rights to see how the load balancer judges a node, and to set weights in its server group or not."""
    product, of_balancer, of_group, setting = _BALANCER[kind]
    if sets_weights and of_group:
        of_group = [*of_group, setting]
    elif sets_weights:
        of_balancer = [*of_balancer, setting]
    statements = [_allow(of_balancer, place.name(product, f"loadbalancer/{load_balancer_id}"))]
    if of_group:
        statements.append(_allow(of_group, place.name(product, f"servergroup/{server_group_id}")))
    return statements


def node_statements(place: Place) -> list[Statement]:
    """Return the right to see the instances that have the cluster's tag, and no others."""
    condition = {"StringEquals": {f"ecs:tag/{CLUSTER}": [place.cluster]}}
    return [_allow(["ecs:DescribeInstances"], place.name("ecs", "instance/*"), condition)]


def checkpoint_statements(place: Place, bucket: str, prefix: str) -> list[Statement]:
    """Return the rights on the objects of a bucket that begin with a prefix; of the bucket, to list them alone."""
    # OSS knows no region in names: it has to be `*` (help page "RAM policy" of OSS).
    name = f"acs:oss:*:{place.account_id}:{bucket}"
    listed = {"StringLike": {"oss:Prefix": [f"{prefix}/*"]}}
    return [_allow(_OBJECT_ACTIONS, f"{name}/{prefix}/*"), _allow(["oss:ListObjects"], name, listed)]


def scaling_statements(place: Place, scaling_group_id: str) -> list[Statement]:
    """Return the rights to see the own scaling group, to set its capacity and to let its hooks go on."""
    return [_allow(_SCALING_ACTIONS, place.name("ess", f"scalinggroup/{scaling_group_id}"))]


def report_statements() -> list[Statement]:
    """Return the right to put metrics of one's own; CloudMonitor has no names of resources for RAM."""
    return [_allow(["cms:PutCustomMetric"], "*")]


def document(statements: Sequence[Statement]) -> str:
    """Return statements as a policy document, the same text each time."""
    return json.dumps({"Version": "1", "Statement": list(statements)}, sort_keys=True)


def _allow(actions: Sequence[str], resource: str, condition: Mapping[str, Any] | None = None) -> Statement:
    statement: dict[str, Any] = {"Action": list(actions), "Effect": "Allow", "Resource": [resource]}
    return statement if condition is None else {**statement, "Condition": condition}
