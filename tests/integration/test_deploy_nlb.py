"""Network load balancers through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_alicloud as alicloud
import pytest
from cloud_api import api_of
from traffic import ask, wait_until

from steelyard.cluster.balancer_view import look
from steelyard.cluster.node_status import NodeStatus, observe
from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.errors import ResourceError
from steelyard.localcloud.daemon import CloudInfo

ATTACHMENT = "alicloud:nlb/serverGroupServerAttachment:ServerGroupServerAttachment"
GROUP = "alicloud:nlb/serverGroup:ServerGroup"
LISTENER = "alicloud:nlb/listener:Listener"
BALANCER = "alicloud:nlb/loadBalancer:LoadBalancer"
SERVER = """#!/bin/bash
address=$(curl -s "$STEELYARD_METADATA_URL/latest/meta-data/private-ipv4")
mkdir -p site && echo "$address" > site/index.html
exec python3 -m http.server --bind "$address" --directory site 8000
"""


def front(
    *weights: int,
    scheduler: str = "Wrr",
    interval_s: int = 1,
    port: int = 8080,
    label: str = "one",
    address_type: str = "Intranet",
) -> Callable[[], None]:
    """Return a program with a network load balancer in two zones before an instance for each weight."""

    def program() -> None:
        zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
        net = alicloud.vpc.Network("net", cidr_block="10.66.0.0/16")
        switches = [
            alicloud.vpc.Switch(f"switch-{i}", vpc_id=net.id, cidr_block=f"10.66.{i}.0/24", zone_id=zone)
            for i, zone in enumerate(zones)
        ]
        balancer = alicloud.nlb.LoadBalancer(
            "balancer",
            load_balancer_name=f"front-{label}",
            address_type=address_type,
            vpc_id=net.id,
            zone_mappings=[
                {"vswitch_id": switch.id, "zone_id": zone}
                for switch, zone in zip(switches, zones, strict=True)
            ],
            deletion_protection_enabled=False,
            tags={"label": label},
        )
        group = alicloud.nlb.ServerGroup(
            "group",
            server_group_name=f"nodes-{label}",
            vpc_id=net.id,
            scheduler=scheduler,
            connection_drain_enabled=True,
            connection_drain_timeout=30,
            health_check={
                "health_check_type": "HTTP",
                "health_check_url": "/",
                "health_check_http_codes": ["http_2xx"],
                "health_check_interval": interval_s,
                "health_check_connect_timeout": 1,
            },
            tags={"label": label},
        )
        alicloud.nlb.Listener(
            "listener",
            load_balancer_id=balancer.id,
            listener_protocol="TCP",
            listener_port=port,
            server_group_id=group.id,
            idle_timeout=60,
        )
        _servers(net, switches, group, weights)
        pulumi.export("address", balancer.dns_name)
        pulumi.export("zones", balancer.zone_mappings)

    return program


def _servers(net, switches, group, weights) -> None:
    firewall = alicloud.ecs.SecurityGroup("firewall", vpc_id=net.id)
    image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True)
    for number, weight in enumerate(weights):
        instance = alicloud.ecs.Instance(
            f"node-{number}",
            image_id=image.images[0].id,
            instance_type="ecs.gn7i-c8g1.2xlarge",
            security_groups=[firewall.id],
            vswitch_id=switches[number % 2].id,
            user_data=SERVER,
        )
        alicloud.nlb.ServerGroupServerAttachment(
            f"server-{number}",
            server_group_id=group.id,
            server_id=instance.id,
            server_type="Ecs",
            port=8000,
            weight=weight,
        )
        pulumi.export(f"node-{number}", instance.primary_ip_address)


def value(stack: Stack, name: str):
    return stack.outputs()[name].value


def counts(stack: Stack, num_requests: int = 30) -> dict[str, int]:
    """Count the answers by node, each on a connection of its own."""
    address = value(stack, "address")
    names: dict[str, int] = {}
    for _ in range(num_requests):
        for name, count in ask(address, 8080, 1, 1).names().items():
            names[name.strip()] = names.get(name.strip(), 0) + count
    return names


def nodes(stack: Stack, info: CloudInfo) -> list[NodeStatus]:
    """Look at the nodes as `steelyard status` does."""
    api = api_of(info)

    def standing(kind: str) -> list[str]:
        return [item.id for item in sorted(stack.resources(), key=lambda one: one.name) if item.type == kind]

    return observe(api, standing("alicloud:ecs/instance:Instance"), look(api, standing))


def test_a_network_load_balancer_comes_up_stays_changes_and_goes(
    stack: Stack, provider: AlicloudProvider, info: CloudInfo
) -> None:
    up = stack.up(front(100, 50), provider)
    assert set(up.num_by_op) == {"create"}
    first, second = value(stack, "node-0"), value(stack, "node-1")
    assert [zone["privateIpv4Address"].rpartition(".")[0] for zone in value(stack, "zones")] == [
        "127.66.0",
        "127.66.1",
    ]
    wait_until(lambda: counts(stack), lambda seen: seen == {first: 20, second: 10})
    assert [(node.weight, node.health) for node in nodes(stack, info)] == [(100, "normal"), (50, "normal")]

    assert set(stack.up(front(100, 50), provider).num_by_op) == {"same"}
    assert set(stack.refresh(provider).num_by_op) == {"same"}

    weighed = stack.up(front(0, 50), provider)
    assert weighed.num_by_op["update"] == 1
    assert counts(stack) == {second: 30}
    assert [(node.weight, node.health) for node in nodes(stack, info)] == [(0, "normal"), (50, "normal")]

    other = front(0, 50, scheduler="Wlc", interval_s=2, port=8081, label="two", address_type="Internet")
    changed = stack.up(other, provider)
    assert changed.num_by_op == {"same": weighed.num_by_op["same"] - 2, "update": 2, "replace": 1}
    resources = {resource.type: resource for resource in stack.resources()}
    assert resources[GROUP].outputs["scheduler"] == "Wlc"
    assert resources[GROUP].outputs["healthCheck"]["healthCheckInterval"] == 2
    assert resources[GROUP].outputs["tags"] == resources[BALANCER].outputs["tags"] == {"label": "two"}
    assert resources[BALANCER].outputs["loadBalancerName"] == "front-two"
    assert value(stack, "address") == value(stack, "zones")[0]["publicIpv4Address"]
    assert resources[LISTENER].outputs["listenerPort"] == 8081

    stack.destroy(provider)
    assert not stack.resources()
    for kind in (BALANCER, GROUP, LISTENER, ATTACHMENT):
        assert provider.read(kind, resources[kind].id, Operation(urn="")) is None


def test_what_the_cloud_does_not_serve_fails_with_the_clouds_own_word(
    stack: Stack, provider: AlicloudProvider
) -> None:
    with pytest.raises(ResourceError, match="does not serve the scheduler Qch"):
        stack.up(front(scheduler="Qch"), provider)
