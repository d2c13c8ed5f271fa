"""The embedded engine and the real provider against a real local cloud, over the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import psutil
import pulumi
import pulumi_alicloud as alicloud
import pytest
from pulumi import ResourceOptions
from traffic import wait_until

from steelyard.deploy import AlicloudProvider, Secret, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.errors import ResourceError
from steelyard.localcloud.daemon import CloudInfo

INSTANCE = "alicloud:ecs/instance:Instance"
TYPE = "ecs.gn7i-c8g1.2xlarge"
SERVER = """#!/bin/bash
# {token}
address=$(curl -s "$STEELYARD_METADATA_URL/latest/meta-data/private-ipv4")
exec python3 -m http.server --bind "$address" 8000
"""
TRUST = (
    '{"Version":"1","Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",'
    '"Principal":{"Service":["ecs.aliyuncs.com"]}}]}'
)
POLICY = '{"Version":"1","Statement":[{"Action":["slb:Describe*"],"Effect":"Allow","Resource":["*"]}]}'
Program = Callable[[], None]


def fleet(
    num_nodes: int = 2,
    *,
    cidr: str = "10.64.0.0/16",
    weight: int = 100,
    label: str = "one",
    threshold: int = 3,
    token: str = "t0ken",
    image: str = "^ubuntu_24_04_x64",
) -> Program:
    """Return a program that declares each supported resource type at least once."""

    def program() -> None:
        prefix = cidr.rsplit(".", 2)[0]
        tags = {"label": label}
        zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
        found = alicloud.ecs.get_images(owners="system", name_regex=image, most_recent=True)
        net = alicloud.vpc.Network("net", vpc_name="wire", cidr_block=cidr, description=label, tags=tags)
        switches = [
            alicloud.vpc.Switch(
                f"switch-{i}",
                vpc_id=net.id,
                cidr_block=f"{prefix}.{i}.0/24",
                zone_id=zone,
                vswitch_name=label,
                tags=tags,
                opts=ResourceOptions(delete_before_replace=True),
            )
            for i, zone in enumerate(zones)
        ]
        group = alicloud.ecs.SecurityGroup(
            "group", security_group_name=label, description=label, vpc_id=net.id, tags=tags
        )
        rule = alicloud.ecs.SecurityGroupRule(
            "rule",
            type="ingress",
            ip_protocol="tcp",
            port_range="8000/8000",
            nic_type="intranet",
            cidr_ip="100.64.0.0/10",
            security_group_id=group.id,
            description=label,
        )
        role = alicloud.ram.Role(
            "role", role_name="wire-node", assume_role_policy_document=TRUST, description=label, tags=tags
        )
        policy = alicloud.ram.Policy(
            "policy", policy_name="wire-node", policy_document=POLICY, description=label, tags=tags
        )
        granted = alicloud.ram.RolePolicyAttachment(
            "granted", role_name=role.role_name, policy_name=policy.policy_name, policy_type="Custom"
        )
        balancer = alicloud.slb.ApplicationLoadBalancer(
            "balancer",
            load_balancer_name=label,
            address_type="intranet",
            vswitch_id=switches[0].id,
            instance_charge_type="PayByCLCU",
            tags=tags,
        )
        servers = alicloud.slb.ServerGroup("servers", name=label, load_balancer_id=balancer.id, tags=tags)
        alicloud.slb.Listener(
            "listener",
            load_balancer_id=balancer.id,
            server_group_id=servers.id,
            frontend_port=8000,
            protocol="http",
            bandwidth=-1,
            scheduler="wrr",
            sticky_session="off",
            health_check="on",
            health_check_uri="/",
            health_check_http_code="http_2xx",
            health_check_interval=1,
            health_check_timeout=1,
            healthy_threshold=threshold,
            unhealthy_threshold=3,
            opts=ResourceOptions(delete_before_replace=True),
        )
        nodes = []
        for i in range(num_nodes):
            node = alicloud.ecs.Instance(
                f"node-{i}",
                instance_name=f"{label}-{i}",
                instance_type=TYPE,
                image_id=found.ids[0],
                vswitch_id=switches[i % 2].id,
                security_groups=[group.id],
                system_disk_category="cloud_essd",
                system_disk_size=40,
                system_disk_encrypted=True,
                http_endpoint="enabled",
                http_tokens="optional",
                user_data=pulumi.Output.secret(SERVER.format(token=token)),
                tags=tags,
                opts=ResourceOptions(depends_on=[rule]),
            )
            options = ResourceOptions(delete_before_replace=True)
            alicloud.slb.ServerGroupServerAttachment(
                f"server-{i}",
                server_group_id=servers.id,
                server_id=node.id,
                port=8000,
                weight=weight,
                opts=options,
            )
            alicloud.ecs.RamRoleAttachment(
                f"acts-{i}", instance_id=node.id, ram_role_name=granted.role_name, opts=options
            )
            nodes.append(node)
        pulumi.export("address", balancer.address)
        pulumi.export("ips", [node.private_ip for node in nodes])
        pulumi.export("ids", [node.id for node in nodes])
        pulumi.export("vpc_id", net.id)
        pulumi.export("account", alicloud.get_caller_identity().account_id)
        pulumi.export("user_data", nodes[0].user_data if nodes else "")

    return program


def status_of(url: str) -> int:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code
    except httpx.TransportError:
        return 0


def test_up_serves_and_up_again_changes_nothing(
    stack: Stack, provider: AlicloudProvider, info: CloudInfo
) -> None:
    foreseen = stack.preview(fleet(), provider)
    assert foreseen.num_by_op == {"create": 17}
    assert not foreseen.outputs["address"].is_known
    assert stack.resources() == ()

    made = stack.up(fleet(), provider)
    assert made.num_by_op == {"create": 17}
    assert made.num_by_type[INSTANCE] == 2
    outputs = stack.outputs()
    assert outputs["account"].value == info.account_id
    assert outputs["user_data"].value == "[secret]"
    for address in (outputs["address"].value, *outputs["ips"].value):
        wait_until(lambda address=address: status_of(f"http://{address}:8000/") == 200)

    again = stack.up(fleet(), provider)
    assert again.num_by_op == {"same": 17}
    assert stack.preview(fleet(), provider).num_by_op == {"same": 17}


def test_what_the_program_asks_for_is_what_the_cloud_tells(stack: Stack, provider: AlicloudProvider) -> None:
    stack.up(fleet(), provider)
    for resource in stack.resources():
        told = provider.read(resource.type, resource.id, Operation(urn=resource.urn))
        assert told is not None
        same = {name: value for name, value in told.items() if name in resource.outputs}
        for passing in ("userData", "attachmentCount"):
            same.pop(passing, None)
        assert same == {name: resource.outputs[name] for name in same}, resource.name


def test_what_happened_behind_the_stacks_back_is_found_and_mended(
    stack: Stack, provider: AlicloudProvider
) -> None:
    stack.up(fleet(), provider)
    assert stack.refresh(provider).num_by_op == {"same": 17}, "nothing happened"
    standing = {resource.name: resource for resource in stack.resources()}
    node, network = standing["node-1"], standing["net"]
    provider.delete(INSTANCE, node.id, {}, Operation(urn=""))
    provider.update(
        network.type, network.id, {"description": "one"}, {"description": "three"}, Operation(urn="")
    )

    found = stack.refresh(provider)
    assert {step.name for step in found.steps if step.op == "delete"} == {"node-1", "server-1", "acts-1"}
    assert [(step.name, step.diff) for step in found.steps if step.op == "update"] == [
        ("net", ("description",))
    ]

    mended = stack.up(fleet(), provider)
    assert mended.num_by_op == {"same": 13, "update": 1, "create": 3}
    assert stack.refresh(provider).num_by_op == {"same": 17}


def test_a_change_of_the_count_touches_those_nodes_alone(stack: Stack, provider: AlicloudProvider) -> None:
    stack.up(fleet(1), provider)
    first = stack.outputs()["ids"].value[0]
    grown = stack.up(fleet(3), provider)
    assert grown.num_by_op == {"same": 14, "create": 6}
    assert stack.outputs()["ids"].value[0] == first
    shrunk = stack.up(fleet(1), provider)
    assert shrunk.num_by_op == {"same": 14, "delete": 6}


def test_changes_in_place_arrive_in_the_cloud(stack: Stack, provider: AlicloudProvider) -> None:
    stack.up(fleet(1), provider)
    before = {resource.name: resource.id for resource in stack.resources()}
    result = stack.up(fleet(1, label="two", threshold=2), provider)

    changed = {step.name for step in result.steps if step.op == "update"}
    assert changed == {
        *("net", "switch-0", "switch-1", "group", "rule", "role", "policy"),
        *("balancer", "servers", "listener", "node-0"),
    }
    after = {resource.name: resource for resource in stack.resources()}
    assert {name: resource.id for name, resource in after.items()} == before
    told = {
        name: provider.read(resource.type, resource.id, Operation(urn=resource.urn)) or {}
        for name, resource in after.items()
    }
    assert told["net"]["description"] == "two"
    assert told["rule"]["description"] == "two"
    assert told["balancer"]["loadBalancerName"] == "two"
    assert told["servers"]["name"] == "two"
    assert told["listener"]["healthyThreshold"] == 2
    assert told["node-0"]["instanceName"] == "two-0"
    assert all(told[name]["tags"] == {"label": "two"} for name in changed - {"rule", "listener"})


def test_new_user_data_and_a_new_weight_replace(stack: Stack, provider: AlicloudProvider) -> None:
    stack.up(fleet(1), provider)
    old = stack.outputs()["ids"].value[0]
    result = stack.up(fleet(1, weight=50), provider)
    assert result.num_by_op == {"same": 13, "replace": 1}
    assert stack.outputs()["ids"].value == [old]

    result = stack.up(fleet(1, weight=50, token="other"), provider)
    assert result.num_by_op == {"same": 11, "replace": 3}
    new = stack.outputs()["ids"].value[0]
    assert new != old
    assert provider.read(INSTANCE, old, Operation(urn="")) is None
    address = stack.outputs()["address"].value
    wait_until(lambda: status_of(f"http://{address}:8000/") == 200)


def test_another_network_takes_everything_in_it_along(stack: Stack, provider: AlicloudProvider) -> None:
    stack.up(fleet(1), provider)
    old_vpc = stack.outputs()["vpc_id"].value
    stack.up(fleet(1, cidr="10.65.0.0/16"), provider)

    assert stack.outputs()["vpc_id"].value != old_vpc
    assert provider.read("alicloud:vpc/network:Network", old_vpc, Operation(urn="")) is None
    address = stack.outputs()["address"].value
    wait_until(lambda: status_of(f"http://{address}:8000/") == 200)
    assert stack.up(fleet(1, cidr="10.65.0.0/16"), provider).num_by_op == {"same": 14}


def test_destroy_leaves_nothing_and_takes_what_is_gone_for_done(
    stack: Stack, provider: AlicloudProvider, info: CloudInfo
) -> None:
    stack.up(fleet(), provider)
    ids = stack.outputs()["ids"].value
    provider.delete(INSTANCE, ids[0], {}, Operation(urn=""))

    resources = stack.resources()
    assert stack.destroy(provider).num_by_op == {"delete": 17}
    assert stack.resources() == ()
    for resource in resources:
        assert provider.read(resource.type, resource.id, Operation(urn=resource.urn)) is None
    wait_until(lambda: not psutil.Process(info.pid).children(recursive=True))


def test_a_refusal_carries_the_clouds_code_and_request_id_and_up_goes_on_from_there(
    stack: Stack, provider: AlicloudProvider
) -> None:
    def program(zone: str) -> Program:
        def declare() -> None:
            net = alicloud.vpc.Network("net", cidr_block="10.0.0.0/8")
            alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block="10.1.0.0/16", zone_id=zone)

        return declare

    with pytest.raises(ResourceError, match="CreateVSwitch was refused") as caught:
        stack.up(program("cn-nowhere-z"), provider)
    assert caught.value.code.startswith("Invalid")
    assert caught.value.request_id in str(caught.value)
    assert caught.value.status in (400, 404)
    assert caught.value.urn.endswith("::switch")
    assert [resource.name for resource in stack.resources()] == ["net"]
    assert stack.up(program("cn-hangzhou-h"), provider).num_by_op == {"same": 1, "create": 1}


def test_a_wrong_key_is_refused(stack: Stack, info: CloudInfo) -> None:
    stranger = AlicloudProvider(
        endpoint=info.endpoint,
        access_key_id=info.access_key_id,
        access_key_secret="wrong",
        region_id=info.region_id,
    )
    with pytest.raises(ResourceError, match="SignatureDoesNotMatch"):
        stack.preview(lambda: alicloud.get_zones(), stranger)


def test_an_interrupted_wait_leaves_an_instance_that_is_known(
    stack: Stack, provider: AlicloudProvider
) -> None:
    """The id is in the state before the instance runs, so that a broken-off run loses nothing."""
    seen: list[list[str]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append([r.id for r in stack.resources() if r.type == INSTANCE and r.is_half_made])
            stop.wait(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        stack.up(fleet(1), provider, config={"steelyard:x": Secret("y")})
    finally:
        stop.set()
        watcher.join()
    assert stack.outputs()["ids"].value in seen
