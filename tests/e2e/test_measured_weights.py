"""A cluster whose load balancer follows the speed that training measures, as a user brings it up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest
from command_line import CommandLine, wait_for

from steelyard.cluster import Cluster, Home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

CHECK = {"interval_s": 1, "timeout_s": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}
TRAINING = Path(__file__).parents[2] / "examples" / "char_lm" / "train.py"


def write_spec(line: CommandLine, kind: str) -> None:
    groups = [
        {"name": "fast", "count": 1, "instance_type": "ecs.gn7i-c8g1.2xlarge", "weight": 100},
        {"name": "slow", "count": 1, "instance_type": "ecs.gn6i-c4g1.xlarge", "weight": 100},
    ]
    balancer = {"kind": kind, "weights": "measured", "health_check": CHECK}
    spec = {"name": "weighed", "node_groups": groups, "load_balancer": balancer}
    (line.folder / "cluster.yaml").write_text(json.dumps(spec))


def weights(line: CommandLine) -> dict[str, int]:
    """Ask the cloud for the server group's weights, as `steelyard status` does."""
    return {node["id"]: node["weight"] for node in line.json("status")["nodes"]}


def share_of(node_id: str, url: str) -> float:
    """Give the part of 80 requests that a node answers."""
    answers = Counter(
        httpx.get(f"{url}/healthz", trust_env=False, timeout=30).json()["node_id"] for _ in range(80)
    )
    return answers[node_id] / 80


def metrics(line: CommandLine, address: str) -> list[str]:
    """Ask one node for its metrics."""
    with Cluster.open(Home(root=line.folder / "home"), "weighed").gateway() as gateway:
        headers = {"Authorization": f"Bearer {gateway.token}"}
    answer = httpx.get(f"http://{address}:8000/metrics", headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == 200
    return answer.text.splitlines()


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_the_load_balancer_learns_how_fast_nodes_are_and_no_up_takes_it_back(
    steelyard: CommandLine, kind: str
) -> None:
    write_spec(steelyard, kind)
    up = steelyard.json("up", timeout_s=300)
    url = up["outputs"]["gateway_url"]
    fast, slow = (node["id"] for node in up["nodes"])
    assert weights(steelyard) == {fast: 100, slow: 100}
    assert 0.35 < share_of(slow, url) < 0.65

    job = steelyard.json("train", "--detach", str(TRAINING), "--steps", "100000")
    wait_for(lambda: weights(steelyard)[slow] < 50, timeout_s=120, what="the slow node gets less")
    steelyard("jobs", "cancel", job["id"])

    learnt = weights(steelyard)
    assert learnt[fast] == 100
    assert 25 <= learnt[slow] <= 42, "a third of the other's speed"
    assert 0.18 < share_of(slow, url) < 0.33, "a quarter of the requests"

    shown = metrics(steelyard, up["nodes"][0]["private_ip"])
    for node_id, weight in learnt.items():
        assert f'steelyard_load_balancer_weight{{node_id="{node_id}"}} {weight}.0' in shown
    assert "steelyard_load_balancer_weight_errors_total 0.0" in shown

    assert set(steelyard.json("up")["changes"]) == {"same"}
    assert set(steelyard.json("up", "--refresh")["changes"]) == {"same"}
    assert weights(steelyard) == learnt
