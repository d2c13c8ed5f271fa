from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steelyard.localcloud import daemon
from steelyard.localcloud.hosts.choice import HostChoice, choose, missing_part


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    daemon.stop(tmp_path / "cloud")


def cloud(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "steelyard.cli", "cloud", *arguments],
        env={**os.environ, "STEELYARD_HOME": str(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_the_host_is_asked_for_at_the_start_told_by_status_and_kept_while_the_cloud_runs(home):
    if reason := missing_part():
        refused = cloud(home, "start", "--host", "namespace")
        assert refused.returncode == 1
        assert reason in refused.stderr
        return
    started = cloud(home, "start", "--host", "namespace", "--output", "json")
    assert json.loads(started.stdout)["host"] == "namespace", started.stderr
    told = json.loads(cloud(home, "status", "--output", "json").stdout)
    assert (told["host"], told["security_groups"], told["limits"]) == ("namespace", "enforced", "off")
    refused = cloud(home, "start", "--host", "loopback")
    assert refused.returncode == 2
    assert "the local cloud runs on the namespace host" in refused.stderr
    assert json.loads(cloud(home, "stop", "--output", "json").stdout)["left"] == []


def test_where_nothing_is_asked_the_machine_is_tried_and_the_best_that_it_has_is_kept(tmp_path):
    best = "loopback" if missing_part() else "namespace"

    chosen = choose(tmp_path, name=None, has_limits=None, is_running=False)

    assert chosen.name == best
    assert choose(tmp_path, name="auto", has_limits=None, is_running=False).name == best
    if best != "loopback":
        assert HostChoice.load(tmp_path).name == best


def test_auto_leaves_a_cloud_alone_that_runs_or_has_instances_or_was_told_otherwise(tmp_path):
    running, settled, told = tmp_path / "running", tmp_path / "settled", tmp_path / "told"
    (settled / "instances" / "i-1").mkdir(parents=True)
    choose(told, name="loopback", has_limits=None, is_running=False)

    assert choose(running, name="auto", has_limits=None, is_running=True).name == "loopback"
    assert choose(settled, name="auto", has_limits=None, is_running=False).name == "loopback"
    assert (told / "host.json").exists()
    assert choose(told, name=None, has_limits=None, is_running=False).name == "loopback"
