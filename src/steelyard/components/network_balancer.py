from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_alicloud import nlb

from steelyard.components.balancer_front import Front
from steelyard.components.certificate import service_certificate_id
from steelyard.components.tag import cluster_tags

if TYPE_CHECKING:
    from steelyard.components.balancer_args import LoadBalancerArgs
    from steelyard.spec import HealthCheckSpec, ListenerSpec

_IDLE_TIMEOUT_S = 900
"""The longest that there is: streams of a job's log may be silent for long."""


def declare_network(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> Front:
    """Declare a network load balancer in every zone, with its server group and its listeners, plain or with TLS.

    Nodes see its addresses of the VSwitches and not the clients', so that a security group that lets the VSwitches in
    lets in what comes through it.

    Args:
        name: Beginning of the resources' names.
        args: What is wanted; its VPC is needed.
        parent: The component that they belong to.
    """
    balancer = nlb.LoadBalancer(
        f"{name}-balancer",
        load_balancer_name=f"{args.cluster}-lb",
        address_type=args.address_type.capitalize(),
        vpc_id=args.vpc_id,
        zone_mappings=[
            nlb.LoadBalancerZoneMappingArgs(zone_id=zone, vswitch_id=vswitch_id)
            for zone, vswitch_id in zip(args.zones, args.vswitch_ids, strict=True)
        ],
        cross_zone_enabled=True,
        deletion_protection_enabled=True if args.is_protected else None,
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    group = _declare_group(name, args, parent)
    front = Front(load_balancer_id=balancer.id, address=balancer.dns_name, server_group_id=group.id)
    secured: dict[str, object] = {}
    if args.certificate is not None:
        certificate_id = service_certificate_id(name, args.cluster, args.certificate, parent)
        secured = {"certificate_ids": [certificate_id], "security_policy_id": args.certificate.policy}
    for listener in args.listeners:
        _declare_listener(name, listener, front, secured if listener.protocol == "tcpssl" else {}, parent)
    return front


def _declare_group(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> nlb.ServerGroup:
    drains = args.drain_timeout_s > 0
    takes_datagrams = any(listener.protocol == "udp" for listener in args.listeners)
    return nlb.ServerGroup(
        f"{name}-servers",
        server_group_name=f"{args.cluster}-nodes",
        server_group_type="Instance",
        vpc_id=args.vpc_id,
        protocol="UDP" if takes_datagrams else "TCP",
        scheduler=args.scheduler.capitalize(),
        connection_drain_enabled=drains,
        connection_drain_timeout=args.drain_timeout_s if drains else None,
        preserve_client_ip_enabled=False,
        health_check=_check(args.health_check, by_datagrams=takes_datagrams),
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _check(check: HealthCheckSpec, *, by_datagrams: bool) -> nlb.ServerGroupHealthCheckArgs:
    asked: dict[str, Any] = {
        "health_check_type": "HTTP",
        "http_check_method": "GET",
        "health_check_url": check.path,
        "health_check_http_codes": ["http_2xx"],
    }
    return nlb.ServerGroupHealthCheckArgs(
        health_check_enabled=True,
        health_check_interval=check.interval_s,
        health_check_connect_timeout=check.timeout_s,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
        **({"health_check_type": "UDP"} if by_datagrams else asked),
    )


def _declare_listener(
    name: str,
    listener: ListenerSpec,
    front: Front,
    secured: Mapping[str, Any],
    parent: pulumi.Resource,
) -> None:
    nlb.Listener(
        f"{name}-listener-{listener.port}",
        load_balancer_id=front.load_balancer_id,
        server_group_id=front.server_group_id,
        listener_port=listener.port,
        listener_protocol=listener.protocol.upper(),
        idle_timeout=_IDLE_TIMEOUT_S,
        **secured,
        # There cannot be two of one port.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )


def attach_to_network(
    name: str,
    *,
    server_group_id: pulumi.Input[str],
    server_id: pulumi.Input[str],
    port: int,
    weight: int,
    opts: pulumi.ResourceOptions,
) -> None:
    """Put an instance into the server group of a network load balancer."""
    nlb.ServerGroupServerAttachment(
        name,
        server_group_id=server_group_id,
        server_id=server_id,
        server_type="Ecs",
        port=port,
        weight=weight,
        opts=opts,
    )
