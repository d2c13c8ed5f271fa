from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from steelyard.node.job.actor import cluster_nodes
from steelyard.node.ray_cluster import gcs_port, ray_environment, ray_token
from steelyard.node.ray_process import bridge_environment


def test_every_node_finds_the_gcs_port_from_the_heads_address() -> None:
    assert gcs_port("10.64.0.10") == 6379
    ports = {gcs_port(f"127.64.{index}.10") for index in range(50)}
    assert len(ports) > 45
    assert all(20000 <= port < 30000 for port in ports)
    assert gcs_port("127.64.0.10") == gcs_port("127.64.0.10")


def test_rays_token_comes_from_the_bearer_token_and_does_not_hold_it() -> None:
    assert ray_token("secret") == ray_token("secret") != ray_token("secret2")
    assert len(ray_token("secret")) == 64
    assert "secret" not in ray_token("secret")


def test_the_bridge_does_not_inherit_another_rays_settings(tmp_path: Path) -> None:
    variables = ray_environment(
        token_file=tmp_path / "token", shim=tmp_path / "shim.so", address="127.64.0.10"
    )
    merged = bridge_environment(
        {"RAY_ADDRESS": "elsewhere", "PATH": "/bin", "LD_PRELOAD": "/lib/x.so"}, variables
    )
    assert "RAY_ADDRESS" not in merged
    assert merged["PATH"] == "/bin"
    assert merged["LD_PRELOAD"] == f"{tmp_path}/shim.so:/lib/x.so"
    assert merged["RAY_AUTH_MODE"] == "token"
    assert merged["STEELYARD_BIND_ADDRESS"] == "127.64.0.10"


def entry(node_id: str | None, ip: str, *, is_alive: bool, ray_id: str) -> dict[str, object]:
    labels = (
        {} if node_id is None else {"steelyard.dev/node-id": node_id, "steelyard.dev/imitated-speed": "0.5"}
    )
    return {"NodeID": ray_id, "NodeManagerAddress": ip, "Alive": is_alive, "Labels": labels}


def test_a_node_that_came_back_is_listed_once_and_alive() -> None:
    nodes = cluster_nodes(
        [
            entry("i-2", "10.0.0.12", is_alive=True, ray_id="c"),
            entry("i-1", "10.0.0.9", is_alive=True, ray_id="b"),
            entry("i-1", "10.0.0.9", is_alive=False, ray_id="a"),
            entry(None, "10.0.0.1", is_alive=True, ray_id="d"),
        ]
    )
    assert [(node.node_id, node.ray_node_id, node.is_alive) for node in nodes] == [
        ("i-1", "b", True),
        ("i-2", "c", True),
    ]
    assert nodes[0].imitated_speed == 0.5
    assert all(node.takes_work for node in nodes)


def test_the_accelerators_of_a_node_are_those_that_ray_found() -> None:
    with_two = entry("i-1", "10.0.0.9", is_alive=True, ray_id="a") | {"Resources": {"CPU": 8.0, "GPU": 2.0}}
    without = entry("i-2", "10.0.0.12", is_alive=True, ray_id="b") | {"Resources": {"CPU": 8.0}}
    assert [node.num_gpus for node in cluster_nodes([with_two, without])] == [2, 0]


def test_a_dedicated_head_is_told_by_its_label() -> None:
    dedicated = entry("i-1", "10.0.0.9", is_alive=True, ray_id="b")
    dedicated["Labels"] = {**dedicated["Labels"], "steelyard.dev/takes-work": "no"}  # type: ignore[dict-item]
    (node,) = cluster_nodes([dedicated])
    assert not node.takes_work


def test_the_launcher_and_the_gateway_are_imported_without_torch_and_ray() -> None:
    code = (
        "import sys, steelyard.training.launcher, steelyard.node.main;"
        "import steelyard.node.gateway.app, steelyard.node.job.actor;"
        "print([name for name in ('torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
