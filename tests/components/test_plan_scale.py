"""Planning and bringing up grow with the cluster and no faster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "plan.py"


def plan(num_nodes: int) -> dict[str, float]:
    """Plan one cluster in a process of its own, as `make bench-plan` does."""
    command = [sys.executable, str(BENCHMARK), "--one", str(num_nodes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_among_a_thousand_is_planned_and_made_in_three_times_that_among_a_hundred_at_most() -> None:
    hundred, thousand = plan(100), plan(1000)
    assert thousand["resources"] - hundred["resources"] == 3 * 900, (
        "an instance, its server and its role each"
    )
    # Seconds on a CPU: what else the machine does differs from one process to the other.
    assert thousand["cpu_seconds"] / 1000 <= 3 * hundred["cpu_seconds"] / 100
    assert thousand["up_cpu_seconds"] / 1000 <= 3 * hundred["up_cpu_seconds"] / 100
    assert thousand["mib"] < 2000
