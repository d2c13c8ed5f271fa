"""Training on spot instances with checkpoints in the cluster's own bucket, from the file to the last step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import CommandLine, wait_for

from steelyard.cluster import Cluster, Home

CHAR_LM = str(Path(__file__).parents[2] / "examples" / "char_lm" / "train.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def write_cluster(folder: Path) -> None:
    instance_type = "ecs.gn7i-c8g1.2xlarge"
    spec = {
        "name": "spotty",
        "node_groups": [
            {"name": "head", "count": 1, "instance_type": instance_type},
            {"name": "spot", "count": 1, "instance_type": instance_type, "spot": {"enabled": True}},
        ],
        "checkpoints": {"kind": "oss", "force_destroy": True},
    }
    (folder / "cluster.yaml").write_text(json.dumps(spec))


def job(steelyard: CommandLine, job_id: str) -> dict[str, Any]:
    """Ask the gateways; a command of its own would take seconds of those in which the job runs."""
    cluster = Cluster.open(Home(root=steelyard.folder / "home"), "spotty")
    with cluster.gateway(keeps_connections=False) as gateway:
        return dict(gateway.followed_job(job_id))


def step_of(steelyard: CommandLine, job_id: str) -> int:
    return int((job(steelyard, job_id)["last_event"] or {"step": 0})["step"])


def test_a_node_taken_back_costs_no_step_and_the_bucket_holds_the_end(steelyard: CommandLine) -> None:
    write_cluster(steelyard.folder)
    steelyard("up", timeout_s=300)
    nodes = steelyard.json("status")["nodes"]
    train = ("train", "--checkpoint", "run-1", "--checkpoint-every", "50")
    tail = (CHAR_LM, "--no-validate", "--steps")
    job_id = steelyard.json(*train, "--nodes", "1:2", "--detach", *tail, "220")["id"]
    wait_for(lambda: step_of(steelyard, job_id) >= 20, timeout_s=180, what="20 steps")
    assert len(job(steelyard, job_id)["last_event"]["nodes"]) == 2

    spot = nodes[1]["id"]
    steelyard("cloud", "fault", "reclaim", spot, "--after", "40")
    url = f"http://{nodes[1]['private_ip']}:8000/healthz"
    wait_for(
        lambda: httpx.get(url, trust_env=False, timeout=30).status_code == 503, timeout_s=35, what="it drains"
    )
    assert httpx.get(url, trust_env=False, timeout=30).json()["reason"].startswith("draining: ")
    wait_for(lambda: job(steelyard, job_id)["state"] == "succeeded", timeout_s=240, what="the job ends")

    record = job(steelyard, job_id)
    assert [node["exit_code"] for node in record["nodes"]] == [0, 143]
    assert len(record["last_event"]["nodes"]) == 1
    log = steelyard("jobs", "logs", job_id).stdout
    assert "(reclaim); the others go on" in log

    longer = steelyard.json(*train, "--num-nodes", "1", "--nproc-per-node", "2", *tail, "230")
    assert (longer["state"], len(longer["nodes"])) == ("succeeded", 2)
    assert longer["last_event"]["step"] == 230
    assert longer["gain"]["num_steps"] < 20  # it went on from step 220
