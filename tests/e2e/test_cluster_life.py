from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import CommandLine, wait_for
from interruption import heeding_interruptions

pytestmark = pytest.mark.timeout(600)


def gateway_process(private_ip: str) -> psutil.Process:
    """Return the process that serves the gateway of a node."""
    for connection in psutil.net_connections(kind="tcp"):
        is_gateway = connection.status == psutil.CONN_LISTEN and connection.laddr == (private_ip, 8000)
        if is_gateway and connection.pid:
            return psutil.Process(connection.pid)
    raise AssertionError(f"nothing listens on {private_ip}:8000")


def changed(steps: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(step["op"], step["type"].rsplit(":", 1)[-1]) for step in steps if step["op"] != "same"}


def test_a_cluster_grows_loses_a_node_shrinks_and_ends_without_a_trace(steelyard: CommandLine) -> None:
    steelyard.write_spec(workers=1)
    first = steelyard.json("up")
    assert first["changes"]["create"] > 10

    steelyard.write_spec(workers=2)
    added = changed(steelyard.json("preview")["steps"])
    assert added == {
        ("create", "Instance"),
        ("create", "ServerGroupServerAttachment"),
        ("create", "RamRoleAttachment"),
    }
    grown = steelyard.json("up")
    assert grown["changes"]["create"] == 3
    assert set(grown["changes"]) == {"create", "same"}
    head, worker = (node["id"] for node in grown["nodes"])
    assert head == first["nodes"][0]["id"]

    os.kill(gateway_process(grown["nodes"][1]["private_ip"]).pid, signal.SIGKILL)
    # Each look is a command of its own, whose start takes seconds where the machine is busy.
    wait_for(lambda: not health(steelyard)[worker], timeout_s=90, what="the killed node is out of rotation")
    assert health(steelyard)[head]

    steelyard.write_spec(workers=1)
    shrunk = steelyard.json("up")
    assert shrunk["changes"]["delete"] == 3
    assert [node["id"] for node in shrunk["nodes"]] == [head]

    steelyard("down")
    left = [process for process in psutil.process_iter(["cmdline"]) if names(process, steelyard.folder)]
    assert left == []


def test_a_node_that_died_is_told_by_up_and_started_again_by_its_refresh(steelyard: CommandLine) -> None:
    steelyard.write_spec(workers=2)
    head, worker = (node["id"] for node in steelyard.json("up")["nodes"])

    steelyard("cloud", "fault", "kill", worker)

    assert health(steelyard) == {head: True, worker: False}
    told = steelyard("up", expect=3).stderr
    assert f"{worker} of 2 nodes: Stopped" in told
    assert "`steelyard up --refresh` starts what stopped again" in told
    mended = steelyard.json("up", "--refresh")
    assert mended["changes"]["update"] == 1
    assert set(mended["changes"]) == {"update", "same"}
    assert [node["id"] for node in mended["nodes"]] == [head, worker]
    assert health(steelyard) == {head: True, worker: True}
    assert set(steelyard.json("up")["changes"]) == {"same"}


def test_an_interrupted_up_is_told_by_status_and_cleared_by_down(steelyard: CommandLine) -> None:
    steelyard.write_spec(workers=2)
    steelyard("cloud", "start")
    # What comes after the instances does not come to its end before the interruption.
    steelyard("cloud", "fault", "throttle", "AddVServerGroupBackendServers")
    with heeding_interruptions():
        up = subprocess.Popen(
            [sys.executable, "-m", "steelyard.cli", "up"],
            cwd=steelyard.folder,
            env=steelyard.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert up.stderr is not None
    for line in up.stderr:
        if "Instance" in line:
            up.send_signal(signal.SIGINT)
            break
    assert "interrupted" in up.communicate(timeout=120)[1]
    assert up.returncode == 130

    told = steelyard.json("status", expect=3)
    assert not told["is_settled"]
    assert len(told["nodes"]) == told["resources"]["alicloud:ecs/instance:Instance"] >= 1

    steelyard("down")
    steelyard("status", expect=2)
    assert steelyard.json("cloud", "stop")["left"] == []


def test_a_preview_leaves_everything_as_it_was(steelyard: CommandLine) -> None:
    steelyard.write_spec(workers=1)

    steps = steelyard.json("preview")["steps"]

    assert {step["op"] for step in steps} == {"create"}
    assert [path for path in (steelyard.folder / "home").rglob("*") if path.is_file()] == []
    steelyard("cloud", "status", expect=1)


def health(steelyard: CommandLine) -> dict[str, bool]:
    """Return the nodes' health; `status` exits with 3 where one is unhealthy, so the exit code follows it."""
    done = subprocess.run(
        [sys.executable, "-m", "steelyard.cli", "status", "--output", "json"],
        cwd=steelyard.folder,
        env=steelyard.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    nodes = {node["id"]: node["is_healthy"] for node in json.loads(done.stdout.splitlines()[-1])["nodes"]}
    assert done.returncode == (0 if all(nodes.values()) else 3)
    return nodes


def names(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in word for word in process.info["cmdline"] or [])
