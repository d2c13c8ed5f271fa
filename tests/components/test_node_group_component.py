from __future__ import annotations

from recording_monitor import Recording, record

from steelyard.components.node_group import NodeGroup, NodeGroupArgs
from steelyard.spec import DiskSpec


def declared(**changes: object) -> Recording:
    wanted = {
        "cluster": "demo",
        "group": "slow",
        "count": 3,
        "instance_type": "ecs.gn6i-c4g1.xlarge",
        "image_id": "m-1",
        "disk": DiskSpec(),
        "weight": 33,
        "vswitch_ids": ("vsw-a", "vsw-b"),
        "security_group_id": "sg-1",
        "server_group_id": "rsp-1",
        "gateway_port": 8000,
        "token": "t0ken",
    }
    args = NodeGroupArgs(**{**wanted, **changes})
    return record(lambda: NodeGroup("demo-slow", args))


def test_a_node_is_hardened_and_named_for_its_place(demo: Recording) -> None:
    inputs = dict(demo.named("demo-workers-node-1").inputs)
    assert inputs.pop("userData").startswith("#!/bin/bash\n")
    assert inputs == {
        "instanceName": "demo-workers-1",
        "hostName": "demo-workers-1",
        "instanceType": "ecs.gn7i-c8g1.2xlarge",
        "instanceChargeType": "PostPaid",
        "imageId": "ubuntu_24_04_x64_20G_alibase_20260618.vhd",
        "vswitchId": "demo-network-vswitch-cn-hangzhou-i-id",
        "securityGroups": ["demo-firewall-group-id"],
        "internetMaxBandwidthOut": 0,
        "systemDiskCategory": "cloud_essd",
        "systemDiskSize": 100,
        "systemDiskEncrypted": True,
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "status": "Running",
        "tags": {
            "steelyard:cluster": "demo",
            "steelyard:group": "workers",
            "steelyard:role": "worker",
        },
    }


def test_nodes_take_the_zones_by_turns() -> None:
    nodes = declared(count=5).of_type(":Instance")
    assert [one.inputs["vswitchId"] for one in nodes] == ["vsw-a", "vsw-b", "vsw-a", "vsw-b", "vsw-a"]


def test_each_node_is_attached_with_the_weight_of_its_group() -> None:
    recording = declared()
    assert [one.inputs for one in recording.of_type(":ServerGroupServerAttachment")] == [
        {
            "serverGroupId": "rsp-1",
            "serverId": f"demo-slow-node-{i}-id",
            "port": 8000,
            "weight": 33,
            "type": "ecs",
        }
        for i in range(3)
    ]
    assert all(one.deletes_before_replace for one in recording.of_type(":ServerGroupServerAttachment"))


def test_each_node_acts_under_the_role() -> None:
    assert [one.inputs for one in declared(role_name="r").of_type(":RamRoleAttachment")] == [
        {"instanceId": f"demo-slow-node-{i}-id", "ramRoleName": "r"} for i in range(3)
    ]
    assert not declared(role_name=None).of_type(":RamRoleAttachment")


def test_the_first_node_is_the_head_unless_there_is_one() -> None:
    def roles(recording: Recording) -> list[str]:
        return [one.inputs["tags"]["steelyard:role"] for one in recording.of_type(":Instance")]

    assert roles(declared()) == ["head", "worker", "worker"]
    assert roles(declared(head_address="10.0.0.7")) == ["worker", "worker", "worker"]


def test_user_data_is_a_secret_that_holds_the_token_and_the_way_to_the_head() -> None:
    head, *workers = declared().of_type(":Instance")
    assert "t0ken" in head.inputs["userData"]
    assert "--head-address" not in head.inputs["userData"]
    assert "--role head" in head.inputs["userData"]
    for one in workers:
        assert "t0ken" in one.inputs["userData"]
        assert "--head-address 10.64.0.10" in one.inputs["userData"]
    for one in (head, *workers):
        assert "userData" in one.secret_inputs
        assert "userData" in one.secret_outputs


def test_nodes_boot_once_the_way_is_open(demo: Recording) -> None:
    rules = {one.urn for one in demo.of_type(":SecurityGroupRule")}
    for node in demo.of_type(":Instance"):
        assert rules <= node.dependencies
