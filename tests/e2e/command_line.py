"""The command line as a user calls it: one process a call, in a folder with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """Runs `steelyard` in a folder, with a home in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "STEELYARD_HOME": str(self.folder / "home")}

    def __call__(
        self, *arguments: str, expect: int = 0, timeout_s: float = 180
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "steelyard.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == expect, (
            f"{arguments} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def json(self, *arguments: str, expect: int = 0, timeout_s: float = 180) -> Any:
        done = self(*arguments, "--output", "json", expect=expect, timeout_s=timeout_s)
        return json.loads(done.stdout.splitlines()[-1])

    def write_spec(self, **node_counts: int) -> None:
        """Write a cluster file with a group for each keyword; the group `slow` has a third of the weight and speed."""
        groups = [
            {
                "name": name,
                "count": count,
                "instance_type": "ecs.gn6i-c4g1.xlarge" if name == "slow" else "ecs.gn7i-c8g1.2xlarge",
                "weight": 33 if name == "slow" else 100,
            }
            for name, count in node_counts.items()
        ]
        spec = {
            "name": "e2e",
            "node_groups": groups,
            "load_balancer": {
                "health_check": {
                    "interval_s": 1,
                    "timeout_s": 5,
                    "healthy_threshold": 2,
                    "unhealthy_threshold": 2,
                }
            },
        }
        (self.folder / "cluster.yaml").write_text(json.dumps(spec))


def wait_for(claim: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Poll until a claim holds; fail at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


def clear(line: CommandLine) -> None:
    """Take down what a test left standing, and prove that nothing is left."""
    if list((line.folder / "home" / "stacks").glob("*/cluster.json")):
        line("down")
    report = line.json("cloud", "stop")
    assert report["left"] == []
