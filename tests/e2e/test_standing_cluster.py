from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

import httpx
import pytest
from command_line import CommandLine

from steelyard.cluster import Cluster, Home
from steelyard.node.packing import pack_files

CHAR_LM = Path(__file__).parents[2] / "examples" / "char_lm" / "train.py"
HELLO = "import os\nprint('hello from rank', os.environ['RANK'])\n"

pytestmark = pytest.mark.timeout(300)


def gateway_url(standing: CommandLine) -> str:
    url: str = standing.json("status")["outputs"]["gateway_url"]
    return url


def test_status_shows_three_healthy_nodes_with_their_weights(standing: CommandLine) -> None:
    nodes = standing.json("status")["nodes"]

    assert [node["is_healthy"] for node in nodes] == [True, True, True]
    assert sorted(node["weight"] for node in nodes) == [33, 100, 100]
    assert len({node["private_ip"] for node in nodes}) == 3
    assert len({node["zone_id"] for node in nodes}) == 2


def test_the_outputs_are_those_of_the_article_and_keep_the_token_secret(standing: CommandLine) -> None:
    outputs = standing.json("status")["outputs"]

    assert {"vpc_id", "vswitch_ids", "security_group_id", "slb_id", "load_balancer_address"} <= set(outputs)
    assert outputs["gateway_token"] == "[secret]"


def test_up_again_changes_nothing(standing: CommandLine) -> None:
    changes = standing.json("up")["changes"]

    assert set(changes) == {"same"}


def test_requests_are_spread_in_proportion_to_the_weights(standing: CommandLine) -> None:
    weights = {node["id"]: node["weight"] for node in standing.json("status")["nodes"]}
    cluster = Cluster.open(Home(root=standing.folder / "home"), "e2e")

    with cluster.gateway(keeps_connections=False) as gateway:
        counts = Counter(gateway.health()["node_id"] for _ in range(100))

    for node_id, weight in weights.items():
        assert abs(counts[node_id] - 100 * weight / sum(weights.values())) <= 2, counts


def test_a_request_without_the_token_is_refused(standing: CommandLine) -> None:
    url = gateway_url(standing)

    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic d3Jvbmc="}):
        assert httpx.get(f"{url}/v1/jobs", headers=headers, trust_env=False, timeout=30).status_code == 401


def test_ten_jobs_are_taken_by_several_gateways_and_all_succeed(standing: CommandLine) -> None:
    package = base64.b64encode(pack_files({"hello.py": HELLO})).decode()
    request = {"name": "hello", "script": "hello.py", "package": package, "num_nodes": 1}
    cluster = Cluster.open(Home(root=standing.folder / "home"), "e2e")

    with cluster.gateway(keeps_connections=False) as gateway:
        ids = {gateway.submit(request)["id"] for _ in range(10)}
        logs = ["\n".join(gateway.logs(job_id, follow=True)) for job_id in ids]
        records = [record for record in gateway.jobs() if record["id"] in ids]

    assert all("hello from rank 0" in log for log in logs)
    assert len(records) == 10
    assert {record["state"] for record in records} == {"succeeded"}
    assert len({record["accepted_by"] for record in records}) > 1


def test_training_follows_its_job_to_the_end(standing: CommandLine) -> None:
    done = standing("train", str(CHAR_LM), "--steps", "12", "--output", "json", expect=0)
    record = json.loads(done.stdout.splitlines()[-1])

    assert record["state"] == "succeeded"
    assert [node["exit_code"] for node in record["nodes"]] == [0, 0, 0]
    assert "imitated accelerator" in done.stderr
    assert "share" in done.stderr


def test_training_that_is_over_says_where_the_words_of_its_script_are(
    standing: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hello.py").write_text(HELLO)
    done = standing("train", str(tmp_path / "hello.py"), "--output", "json", expect=0)
    job_id = json.loads(done.stdout)["id"]
    hint = f"steelyard jobs logs {job_id}"
    assert hint in " ".join(done.stderr.split())
    assert "hello from rank 0" in standing(*hint.split()[1:], expect=0).stdout


def test_a_script_that_fails_ends_the_command_with_its_last_lines(
    standing: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('the data is not there')\n")

    done = standing("train", str(tmp_path / "broken.py"), expect=1)

    assert "ValueError: the data is not there" in done.stderr
    assert "error: job-" in done.stderr


def test_a_running_job_can_be_cancelled(standing: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    job_id = standing.json("train", "--detach", str(tmp_path / "endless.py"))["id"]

    standing("jobs", "cancel", job_id)

    standing("jobs", "logs", job_id, "--follow")
    assert standing.json("jobs", "show", job_id)["state"] == "cancelled"


def test_the_token_is_in_no_file_of_the_stack(standing: CommandLine) -> None:
    home = Home(root=standing.folder / "home")
    with Cluster.open(home, "e2e").gateway() as gateway:
        token = gateway.token

    stack = [path for path in home.stack_dir("e2e").rglob("*") if path.is_file()]
    assert stack
    assert not [path for path in stack if token.encode() in path.read_bytes()]
    assert {path.stat().st_mode & 0o077 for path in stack} == {0}
