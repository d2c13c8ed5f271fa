from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steelyard.localcloud import daemon
from steelyard.localcloud.hosts.choice import missing_part


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
