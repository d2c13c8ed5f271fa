"""A cluster behind a load balancer that stands in every zone, as a user brings it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from command_line import CommandLine, clear

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BALANCER = {
    "scheduler": "wlc",
    "drain_timeout_s": 30,
    "health_check": {"interval_s": 1, "timeout_s": 5, "healthy_threshold": 2, "unhealthy_threshold": 2},
}


OF_A_KIND = {
    "network": {},
    # Nobody listens there: what a rule sends to it is answered by the load balancer.
    "application": {"rules": [{"name": "absent", "paths": ["/absent/*"], "port": 9100}]},
}


def write_spec(line: CommandLine, kind: str, slow_weight: int) -> None:
    groups = [
        {"name": "fast", "count": 1},
        {"name": "slow", "count": 1, "instance_type": "ecs.gn6i-c4g1.xlarge", "weight": slow_weight},
    ]
    balancer = {"kind": kind, **BALANCER, **OF_A_KIND[kind]}
    spec = {"name": kind, "node_groups": groups, "load_balancer": balancer}
    (line.folder / "cluster.yaml").write_text(yaml.safe_dump(spec))


@pytest.fixture
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(folder=tmp_path_factory.mktemp("zonal"))
    try:
        yield line
    finally:
        clear(line)


@pytest.mark.parametrize("kind", ["network", "application"])
def test_a_cluster_on_it_lives_its_whole_life(line: CommandLine, tmp_path: Path, kind: str) -> None:
    write_spec(line, kind, slow_weight=33)
    up = line.json("up")
    assert set(up["changes"]) == {"create"}
    assert [(node["weight"], node["health"]) for node in up["nodes"]] == [(100, "normal"), (33, "normal")]
    url = up["outputs"]["gateway_url"]
    assert httpx.get(f"{url}/healthz", trust_env=False, timeout=30).json()["status"] == "ok"

    absent = httpx.get(f"{url}/absent/page", trust_env=False, timeout=30).status_code
    assert absent == (503 if kind == "application" else 401)

    (tmp_path / "hello.py").write_text("import os\nprint('hello from rank', os.environ['RANK'])\n")
    job = line.json("train", "--detach", str(tmp_path / "hello.py"))
    assert "hello from rank 1" in line("jobs", "logs", job["id"], "--follow").stdout

    assert set(line.json("up")["changes"]) == {"same"}

    write_spec(line, kind, slow_weight=0)
    # An application one lists the nodes in each of its server groups.
    assert line.json("up")["changes"]["update"] == (2 if kind == "application" else 1)
    assert [node["weight"] for node in line.json("status")["nodes"]] == [100, 0]
    names = {httpx.get(f"{url}/healthz", trust_env=False, timeout=30).json()["node_id"] for _ in range(20)}
    assert names == {up["nodes"][0]["id"]}

    assert line.json("cloud", "stop")["left"] == []
    again = line.json("up")
    assert set(again["changes"]) == {"same"}
    assert [node["health"] for node in again["nodes"]] == ["normal", "normal"]
    assert httpx.get(f"{url}/healthz", trust_env=False, timeout=30).json()["node_id"] == up["nodes"][0]["id"]

    assert line.json("down")["changes"].keys() == {"delete"}
