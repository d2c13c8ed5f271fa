"""A cluster behind a network load balancer, as a user brings it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from command_line import CommandLine, clear

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BALANCER = {
    "kind": "network",
    "scheduler": "wlc",
    "drain_timeout_s": 30,
    "health_check": {"interval_s": 1, "timeout_s": 2, "healthy_threshold": 2, "unhealthy_threshold": 2},
}


def write_spec(line: CommandLine, slow_weight: int) -> None:
    groups = [
        {"name": "fast", "count": 1},
        {"name": "slow", "count": 1, "instance_type": "ecs.gn6i-c4g1.xlarge", "weight": slow_weight},
    ]
    spec = {"name": "network", "node_groups": groups, "load_balancer": BALANCER}
    (line.folder / "cluster.yaml").write_text(yaml.safe_dump(spec))


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(folder=tmp_path_factory.mktemp("network"))
    try:
        yield line
    finally:
        clear(line)


def test_a_cluster_on_a_network_load_balancer_lives_its_whole_life(line: CommandLine, tmp_path: Path) -> None:
    write_spec(line, slow_weight=33)
    up = line.json("up")
    assert set(up["changes"]) == {"create"}
    assert [(node["weight"], node["health"]) for node in up["nodes"]] == [(100, "normal"), (33, "normal")]
    url = up["outputs"]["gateway_url"]
    assert httpx.get(f"{url}/healthz", trust_env=False).json()["status"] == "ok"

    (tmp_path / "hello.py").write_text("import os\nprint('hello from rank', os.environ['RANK'])\n")
    job = line.json("train", "--detach", str(tmp_path / "hello.py"))
    assert "hello from rank 1" in line("jobs", "logs", job["id"], "--follow").stdout

    assert set(line.json("up")["changes"]) == {"same"}

    write_spec(line, slow_weight=0)
    assert line.json("up")["changes"]["update"] == 1
    assert [node["weight"] for node in line.json("status")["nodes"]] == [100, 0]
    names = {httpx.get(f"{url}/healthz", trust_env=False).json()["node_id"] for _ in range(20)}
    assert names == {up["nodes"][0]["id"]}

    assert line.json("cloud", "stop")["left"] == []
    again = line.json("up")
    assert set(again["changes"]) == {"same"}
    assert [node["health"] for node in again["nodes"]] == ["normal", "normal"]
    assert httpx.get(f"{url}/healthz", trust_env=False).json()["node_id"] == up["nodes"][0]["id"]

    assert line.json("down")["changes"].keys() == {"delete"}
