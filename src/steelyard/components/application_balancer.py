from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_alicloud import alb

from steelyard.components.balancer_front import Front
from steelyard.components.certificate import service_certificate_identifier
from steelyard.components.tag import cluster_tags

if TYPE_CHECKING:
    from steelyard.components.balancer_args import LoadBalancerArgs
    from steelyard.spec import HealthCheckSpec, ListenerSpec
    from steelyard.spec.forwarding import RuleSpec

_TIMEOUT_S = 600
"""The longest that there is: streams of a job's log may be silent for long."""
_PROTOCOLS: Mapping[str, str] = {"http": "HTTP", "https": "HTTPS", "grpc": "GRPC"}
"""The words that the provider's schema takes; the API's page writes `gRPC`."""
_PRIORITY_STEP = 10


def declare_application(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> Front:
    """Declare an application load balancer in every zone, with its server groups, listeners and rules.

    A server group lists its servers itself: there is no class for one of them. It is of the standard edition, since the
    basic one neither drains nor starts a node slowly.

    Args:
        name: Beginning of the resources' names.
        args: What is wanted; its VPC and its servers are needed.
        parent: The component that they belong to.
    """
    balancer = alb.LoadBalancer(
        f"{name}-balancer",
        load_balancer_name=f"{args.cluster}-lb",
        load_balancer_edition="Standard",
        load_balancer_billing_config=alb.LoadBalancerLoadBalancerBillingConfigArgs(pay_type="PayAsYouGo"),
        address_type=args.address_type.capitalize(),
        vpc_id=args.vpc_id,
        zone_mappings=[
            alb.LoadBalancerZoneMappingArgs(zone_id=zone, vswitch_id=vswitch_id)
            for zone, vswitch_id in zip(args.zones, args.vswitch_ids, strict=True)
        ],
        deletion_protection_enabled=True if args.is_protected else None,
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    gateways = _declare_gateways(name, args, parent)
    _declare_listeners(name, args, balancer, gateways, parent)
    return Front(load_balancer_id=balancer.id, address=balancer.dns_name, server_group_id=gateways.id)


def _declare_listeners(
    name: str,
    args: LoadBalancerArgs,
    balancer: alb.LoadBalancer,
    gateways: alb.ServerGroup,
    parent: pulumi.Resource,
) -> None:
    """Declare the listeners, each with its rules and its list of those who may connect."""
    further = [_declare_further(name, args, rule, parent) for rule in args.rules]
    certificates = None
    if args.certificate is not None:
        certificate_id = service_certificate_identifier(name, args.cluster, args.certificate, parent)
        certificates = alb.ListenerCertificatesArgs(certificate_id=certificate_id)
    acl = _declare_access_list(name, args, parent)
    for listener in args.listeners:
        made = _declare_listener(name, args, listener, balancer, gateways, certificates, parent)
        for number, (rule, group) in enumerate(zip(args.rules, further, strict=True), 1):
            _declare_rule(f"{name}-rule-{listener.port}-{rule.name}", rule, number, made, group, parent)
        if acl is not None:
            alb.ListenerAclAttachment(
                f"{name}-access-{listener.port}",
                listener_id=made.id,
                acl_id=acl.acl_id,
                acl_type="White",
                opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
            )


def _declare_gateways(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> alb.ServerGroup:
    check, sticky = args.health_check, args.sticky_session_s
    return alb.ServerGroup(
        f"{name}-servers",
        server_group_name=f"{args.cluster}-nodes",
        server_group_type="Instance",
        vpc_id=args.vpc_id,
        protocol="HTTP",
        scheduler=args.scheduler.capitalize(),
        servers=_servers(args, None),
        connection_drain_config=_drain(args),
        slow_start_config=_slow_start(args),
        sticky_session_config=alb.ServerGroupStickySessionConfigArgs(
            sticky_session_enabled=True, sticky_session_type="Insert", cookie_timeout=sticky
        )
        if sticky
        else None,
        health_check_config=alb.ServerGroupHealthCheckConfigArgs(
            health_check_enabled=True,
            health_check_protocol="HTTP",
            health_check_method="GET",
            health_check_path=check.path,
            health_check_codes=["http_2xx"],
            **_times(check),
        ),
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _declare_further(
    name: str, args: LoadBalancerArgs, rule: RuleSpec, parent: pulumi.Resource
) -> alb.ServerGroup:
    """Declare the server group of a rule; its servers are healthy while their port takes connections."""
    return alb.ServerGroup(
        f"{name}-servers-{rule.name}",
        server_group_name=f"{args.cluster}-{rule.name}",
        server_group_type="Instance",
        vpc_id=args.vpc_id,
        protocol=_PROTOCOLS[rule.protocol],
        scheduler=args.scheduler.capitalize(),
        servers=_servers(args, rule.port),
        connection_drain_config=_drain(args),
        slow_start_config=_slow_start(args),
        health_check_config=alb.ServerGroupHealthCheckConfigArgs(
            health_check_enabled=True, health_check_protocol="TCP", **_times(args.health_check)
        ),
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _declare_listener(
    name: str,
    args: LoadBalancerArgs,
    listener: ListenerSpec,
    balancer: alb.LoadBalancer,
    group: alb.ServerGroup,
    certificates: alb.ListenerCertificatesArgs | None,
    parent: pulumi.Resource,
) -> alb.Listener:
    secured: dict[str, Any] = {}
    if listener.protocol == "https" and args.certificate is not None:
        secured = {
            "certificates": certificates,
            "security_policy_id": args.certificate.policy,
            "http2_enabled": True,
        }
    target = alb.ListenerDefaultActionForwardGroupConfigServerGroupTupleArgs(server_group_id=group.id)
    return alb.Listener(
        f"{name}-listener-{listener.port}",
        load_balancer_id=balancer.id,
        listener_protocol=_PROTOCOLS[listener.protocol],
        listener_port=listener.port,
        default_actions=[
            alb.ListenerDefaultActionArgs(
                type="ForwardGroup",
                forward_group_config=alb.ListenerDefaultActionForwardGroupConfigArgs(
                    server_group_tuples=[target]
                ),
            )
        ],
        idle_timeout=_TIMEOUT_S,
        request_timeout=_TIMEOUT_S,
        # It would hold the lines of a job's log back until there are enough of them to compress.
        gzip_enabled=False,
        **secured,
        # There cannot be two of one port.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )


def _declare_rule(
    name: str,
    rule: RuleSpec,
    number: int,
    listener: alb.Listener,
    group: alb.ServerGroup,
    parent: pulumi.Resource,
) -> None:
    conditions = []
    if rule.hosts:
        hosts = alb.RuleRuleConditionHostConfigArgs(values=list(rule.hosts))
        conditions.append(alb.RuleRuleConditionArgs(type="Host", host_config=hosts))
    if rule.paths:
        paths = alb.RuleRuleConditionPathConfigArgs(values=list(rule.paths))
        conditions.append(alb.RuleRuleConditionArgs(type="Path", path_config=paths))
    target = alb.RuleRuleActionForwardGroupConfigServerGroupTupleArgs(server_group_id=group.id, weight=100)
    alb.Rule(
        name,
        listener_id=listener.id,
        rule_name=rule.name,
        priority=number * _PRIORITY_STEP,
        rule_conditions=conditions,
        rule_actions=[
            alb.RuleRuleActionArgs(
                order=1,
                type="ForwardGroup",
                forward_group_config=alb.RuleRuleActionForwardGroupConfigArgs(server_group_tuples=[target]),
            )
        ],
        # There cannot be two of one priority.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )


def _declare_access_list(
    name: str, args: LoadBalancerArgs, parent: pulumi.Resource
) -> alb.AclEntryAttachment | None:
    """Declare the list of those who may connect, and give its entries: without them it would let everybody in."""
    if not args.access_cidrs:
        return None
    options = pulumi.ResourceOptions(parent=parent)
    acl = alb.Acl(
        f"{name}-access",
        acl_name=f"{args.cluster}-clients",
        tags=cluster_tags(args.cluster),
        opts=options,
    )
    return alb.AclEntryAttachment(
        f"{name}-access-entries",
        acl_id=acl.id,
        entries=[alb.AclEntryAttachmentEntryArgs(entry=cidr) for cidr in args.access_cidrs],
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )


def _servers(args: LoadBalancerArgs, port: int | None) -> Sequence[alb.ServerGroupServerArgs]:
    # The provider's default for a weight is 0, which is no request at all.
    return [
        alb.ServerGroupServerArgs(
            server_id=server.server_id,
            server_type="Ecs",
            port=server.port if port is None else port,
            weight=server.weight,
        )
        for server in args.servers
    ]


def _drain(args: LoadBalancerArgs) -> alb.ServerGroupConnectionDrainConfigArgs | None:
    if not args.drain_timeout_s:
        return None
    return alb.ServerGroupConnectionDrainConfigArgs(
        connection_drain_enabled=True, connection_drain_timeout=args.drain_timeout_s
    )


def _slow_start(args: LoadBalancerArgs) -> alb.ServerGroupSlowStartConfigArgs | None:
    if not args.slow_start_s:
        return None
    return alb.ServerGroupSlowStartConfigArgs(slow_start_enabled=True, slow_start_duration=args.slow_start_s)


def _times(check: HealthCheckSpec) -> dict[str, Any]:
    return {
        "health_check_interval": check.interval_s,
        "health_check_timeout": check.timeout_s,
        "healthy_threshold": check.healthy_threshold,
        "unhealthy_threshold": check.unhealthy_threshold,
    }
