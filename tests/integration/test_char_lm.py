"""The example trains on real text, alone and under plain torchrun, with the same script."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "char_lm"


def run(command: list[str], events: Path) -> list[dict[str, Any]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
    env = kept | {"STEELYARD_EVENTS_PATH": str(events), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in events.read_text().splitlines()]


def metrics(events: list[dict[str, Any]]) -> list[float]:
    return [event["value"] for event in events if event.get("name") == "bits_per_char"]


def test_alone_it_learns_the_text_of_the_standard_library(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE / "train.py"), "--steps", "60"]
    events = run(command, tmp_path / "events.jsonl")
    first, last = metrics(events)
    assert first > 6.0
    assert last < 4.0
    result = events[-1]["values"]
    assert result["steps"] == 60
    assert result["shares"] == [48]
    assert not any(event["is_imitated"] for event in events if event["kind"] == "step")


def test_under_torchrun_the_same_script_shares_the_batch_out(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(EXAMPLE / "train.py"), "--steps", "8", "--no-validate"]
    events = run(command, tmp_path / "events.jsonl")
    steps = [event for event in events if event["kind"] == "step"]
    assert [step["step"] for step in steps] == list(range(1, 9))
    assert all(sum(node["share"] for node in step["nodes"]) == 48 for step in steps)
    assert [node["node_id"] for node in steps[0]["nodes"]] == ["rank-0", "rank-1"]


@pytest.mark.parametrize("line", re.findall(r"^\+ ?(.+)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE))
def test_each_line_that_the_readme_adds_is_in_the_script(line: str) -> None:
    assert line.strip() in (EXAMPLE / "train.py").read_text()
