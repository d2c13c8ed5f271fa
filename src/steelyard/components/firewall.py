from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import ecs

from steelyard.components.tag import cluster_tags
from steelyard.errors import UsageError
from steelyard.spec.rule import LOAD_BALANCER_NETWORK

_SSH_PORT = 22
_LAST_PRIORITY = 100
CLOUD_SERVICES = LOAD_BALANCER_NETWORK
"""Where the cloud's own services answer the nodes of a VPC; its classic load balancers call from there, too."""


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """What a `Firewall` is made from.

    Attributes:
        cluster: The cluster's name.
        vpc_id: VPC of the nodes.
        gateway_port: Port of the gateway on each node.
        balancer_cidrs: Ranges that the load balancer calls the gateways from; a classic one's where none is given.
        further_ports: Other ports of the nodes that it calls.
        admin_cidrs: Ranges that may reach SSH and the gateways; none is the safe choice.
        egress_cidrs: The only ranges that the nodes may call besides `member_cidrs` and the cloud's own services; any
            where there is none.
        member_cidrs: Ranges that the nodes' own addresses lie in, those of their VSwitches; needed with `egress_cidrs`.
    """

    cluster: str
    vpc_id: pulumi.Input[str]
    gateway_port: int
    balancer_cidrs: Sequence[str] = ()
    further_ports: Sequence[int] = ()
    admin_cidrs: Sequence[str] = ()
    egress_cidrs: Sequence[str] = ()
    member_cidrs: Sequence[str] = ()


class Firewall(pulumi.ComponentResource):
    """A security group that lets in its own members, the load balancer, and administrators where any are named.

    Members are let in by the group's inner access policy: the API refuses a rule that names its own group
    (`InvalidParamter.Conflict`).

    Args:
        name: Name of the component.
        args: What it is made from.
        opts: Options of the component.

    Raises:
        UsageError: `egress_cidrs` without `member_cidrs`: the nodes could not call each other.

    Attributes:
        security_group_id: Id of the security group.
        rules: Its rules; what needs the way open depends on them.
    """

    security_group_id: pulumi.Output[str]
    rules: list[pulumi.Resource]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:Firewall", name, None, opts)
        if args.egress_cidrs and not args.member_cidrs:
            raise UsageError(
                "with these egress_cidrs the nodes could not call each other",
                "give the ranges of their VSwitches as member_cidrs",
            )
        self._name = name
        group = ecs.SecurityGroup(
            f"{name}-group",
            security_group_name=f"{args.cluster}-nodes",
            description=f"Nodes of the Steelyard cluster {args.cluster}",
            vpc_id=args.vpc_id,
            inner_access_policy="Accept",
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.security_group_id = group.id
        self.rules = []
        gateway = f"{args.gateway_port}/{args.gateway_port}"
        if not args.balancer_cidrs:
            self._let_in("gateway", "The load balancer to the gateways", gateway, str(LOAD_BALANCER_NETWORK))
        for cidr in args.balancer_cidrs:
            suffix = cidr.replace("/", "-")
            self._let_in(f"gateway-{suffix}", "The load balancer to the gateways", gateway, cidr)
            for port in args.further_ports:
                way = f"{port}/{port}"
                self._let_in(f"port-{port}-{suffix}", f"The load balancer to port {port}", way, cidr)
        for cidr in args.admin_cidrs:
            suffix = cidr.replace("/", "-")
            ssh = f"{_SSH_PORT}/{_SSH_PORT}"
            self._let_in(f"admin-ssh-{suffix}", "An administrator to SSH", ssh, cidr)
            self._let_in(f"admin-gateway-{suffix}", "An administrator to the gateways", gateway, cidr)
        if args.egress_cidrs:
            self._bound_egress(args.member_cidrs, args.egress_cidrs)
        self.register_outputs({"security_group_id": self.security_group_id})

    def _bound_egress(self, member_cidrs: Sequence[str], cidrs: Sequence[str]) -> None:
        """Let out to the listed ranges, the nodes' own and the cloud's services, and to nowhere else.

        Metadata, name servers, package mirrors and the intranet endpoints of OSS and the APIs lie in 100.64.0.0/10. The
        nodes' ranges are listed, too: a rule that drops goes before the group's inner access policy.
        """
        for cidr in dict.fromkeys([*member_cidrs, str(CLOUD_SERVICES), *cidrs]):
            self._let_out(cidr.replace("/", "-"), f"To {cidr}", cidr)
        self._let_out("rest", "To nowhere else", "0.0.0.0/0", policy="drop", priority=_LAST_PRIORITY)

    def _let_out(
        self, suffix: str, description: str, cidr: str, *, policy: str = "accept", priority: int = 1
    ) -> None:
        rule = ecs.SecurityGroupRule(
            f"{self._name}-egress-{suffix}",
            description=description,
            security_group_id=self.security_group_id,
            type="egress",
            ip_protocol="all",
            port_range="-1/-1",
            nic_type="intranet",
            policy=policy,
            priority=priority,
            cidr_ip=cidr,
            opts=self._rule_options(),
        )
        self.rules.append(rule)

    def _let_in(self, suffix: str, description: str, port_range: str, cidr: str) -> None:
        rule = ecs.SecurityGroupRule(
            f"{self._name}-{suffix}",
            description=description,
            security_group_id=self.security_group_id,
            cidr_ip=cidr,
            type="ingress",
            ip_protocol="tcp",
            port_range=port_range,
            # Without it the provider asks for rules of the NIC type `<nil>` later on.
            nic_type="intranet",
            policy="accept",
            priority=1,
            opts=self._rule_options(),
        )
        self.rules.append(rule)

    def _rule_options(self) -> pulumi.ResourceOptions:
        # A rule has no id but its own words: the new one must not be taken away as the old one.
        return pulumi.ResourceOptions(parent=self, delete_before_replace=True)
