from __future__ import annotations

from collections import Counter

import pytest
from recording_monitor import IMAGE_ID, Recording, record

from steelyard.components.program import declare
from steelyard.errors import DeployError
from steelyard.spec import ClusterSpec, NodeGroupSpec, NodeRoleSpec

TOKEN = "f" * 64


def test_a_name_alone_declares_the_whole_system(demo: Recording) -> None:
    assert Counter(one.type for one in demo.resources.values() if one.is_custom) == {
        "alicloud:vpc/network:Network": 1,
        "alicloud:vpc/switch:Switch": 2,
        "alicloud:ecs/securityGroup:SecurityGroup": 1,
        "alicloud:ecs/securityGroupRule:SecurityGroupRule": 1,
        "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": 1,
        "alicloud:slb/serverGroup:ServerGroup": 1,
        "alicloud:slb/listener:Listener": 1,
        "alicloud:ecs/instance:Instance": 2,
        "alicloud:slb/serverGroupServerAttachment:ServerGroupServerAttachment": 2,
        "alicloud:ram/role:Role": 1,
        "alicloud:ram/policy:Policy": 1,
        "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": 1,
        "alicloud:ecs/ramRoleAttachment:RamRoleAttachment": 2,
    }


def test_every_component_stands_under_the_cluster(demo: Recording) -> None:
    cluster = demo.the("index:TrainingCluster")
    components = {
        one.name: one.parent for one in demo.resources.values() if one.type.startswith("steelyard:")
    }
    assert demo.parent_of(cluster).type == "pulumi:pulumi:Stack"
    assert components == {
        "demo": cluster.parent,
        "demo-network": cluster.urn,
        "demo-firewall": cluster.urn,
        "demo-balancer": cluster.urn,
        "demo-role": cluster.urn,
        "demo-workers": cluster.urn,
    }


def test_every_resource_bears_the_name_of_its_component(demo: Recording) -> None:
    for one in demo.resources.values():
        if one.is_custom:
            parent = demo.parent_of(one)
            assert parent.type.startswith("steelyard:index:")
            assert one.name.startswith(f"{parent.name}-")


def test_every_component_registers_its_outputs(demo: Recording) -> None:
    components = {one.urn for one in demo.resources.values() if one.type.startswith("steelyard:")}
    assert components <= demo.outputs.keys()
    assert demo.outputs[demo.the("index:NodeGroup").urn] == {
        "node_ids": ["demo-workers-node-0-id", "demo-workers-node-1-id"],
        "private_ips": ["10.64.0.10", "10.64.0.11"],
    }


def test_the_exports_are_those_of_the_article_and_what_the_nodes_need(demo: Recording) -> None:
    assert demo.exports == {
        "vpc_id": "demo-network-vpc-id",
        "vswitch_ids": ["demo-network-vswitch-cn-hangzhou-h-id", "demo-network-vswitch-cn-hangzhou-i-id"],
        "security_group_id": "demo-firewall-group-id",
        "slb_id": "demo-balancer-balancer-id",
        "load_balancer_address": "10.64.0.9",
        "gateway_url": "http://10.64.0.9:8000",
        "server_group_id": "demo-balancer-servers-id",
        "node_ids": ["demo-workers-node-0-id", "demo-workers-node-1-id"],
        "node_private_ips": ["10.64.0.10", "10.64.0.11"],
        "gateway_token": TOKEN,
    }
    assert demo.secret_exports == {"gateway_token"}


def test_the_token_stands_nowhere_but_in_secrets(demo: Recording) -> None:
    for one in demo.resources.values():
        open_inputs = {key: value for key, value in one.inputs.items() if key not in one.secret_inputs}
        assert TOKEN not in repr(open_inputs)
    assert TOKEN not in repr(demo.calls)


def test_everything_that_can_be_tagged_names_its_cluster(demo: Recording) -> None:
    untagged = {
        one.type.rpartition(":")[2]
        for one in demo.resources.values()
        if one.is_custom and "tags" not in one.inputs
    }
    assert untagged == {
        "SecurityGroupRule",
        "Listener",
        "ServerGroupServerAttachment",
        "RolePolicyAttachment",
        "RamRoleAttachment",
    }
    for one in demo.resources.values():
        assert one.inputs.get("tags", {}).get("steelyard:cluster", "demo") == "demo"


def test_one_head_serves_every_group() -> None:
    spec = ClusterSpec(
        name="demo",
        node_groups=(NodeGroupSpec(name="fast", count=2), NodeGroupSpec(name="slow", count=1, weight=33)),
    )
    recording = record(lambda: declare(spec, TOKEN))
    roles = {one.name: one.inputs["tags"]["steelyard:role"] for one in recording.of_type(":Instance")}
    assert roles == {"demo-fast-node-0": "head", "demo-fast-node-1": "worker", "demo-slow-node-0": "worker"}
    for name in ("demo-fast-node-1", "demo-slow-node-0"):
        assert "--head-address 10.64.0.10" in recording.named(name).inputs["userData"]
    assert recording.exports["node_private_ips"] == ["10.64.0.10", "10.64.0.11", "10.64.0.10"]


def test_another_count_touches_no_other_node() -> None:
    def declared(count: int) -> Recording:
        spec = ClusterSpec(name="demo", node_groups=(NodeGroupSpec(name="workers", count=count),))
        return record(lambda: declare(spec, TOKEN))

    three, five = declared(3).shape(), declared(5).shape()
    assert {urn: five[urn] for urn in three} == three
    added = sorted(urn.rpartition("::")[2] for urn in five.keys() - three.keys())
    assert added == [f"demo-workers-{part}-{i}" for part in ("node", "role", "server") for i in (3, 4)]


def test_without_a_role_nothing_of_it_is_declared() -> None:
    spec = ClusterSpec(name="demo", node_role=NodeRoleSpec(enabled=False))
    recording = record(lambda: declare(spec, TOKEN))
    assert not [one for one in recording.resources.values() if "ram" in one.type.lower()]
    assert "alicloud:index/getCallerIdentity:getCallerIdentity" not in [token for token, _ in recording.calls]


def test_a_family_of_images_is_looked_up_and_an_id_is_not(demo: Recording) -> None:
    (lookup,) = (args for token, args in demo.calls if token == "alicloud:ecs/getImages:getImages")
    assert lookup == {
        "owners": "system",
        "nameRegex": r"^ubuntu_24_04_x64_\d+G_alibase_",
        "mostRecent": True,
        "instanceType": "ecs.gn7i-c8g1.2xlarge",
    }
    assert {one.inputs["imageId"] for one in demo.of_type(":Instance")} == {IMAGE_ID}

    for image in ("m-bp1abc", "aliyun_3_x64_20G_alibase_20260625.vhd"):
        spec = ClusterSpec(name="demo", node_groups=(NodeGroupSpec(name="workers", image=image),))
        recording = record(lambda spec=spec: declare(spec, TOKEN))
        assert {one.inputs["imageId"] for one in recording.of_type(":Instance")} == {image}
        assert "getImages" not in repr(recording.calls)


def test_a_family_that_the_region_lacks_is_said_by_name() -> None:
    with pytest.raises(DeployError, match="ubuntu_24_04") as caught:
        record(lambda: declare(ClusterSpec(name="demo"), TOKEN), images=[])
    assert "another family" in caught.value.hint


def test_a_preview_knows_all_that_is_known_before_deployment() -> None:
    recording = record(lambda: declare(ClusterSpec(name="demo"), TOKEN), preview=True)
    instance = recording.named("demo-workers-node-0")
    assert instance.inputs["imageId"] == IMAGE_ID
    assert instance.inputs["userData"].startswith("#!/bin/bash")
    assert [one.inputs["cidrBlock"] for one in recording.of_type(":Switch")] == [
        "10.64.0.0/20",
        "10.64.16.0/20",
    ]
