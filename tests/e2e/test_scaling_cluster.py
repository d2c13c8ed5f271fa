"""A cluster whose nodes come and go, as a user brings it up."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from cloud_api import api_of
from command_line import CommandLine, clear, wait_for

from steelyard.cluster import Cluster, Home
from steelyard.deploy.provider.api import ESS, Api
from steelyard.errors import SteelyardError
from steelyard.localcloud import daemon

pytestmark = [pytest.mark.slow, pytest.mark.timeout(800)]

CHECK = {"interval_s": 1, "timeout_s": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}


@pytest.fixture
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(folder=tmp_path_factory.mktemp("scaling"))
    try:
        yield line
    finally:
        clear(line)


def write_spec(line: CommandLine, *, kind: str, most: int = 2, weight: int = 100) -> None:
    scaling = {"max": most, "cooldown_s": 0, "drain_timeout_s": 120, "target_cpu_percent": 90}
    group = {"name": "workers", "count": 1, "weight": weight, "scaling": scaling}
    spec = {"name": "grow", "node_groups": [group], "load_balancer": {"kind": kind, "health_check": CHECK}}
    (line.folder / "cluster.yaml").write_text(json.dumps(spec))


def cloud_api(line: CommandLine) -> Api:
    info = daemon.status(Home(root=line.folder / "home").cloud_dir)
    assert info is not None
    return api_of(info, timeout_s=60)


def members(api: Api, group_id: str) -> dict[str, str]:
    answer = api.call(ESS, "DescribeScalingInstances", {"ScalingGroupId": group_id, "PageSize": 50})
    return {row["InstanceId"]: row["LifecycleState"] for row in answer["ScalingInstances"]["ScalingInstance"]}


def alive(cluster: Cluster) -> set[str]:
    """Give the nodes that Ray has."""
    try:
        with cluster.gateway(keeps_connections=False) as gateway:
            return {node["node_id"] for node in gateway.nodes() if node["is_alive"]}
    except SteelyardError:
        return set()


def job_state(cluster: Cluster, job_id: str) -> str:
    with cluster.gateway(keeps_connections=False) as gateway:
        return str(gateway.job(job_id)["state"])


@pytest.mark.parametrize("kind", ["classic", "network"])
def test_scaled_nodes_join_serve_survive_an_up_drain_and_go(line: CommandLine, kind: str, tmp_path) -> None:
    write_spec(line, kind=kind)
    up = line.json("up")
    assert set(up["changes"]) == {"create"}
    url = up["outputs"]["gateway_url"]
    cluster = Cluster.open(Home(root=line.folder / "home"), "grow")
    api = cloud_api(line)
    (group,) = api.call(ESS, "DescribeScalingGroups", {})["ScalingGroups"]["ScalingGroup"]
    group_id = group["ScalingGroupId"]
    assert members(api, group_id) == {}

    api.call(ESS, "ModifyScalingGroup", {"ScalingGroupId": group_id, "DesiredCapacity": 1})
    wait_for(
        lambda: set(members(api, group_id).values()) == {"InService"},
        timeout_s=60,
        what="a member in service",
    )
    (member,) = members(api, group_id)
    wait_for(lambda: member in alive(cluster), timeout_s=90, what="the member in the cluster")

    # It takes requests and jobs as the fixed node does.
    def answering() -> set[str]:
        answers = [httpx.get(f"{url}/healthz", trust_env=False, timeout=30) for _ in range(20)]
        return {one.json()["node_id"] for one in answers if one.status_code == 200}

    wait_for(lambda: member in answering() and len(answering()) == 2, timeout_s=60, what="both nodes answer")
    seen = {node["id"]: (node["weight"], node["health"]) for node in line.json("status")["nodes"]}
    assert seen[member] == (100, "normal")
    assert len(seen) == 2

    (tmp_path / "hello.py").write_text("import os\nprint('hello from rank', os.environ['RANK'])\n")
    job = line.json("train", "--detach", str(tmp_path / "hello.py"))
    assert "hello from rank 1" in line("jobs", "logs", job["id"], "--follow").stdout

    # A later `up`, with a change of the fixed node and of the bounds, keeps it and its place in the server group.
    assert set(line.json("up")["changes"]) == {"same"}
    # A refresh sees that another number is wanted by now, and that is left alone, too.
    assert set(line.json("up", "--refresh")["changes"]) == {"same"}
    assert set(members(api, group_id)) == {member}
    write_spec(line, kind=kind, most=3)
    assert line.json("up")["changes"]["update"] == 1
    assert set(members(api, group_id)) == {member}
    wait_for(lambda: member in answering(), timeout_s=90, what="the member answers after an up")

    # A job on it runs to its own end, and then it goes.
    go = tmp_path / "go"
    waiting = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)\n"
    (tmp_path / "long.py").write_text(f"{waiting}print('done in peace')\n")
    job = line.json("train", "--detach", str(tmp_path / "long.py"))
    wait_for(lambda: job_state(cluster, job["id"]) == "running", timeout_s=60, what="the job runs")
    api.call(ESS, "ModifyScalingGroup", {"ScalingGroupId": group_id, "DesiredCapacity": 0})
    wait_for(
        lambda: members(api, group_id).get(member) == "Removing:Wait", timeout_s=90, what="it waits to drain"
    )
    wait_for(
        lambda: bool(left := alive(cluster)) and member not in left,
        timeout_s=90,
        what="no more jobs are started there",
    )
    assert members(api, group_id) == {member: "Removing:Wait"}
    assert job_state(cluster, job["id"]) == "running"
    go.touch()
    assert "done in peace" in line("jobs", "logs", job["id"], "--follow").stdout
    assert job_state(cluster, job["id"]) == "succeeded"
    wait_for(lambda: members(api, group_id) == {}, timeout_s=90, what="the member is gone")
    assert line.json("down")["changes"].keys() == {"delete"}
