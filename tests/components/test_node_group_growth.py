"""What a node group can have beyond nodes: spot, disks, a place, RDMA, a key, drivers, a head of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from recording_monitor import Recording, record

from steelyard.components.driver import GPU_DRIVER, RDMA_DRIVER
from steelyard.components.node_group import NodeGroup, NodeGroupArgs
from steelyard.components.program import declare
from steelyard.spec import ClusterSpec, DataDiskSpec, DiskSpec, SpotSpec

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDyCATjlmIpgCyhyqNpyywOAEx8SpjvUKJCHGJYxMYi me@home"


def nodes(**changes: object) -> list[dict[str, Any]]:
    return [one.inputs for one in declared(**changes).of_type(":Instance")]


def declared(**changes: object) -> Recording:
    wanted = {
        "cluster": "demo",
        "group": "fast",
        "count": 2,
        "instance_type": "ecs.gn8is.2xlarge",
        "image_id": "m-1",
        "disk": DiskSpec(),
        "weight": 100,
        "vswitch_ids": ("vsw-a", "vsw-b"),
        "security_group_id": "sg-1",
        "server_group_id": "rsp-1",
        "gateway_port": 8000,
        "token": "t0ken",
    }
    return record(lambda: NodeGroup("demo-fast", NodeGroupArgs(**{**wanted, **changes})))


def cluster(**settings: object) -> Recording:
    spec = ClusterSpec(name="demo", target="alicloud", **settings)
    return record(lambda: declare(spec, "t0ken"))


class TestSpot:
    def test_it_is_bought_at_the_going_price(self) -> None:
        for node in nodes(spot=SpotSpec(enabled=True)):
            assert (node["spotStrategy"], node["spotInterruptionBehavior"]) == ("SpotAsPriceGo", "Terminate")
            assert "spotPriceLimit" not in node

    def test_or_up_to_a_limit(self) -> None:
        for node in nodes(spot=SpotSpec(enabled=True, max_price=3.5, interruption="stop")):
            assert (node["spotStrategy"], node["spotPriceLimit"]) == ("SpotWithPriceLimit", 3.5)
            assert node["spotInterruptionBehavior"] == "Stop"

    def test_not_unless_it_is_asked_for(self) -> None:
        assert not any(name.startswith("spot") for node in nodes() for name in node)


class TestDisks:
    def test_all_are_encrypted_and_go_with_the_node(self) -> None:
        disks = [DataDiskSpec(size_gib=200), DataDiskSpec(category="cloud_auto", size_gib=1000)]
        for node in nodes(data_disks=disks):
            assert node["systemDiskEncrypted"] is True
            assert node["dataDisks"] == [
                {"category": "cloud_essd", "size": 200, "encrypted": True, "deleteWithInstance": True},
                {"category": "cloud_auto", "size": 1000, "encrypted": True, "deleteWithInstance": True},
            ]


class TestPlacement:
    def test_near_each_other_is_in_one_zone_and_one_set(self) -> None:
        recording = declared(placement="low_latency")
        placed = recording.the(":EcsDeploymentSet")
        assert placed.inputs == {
            "deploymentSetName": "demo-fast",
            "description": "Nodes of the Steelyard cluster demo",
            "strategy": "LowLatency",
        }
        assert recording.parent_of(placed).type == "steelyard:index:NodeGroup"
        for node in recording.of_type(":Instance"):
            assert (node.inputs["vswitchId"], node.inputs["deploymentSetId"]) == ("vsw-a", "demo-fast-set-id")

    def test_apart_from_each_other_is_in_all_zones(self) -> None:
        recording = declared(placement="availability")
        assert recording.the(":EcsDeploymentSet").inputs["strategy"] == "Availability"
        assert [one.inputs["vswitchId"] for one in recording.of_type(":Instance")] == ["vsw-a", "vsw-b"]

    def test_without_it_there_is_no_set(self) -> None:
        assert declared().of_type(":EcsDeploymentSet") == []


class TestDrivers:
    def test_a_type_with_gpus_has_their_driver(self) -> None:
        assert all(GPU_DRIVER in node["userData"] for node in nodes())
        assert not any(GPU_DRIVER in node["userData"] for node in nodes(instance_type="ecs.g7.large"))

    def test_rdma_brings_its_interface_and_its_driver(self) -> None:
        for node in nodes(has_rdma=True, setup="# own lines\n"):
            assert node["networkInterfaceTrafficMode"] == "HighPerformance"
            assert RDMA_DRIVER in node["userData"]
            assert node["userData"].index("# own lines") < node["userData"].index(RDMA_DRIVER)
        assert not any("networkInterfaceTrafficMode" in node for node in nodes())

    @pytest.fixture
    def machine(self, tmp_path: Path):
        """Run the lines where every command that they could call writes down how it was called."""
        called = tmp_path / "called"
        for name in ("apt-get", "ubuntu-drivers", "dnf", "modprobe", "bash", "python3", "dpkg-query"):
            tool = tmp_path / name
            tool.write_text(f'#!/bin/bash\necho {name} "$@" >> {called}\n')
            tool.chmod(0o755)

        def run(lines: str, **environment: str) -> str:
            text = (
                f'set -euo pipefail\nstate={tmp_path}\nneeds_restart=""\n{lines}\necho end $needs_restart\n'
            )
            env = {"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}
            done = subprocess.run(
                ["/bin/bash", "-c", text], env=env, capture_output=True, text=True, timeout=60, check=True
            )
            assert done.stdout.startswith("end")
            return called.read_text() if called.exists() else ""

        return run

    def test_on_the_local_cloud_the_lines_do_nothing(self, machine) -> None:
        assert machine(GPU_DRIVER + RDMA_DRIVER, STEELYARD_METADATA_URL="http://127.0.0.1:1/") == ""

    def test_where_there_is_no_gpu_nothing_is_installed(self, machine) -> None:
        # No machine that runs these tests is expected to have one without its driver.
        assert "ubuntu-drivers" not in machine(GPU_DRIVER)

    def test_a_driver_that_is_loaded_is_left_alone(self, machine) -> None:
        assert machine(RDMA_DRIVER) == "modprobe erdma\n"


class TestHead:
    @pytest.fixture
    def with_head(self) -> Recording:
        groups = [
            {"name": "workers", "count": 2},
            {"name": "front", "count": 1, "instance_type": "ecs.g7.large", "head": True},
        ]
        return cluster(node_groups=groups)

    def test_a_head_of_its_own_comes_first_and_takes_no_work(self, with_head: Recording) -> None:
        head, *workers = with_head.of_type(":Instance")
        assert head.name == "demo-front-node-0"
        assert "--role head" in head.inputs["userData"]
        assert "--no-work" in head.inputs["userData"]
        assert head.inputs["tags"]["steelyard:role"] == "head"
        for one in workers:
            assert "--role worker" in one.inputs["userData"]
            assert "--head-address 10.64.0.10" in one.inputs["userData"]
            assert "--no-work" not in one.inputs["userData"]
        assert with_head.exports["node_ids"][0] == "demo-front-node-0-id"

    def test_otherwise_the_first_node_works_as_well(self, demo: Recording) -> None:
        head = demo.named("demo-workers-node-0")
        assert "--role head" in head.inputs["userData"]
        assert "--no-work" not in head.inputs["userData"]


class TestKeys:
    def test_a_public_key_becomes_the_key_pair_of_all_nodes(self) -> None:
        recording = cluster(access={"public_key": KEY})
        assert recording.the(":EcsKeyPair").inputs == {
            "keyPairName": "demo-nodes",
            "publicKey": KEY,
            "tags": {"steelyard:cluster": "demo"},
        }
        assert {one.inputs["keyName"] for one in recording.of_type(":Instance")} == {"demo-nodes"}

    def test_one_that_exists_is_taken_as_it_is(self) -> None:
        recording = cluster(access={"key_pair": "my-laptop"})
        assert recording.of_type(":EcsKeyPair") == []
        assert {one.inputs["keyName"] for one in recording.of_type(":Instance")} == {"my-laptop"}

    def test_without_either_there_is_none(self, demo: Recording) -> None:
        assert not any("keyName" in one.inputs for one in demo.of_type(":Instance"))


def test_groups_of_different_types_stand_side_by_side() -> None:
    groups = [
        {"name": "fast", "count": 1, "instance_type": "ecs.gn7i-c8g1.2xlarge", "weight": 100},
        {"name": "slow", "count": 2, "instance_type": "ecs.gn6i-c4g1.xlarge", "weight": 33},
    ]
    recording = cluster(node_groups=groups)
    types = {one.name: one.inputs["instanceType"] for one in recording.of_type(":Instance")}
    assert types == {
        "demo-fast-node-0": "ecs.gn7i-c8g1.2xlarge",
        "demo-slow-node-0": "ecs.gn6i-c4g1.xlarge",
        "demo-slow-node-1": "ecs.gn6i-c4g1.xlarge",
    }
    weights = [one.inputs["weight"] for one in recording.of_type(":ServerGroupServerAttachment")]
    assert weights == [100, 33, 33]
