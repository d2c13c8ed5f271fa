from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_alicloud import slb

from steelyard.components.balancer_front import Front
from steelyard.components.tag import cluster_tags

if TYPE_CHECKING:
    from steelyard.components.load_balancer import LoadBalancerArgs
    from steelyard.spec import ListenerSpec


def declare_classic(name: str, args: LoadBalancerArgs, parent: pulumi.Resource) -> Front:
    """Declare a classic load balancer, paid by use, with its server group and its HTTP listeners.

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
    for listener in args.listeners:
        _declare_listener(name, args, listener, front, parent)
    return front


def _declare_listener(
    name: str, args: LoadBalancerArgs, listener: ListenerSpec, front: Front, parent: pulumi.Resource
) -> None:
    check = args.health_check
    slb.Listener(
        f"{name}-listener-{listener.port}",
        load_balancer_id=front.load_balancer_id,
        server_group_id=front.server_group_id,
        frontend_port=listener.port,
        protocol=listener.protocol,
        bandwidth=-1,
        scheduler=args.scheduler,
        sticky_session="off",
        health_check="on",
        health_check_method="get",
        health_check_uri=check.path,
        health_check_http_code="http_2xx",
        health_check_interval=check.interval_s,
        health_check_timeout=check.timeout_s,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
        # Its id is the load balancer's and the port: there cannot be two of one port.
        opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=True),
    )


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
