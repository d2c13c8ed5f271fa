"""What programs seldom ask of the embedded provider, against a real local cloud: less common shapes, and lookups."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pulumi
import pulumi_alicloud as alicloud

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.localcloud.daemon import CloudInfo

TYPE = "ecs.gn7i-c8g1.2xlarge"


def corners(*, is_second: bool = False) -> Callable[[], None]:
    """Return a program of what is not in every cluster: TCP, egress, a public address, a stopped instance, `.get()`."""

    def program() -> None:
        label = "second" if is_second else "first"
        net = alicloud.vpc.Network("net", cidr_block="10.70.0.0/16")
        zone = alicloud.get_zones().ids[0]
        switch = alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block="10.70.1.0/24", zone_id=zone)
        group = alicloud.ecs.SecurityGroup(
            "group", vpc_id=net.id, inner_access_policy="Drop" if is_second else "Accept"
        )
        alicloud.ecs.SecurityGroupRule(
            "out",
            type="egress",
            ip_protocol="tcp",
            port_range="443/443",
            nic_type="intranet",
            cidr_ip="10.0.0.0/8",
            policy="drop",
            priority=7,
            security_group_id=group.id,
            description=label,
        )
        balancer = alicloud.slb.ApplicationLoadBalancer(
            "public", address_type="internet", instance_charge_type="PayByCLCU", delete_protection="off"
        )
        servers = alicloud.slb.ServerGroup("servers", load_balancer_id=balancer.id)
        alicloud.slb.Listener(
            "tcp",
            load_balancer_id=balancer.id,
            server_group_id=servers.id,
            frontend_port=9000,
            protocol="tcp",
            bandwidth=-1,
            scheduler="rr" if is_second else "wrr",
            health_check_type="tcp",
            health_check_interval=3 if is_second else 2,
            established_timeout=600,
            description=label,
        )
        image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24", most_recent=True).ids[0]
        alicloud.ecs.Instance(
            "node",
            instance_type=TYPE,
            image_id=image,
            vswitch_id=switch.id,
            security_groups=[group.id],
            status="Running" if is_second else "Stopped",
            http_endpoint="enabled",
            http_tokens="required" if is_second else "optional",
        )
        statement = '{"Version":"1","Statement":[{"Action":["%s"],"Effect":"Allow","Resource":["*"]}]}'
        alicloud.ram.Policy(
            "policy",
            policy_name="corners",
            policy_document=statement % ("slb:Describe*" if is_second else "ecs:Describe*"),
        )
        found = alicloud.vpc.Network.get("found", net.id)
        pulumi.export("found", found.cidr_block)

    return program


def test_the_less_common_shapes_are_made_changed_and_taken_away(
    stack: Stack, provider: AlicloudProvider
) -> None:
    assert stack.up(corners(), provider).num_by_op == {"create": 9, "read": 1}
    assert stack.outputs()["found"].value == "10.70.0.0/16"
    assert stack.up(corners(), provider).num_by_op == {"same": 9, "read": 1}
    changed = stack.up(corners(is_second=True), provider)
    assert {step.name for step in changed.steps if step.op == "update"} == {
        *("group", "out", "tcp", "node", "policy"),
    }
    told = {
        resource.name: provider.read(resource.type, resource.id, Operation(urn="")) or {}
        for resource in stack.resources()
    }
    assert told["group"]["innerAccessPolicy"] == "Drop"
    assert told["out"]["description"] == "second"
    assert told["tcp"]["healthCheckInterval"] == 3
    assert told["tcp"]["scheduler"] == "rr"
    assert told["tcp"]["establishedTimeout"] == 600
    assert told["node"]["status"] == "Running"
    assert told["node"]["httpTokens"] == "required"
    assert "slb:Describe" in told["policy"]["policyDocument"]
    assert told["policy"]["defaultVersion"] == "v2"
    assert stack.destroy(provider).num_by_op == {"delete": 10}


def test_lookups_tell_what_the_cloud_offers(
    stack: Stack, provider: AlicloudProvider, info: CloudInfo
) -> None:
    told: dict[str, object] = {}

    def program() -> None:
        told["zones"] = alicloud.get_zones(available_instance_type=TYPE).ids
        told["no zones"] = alicloud.get_zones(available_instance_type="ecs.none").ids
        told["regions"] = alicloud.get_regions(current=True).ids
        images = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True)
        told["image"] = images.images[0].os_type
        types = alicloud.ecs.get_instance_types(instance_type=TYPE)
        told["cpus"] = types.instance_types[0].cpu_core_count
        told["gpus"] = types.instance_types[0].gpus[0].amount
        told["type zones"] = types.instance_types[0].availability_zones

    stack.preview(program, provider)
    assert told["zones"]
    assert told["no zones"] == []
    assert told["regions"] == [info.region_id]
    assert told["image"] == "linux"
    assert told["cpus"] == 8
    assert told["gpus"] == "1"
    assert told["type zones"] == told["zones"]


def article(weights: Mapping[str, int]) -> Callable[[], None]:
    """Return a program that attaches instances as a load balancer's default servers.

    Args:
        weights: The servers' weights by the instances' names.
    """

    def program() -> None:
        net = alicloud.vpc.Network("net", cidr_block="10.71.0.0/16")
        zone = alicloud.get_zones().ids[0]
        switch = alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block="10.71.1.0/24", zone_id=zone)
        group = alicloud.ecs.SecurityGroup("group", vpc_id=net.id)
        balancer = alicloud.slb.ApplicationLoadBalancer("slb", vswitch_id=switch.id, address_type="intranet")
        image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24", most_recent=True).ids[0]
        nodes = {
            name: alicloud.ecs.Instance(
                name,
                instance_type=TYPE,
                image_id=image,
                vswitch_id=switch.id,
                security_groups=[group.id],
            )
            for name in ("one", "two", "three")
        }
        alicloud.slb.BackendServer(
            "servers",
            load_balancer_id=balancer.id,
            backend_servers=[
                {"server_id": nodes[name].id, "weight": weight} for name, weight in weights.items()
            ],
        )

    return program


def test_default_servers_come_change_their_weight_and_go(stack: Stack, provider: AlicloudProvider) -> None:
    def weights() -> dict[str, int]:
        names = {resource.id: resource.name for resource in stack.resources()}
        (servers,) = [one for one in stack.resources() if one.name == "servers"]
        told = provider.read(servers.type, servers.id, Operation(urn="")) or {}
        return {names[server["serverId"]]: server["weight"] for server in told["backendServers"]}

    assert stack.up(article({"two": 50, "one": 100}), provider).num_by_op == {"create": 8}
    assert weights() == {"one": 100, "two": 50}
    assert stack.up(article({"two": 50, "one": 100}), provider).num_by_op == {"same": 8}
    assert not [step for step in stack.refresh(provider).steps if step.op != "same"]
    changed = stack.up(article({"two": 30, "three": 10}), provider)
    assert changed.num_by_op == {"same": 7, "update": 1}
    assert weights() == {"two": 30, "three": 10}
    assert stack.destroy(provider).num_by_op == {"delete": 8}
