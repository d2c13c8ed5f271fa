from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_alicloud import slb

from steelyard.components.balancer_front import Front
from steelyard.components.certificate import classic_certificate_id
from steelyard.components.tag import cluster_tags

if TYPE_CHECKING:
    from steelyard.components.balancer_args import LoadBalancerArgs
    from steelyard.spec import ListenerSpec


_IDLE_TIMEOUT_S = 900
"""The longest that there is for a connection: streams of a job's log may be silent for long."""


def declare_classic(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> Front:
    """Declare a classic load balancer, paid by use, with its server group and its listeners.

    Args:
        name: Beginning of the resources' names.
        args: What is wanted.
        parent: The component that they belong to.
    """
    # The class is the classic load balancer, whatever its name says. It is sold by use alone since 2025.
    is_public = args.address_type == "internet"
    balancer = slb.ApplicationLoadBalancer(
        f"{name}-balancer",
        load_balancer_name=f"{args.cluster}-lb",
        address_type=args.address_type,
        vswitch_id=None if is_public else args.vswitch_ids[0],
        internet_charge_type="PayByTraffic" if is_public else None,
        instance_charge_type="PayByCLCU",
        master_zone_id=args.zones[0],
        slave_zone_id=args.zones[1] if len(args.zones) > 1 else None,
        delete_protection="on" if args.is_protected else None,
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    group = slb.ServerGroup(
        f"{name}-servers",
        name=f"{args.cluster}-nodes",
        load_balancer_id=balancer.id,
        tags=cluster_tags(args.cluster),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    front = Front(load_balancer_id=balancer.id, address=balancer.address, server_group_id=group.id)
    secured: dict[str, object] = {}
    if args.certificate is not None:
        certificate_id = classic_certificate_id(name, args.cluster, args.certificate, parent)
        secured = {"server_certificate_id": certificate_id, "tls_cipher_policy": args.certificate.policy}
    guarded, entries = _declare_access_list(name, args, parent)
    for listener in args.listeners:
        own = {**guarded, **(secured if listener.protocol == "https" else {})}
        _declare_listener(name, args, listener, front, own, entries, parent)
    return front


def _declare_access_list(
    name: str, args: LoadBalancerArgs, parent: pulumi.Resource
) -> tuple[dict[str, object], list[pulumi.Resource]]:
    """Declare the list of those who may connect, and give the listeners' part of it and the list's entries."""
    if not args.access_cidrs:
        return {}, []
    options = pulumi.ResourceOptions(parent=parent)
    acl = slb.Acl(
        f"{name}-access",
        name=f"{args.cluster}-clients",
        ip_version="ipv4",
        tags=cluster_tags(args.cluster),
        opts=options,
    )
    entries: list[pulumi.Resource] = [
        slb.AclEntryAttachment(
            f"{name}-access-{cidr.replace('/', '-')}", acl_id=acl.id, entry=cidr, opts=options
        )
        for cidr in args.access_cidrs
    ]
    return {"acl_status": "on", "acl_type": "white", "acl_ids": [acl.id]}, entries


def _declare_listener(
    name: str,
    args: LoadBalancerArgs,
    listener: ListenerSpec,
    front: Front,
    own: Mapping[str, Any],
    entries: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> None:
    check = args.health_check
    spoken = {"tcp": _connections, "udp": _datagrams}.get(listener.protocol, _requests)(args)
    slb.Listener(
        f"{name}-listener-{listener.port}",
        load_balancer_id=front.load_balancer_id,
        server_group_id=front.server_group_id,
        frontend_port=listener.port,
        protocol=listener.protocol,
        bandwidth=-1,
        scheduler=args.scheduler,
        health_check="on",
        health_check_interval=check.interval_s,
        health_check_timeout=check.timeout_s,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
        **spoken,
        **own,
        # Its id is the load balancer's and the port: there cannot be two of one port. A list without its entries would
        # let everybody in.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True, depends_on=[*entries]),
    )


def _asks(args: LoadBalancerArgs) -> dict[str, Any]:
    """Give how a page is asked for to see the health of a server."""
    return {"health_check_uri": args.health_check.path, "health_check_http_code": "http_2xx"}


def _datagrams(args: LoadBalancerArgs) -> dict[str, Any]:
    """Give what a listener has that passes datagrams on: it probes by datagrams, and has no page to ask for."""
    return {}


def _requests(args: LoadBalancerArgs) -> dict[str, Any]:
    """Give what a listener has that balances requests."""
    settings = {**_asks(args), "health_check_method": "get", "sticky_session": "off"}
    if args.sticky_session_s:
        sticky = {"sticky_session": "on", "sticky_session_type": "insert"}
        settings |= {**sticky, "cookie_timeout": args.sticky_session_s}
    return settings


def _connections(args: LoadBalancerArgs) -> dict[str, Any]:
    """Give what a listener has that passes connections on."""
    return {
        **_asks(args),
        "health_check_type": "http",
        "established_timeout": _IDLE_TIMEOUT_S,
        "persistence_timeout": args.sticky_session_s or None,
    }


def attach_to_classic(
    name: str,
    *,
    server_group_id: pulumi.Input[str],
    server_id: pulumi.Input[str],
    port: int,
    weight: int,
    opts: pulumi.ResourceOptions,
) -> None:
    """Put an instance into the server group of a classic load balancer."""
    slb.ServerGroupServerAttachment(
        name,
        server_group_id=server_group_id,
        server_id=server_id,
        port=port,
        weight=weight,
        type="ecs",
        opts=opts,
    )
