from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import slb

from steelyard.components.tag import cluster_tags
from steelyard.spec import HealthCheckSpec, ListenerSpec


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """What a `LoadBalancer` is made from.

    Attributes:
        cluster: The cluster's name.
        vswitch_id: VSwitch that an intranet address is taken from.
        zones: Zone ids; the load balancer stands in the first and falls back to the second.
        listeners: Its ports.
        health_check: How it watches the nodes.
        address_type: `intranet` or `internet`.
        scheduler: `wrr` or `rr`.
    """

    cluster: str
    vswitch_id: pulumi.Input[str]
    zones: Sequence[str]
    listeners: Sequence[ListenerSpec]
    health_check: HealthCheckSpec
    address_type: str = "intranet"
    scheduler: str = "wrr"


class LoadBalancer(pulumi.ComponentResource):
    """A classic load balancer, paid by use, with a group of servers and its listeners.

    Attributes:
        load_balancer_id: Id of the load balancer.
        address: Its IPv4 address.
        server_group_id: Id of the server group that nodes are attached to.
    """

    load_balancer_id: pulumi.Output[str]
    address: pulumi.Output[str]
    server_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:LoadBalancer", name, None, opts)
        balancer = self._create_balancer(name, args)
        self.load_balancer_id = balancer.id
        self.address = balancer.address
        group = slb.ServerGroup(
            f"{name}-servers",
            name=f"{args.cluster}-nodes",
            load_balancer_id=self.load_balancer_id,
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.server_group_id = group.id
        for listener in args.listeners:
            self._create_listener(name, args, listener)
        self.register_outputs(
            {
                "load_balancer_id": self.load_balancer_id,
                "address": self.address,
                "server_group_id": self.server_group_id,
            }
        )

    def _create_balancer(self, name: str, args: LoadBalancerArgs) -> slb.ApplicationLoadBalancer:
        # The class is the classic load balancer, whatever its name says. It is sold by use alone since 2025.
        is_public = args.address_type == "internet"
        return slb.ApplicationLoadBalancer(
            f"{name}-balancer",
            load_balancer_name=f"{args.cluster}-lb",
            address_type=args.address_type,
            vswitch_id=None if is_public else args.vswitch_id,
            internet_charge_type="PayByTraffic" if is_public else None,
            instance_charge_type="PayByCLCU",
            master_zone_id=args.zones[0],
            slave_zone_id=args.zones[1] if len(args.zones) > 1 else None,
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_listener(self, name: str, args: LoadBalancerArgs, listener: ListenerSpec) -> None:
        check = args.health_check
        slb.Listener(
            f"{name}-listener-{listener.port}",
            load_balancer_id=self.load_balancer_id,
            server_group_id=self.server_group_id,
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
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
