from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import ram

from steelyard.components.node_policy import (
    Place,
    balancer_statements,
    checkpoint_statements,
    document,
    node_statements,
    report_statements,
)
from steelyard.components.tag import cluster_tags

_TRUST = {
    "Version": "1",
    "Statement": [
        {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}},
    ],
}


@dataclass(frozen=True, kw_only=True)
class NodeRoleArgs:
    """What a `NodeRole` is made from.

    Attributes:
        cluster: The cluster's name.
        region: The cluster's region; roles are global, and two regions may hold clusters of one name.
        account_id: Account that owns the load balancer.
        load_balancer_id: The load balancer that the nodes may look at; None where `grant` names it later.
        server_group_id: Its server group.
        balancer_kind: The load balancer's kind.
        sets_weights: Whether the nodes may set weights in that server group.
        reports: Whether the nodes may report figures to CloudMonitor.
        bucket: Bucket that the nodes keep checkpoints in; None for no such right.
        prefix: What the checkpoints' keys begin with.
    """

    cluster: str
    region: str
    account_id: pulumi.Input[str]
    load_balancer_id: pulumi.Input[str] | None = None
    server_group_id: pulumi.Input[str] | None = None
    balancer_kind: str = "classic"
    sets_weights: bool = False
    reports: bool = False
    bucket: pulumi.Input[str] | None = None
    prefix: str = ""


class NodeRole(pulumi.ComponentResource):
    """The RAM role that the nodes act under, with the least rights; docs/node-role.md explains each.

    Attributes:
        role_name: Name of the role, known once its policy is attached; where that comes later, once it is made.
    """

    role_name: pulumi.Output[str]

    def __init__(self, name: str, args: NodeRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:NodeRole", name, None, opts)
        self._name, self._args = name, args
        self._title = f"{args.cluster}-{args.region}-node"
        self._role = ram.Role(
            f"{name}-role",
            role_name=self._title,
            description=f"Nodes of the Steelyard cluster {args.cluster}",
            assume_role_policy_document=json.dumps(_TRUST, sort_keys=True),
            tags=cluster_tags(args.cluster),
            opts=self._options(),
        )
        self.role_name = self._role.role_name
        if args.load_balancer_id is not None and args.server_group_id is not None:
            self.role_name = self.grant(args.load_balancer_id, args.server_group_id)
        self.register_outputs({"role_name": self.role_name})

    def grant(
        self, load_balancer_id: pulumi.Input[str], server_group_id: pulumi.Input[str]
    ) -> pulumi.Output[str]:
        """Declare the role's policy, once, where the load balancer comes after the nodes.

        Args:
            load_balancer_id: The load balancer that the nodes may look at.
            server_group_id: Its server group.

        Returns:
            The role's name, known once the policy is attached.
        """
        cluster = self._args.cluster
        policy = ram.Policy(
            f"{self._name}-policy",
            policy_name=self._title,
            description=f"What nodes of the Steelyard cluster {cluster} may do",
            policy_document=_policy_document(self._args, load_balancer_id, server_group_id),
            tags=cluster_tags(cluster),
            opts=self._options(),
        )
        attachment = ram.RolePolicyAttachment(
            f"{self._name}-attachment",
            role_name=self._role.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=self._options(),
        )
        return attachment.role_name

    def _options(self) -> pulumi.ResourceOptions:
        # All names are given, and are unique in the account: the old one has to go first.
        return pulumi.ResourceOptions(parent=self, delete_before_replace=True)


def _policy_document(
    args: NodeRoleArgs, load_balancer_id: pulumi.Input[str], server_group_id: pulumi.Input[str]
) -> pulumi.Output[str]:
    known = pulumi.Output.all(args.account_id, load_balancer_id, server_group_id, args.bucket)

    def write(parts: list[str]) -> str:
        account_id, load_balancer_id, server_group_id, bucket = parts
        place = Place(cluster=args.cluster, region=args.region, account_id=account_id)
        statements = balancer_statements(
            place,
            args.balancer_kind,
            load_balancer_id,
            server_group_id,
            sets_weights=args.sets_weights,
        )
        statements += node_statements(place)
        if args.reports:
            statements += report_statements()
        if bucket is not None:
            statements += checkpoint_statements(place, bucket, args.prefix)
        return document(statements)

    return known.apply(write)
