"""Plan clusters of 10, 100 and 1,000 nodes with the embedded engine, and tell the time and the memory that it takes.

Planning is what `steelyard preview` does: the program runs, each resource is registered, compared with the state, told.
No cloud is called: the few look-ups of the program are answered here. Then the same is brought up by a provider that
answers at once, so that what is measured is the engine with its state on the disk. Each plan has a process of its own,
so that its memory is its own; times are without Python's imports, the memory is the process's peak in planning. The
last line on standard output is one JSON object: `seconds`, `mib` and `up_seconds` by node count, `per_node_ratio` and
`up_per_node_ratio`, the time a node takes among 1,000 by that among 100, and `resources` by node count.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COUNTS = (10, 100, 1000)
DEADLINE_S = 600.0
_ANSWERED = ("address", "arn", "policyName", "policyType", "privateIp", "roleName")
"""Outputs that other resources are made with."""


def plan(num_nodes: int) -> dict[str, float]:
    """Plan one cluster in this process.

    Returns:
        `seconds`, `mib`, how many `resources` were planned, and `up_seconds`; `cpu_seconds` and `up_cpu_seconds` are
        those in which the process had a CPU, whatever else the machine did.
    """
    from steelyard.components.program import declare
    from steelyard.deploy import AlicloudProvider, Stack
    from steelyard.deploy.engine.provider import Created, Operation
    from steelyard.spec import ClusterSpec

    class Lookups(AlicloudProvider):
        """Answers the look-ups of the program itself, and whatever is to be created."""

        def create(
            self, type_token: str, name: str, inputs: Mapping[str, Any], operation: Operation
        ) -> Created:
            operation.allocated(name)
            return Created(id=name, outputs={**dict.fromkeys(_ANSWERED, name), **inputs})

        def invoke(self, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
            answers: dict[str, dict[str, Any]] = {
                "alicloud:index/getCallerIdentity:getCallerIdentity": {"accountId": "1" * 16},
                "alicloud:ecs/getImages:getImages": {"ids": ["ubuntu_24_04_x64"], "images": []},
                "alicloud:vpc/getSwitches:getSwitches": {"vswitches": []},
                "alicloud:ecs/getInstanceTypes:getInstanceTypes": {
                    "instanceTypes": [{"availabilityZones": ["cn-hangzhou-h", "cn-hangzhou-i"]}]
                },
            }
            return {"id": "lookup", **answers[token]}

    spec = ClusterSpec.model_validate(
        {
            "name": "plan",
            "zones": ["cn-hangzhou-h", "cn-hangzhou-i"],  # given, so that none is looked for by stock
            "node_groups": [{"name": "all", "count": num_nodes}],
        }
    )
    provider = Lookups(
        endpoint="127.0.0.1:1", access_key_id="id", access_key_secret="secret", region_id=spec.region
    )
    provider.preload()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), project="steelyard", name="plan")
        began, cpu_began = time.perf_counter(), time.process_time()
        result = stack.preview(lambda: _declare(declare, spec), provider)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began, cpu_began = time.perf_counter(), time.process_time()
        stack.up(lambda: _declare(declare, spec), provider)
        up_seconds, up_cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    assert result.num_by_type["alicloud:ecs/instance:Instance"] == num_nodes
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "mib": peak_mib,
        "resources": len(result.steps),
        "up_seconds": up_seconds,
        "up_cpu_seconds": up_cpu_seconds,
    }


def _declare(declare: Any, spec: Any) -> None:
    declare(spec, "f" * 64)


def measure(num_nodes: int, num_repeats: int) -> dict[str, float]:
    """Plan one cluster a few times, each in a fresh process, and give the fastest time and its memory."""
    command = [sys.executable, __file__, "--one", str(num_nodes)]
    runs = []
    for _ in range(num_repeats):
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if done.returncode:
            raise SystemExit(f"planning {num_nodes} nodes failed:\n{done.stderr}")
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: float(run["seconds"]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", type=int, metavar="NODES", help="plan one cluster in this process")
    parser.add_argument(
        "--repeats", type=int, default=3, help="plans of each size, of which the fastest counts"
    )
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(plan(arguments.one)))
        return
    found = {}
    print(f"{'nodes':>6} {'resources':>10} {'seconds':>9} {'ms/node':>9} {'MiB':>7} {'up, s':>7}")
    for count in COUNTS:
        run = found[count] = measure(count, arguments.repeats)
        per_node_ms = 1000 * run["seconds"] / count
        print(
            f"{count:>6} {run['resources']:>10} {run['seconds']:>9.2f} {per_node_ms:>9.2f} {run['mib']:>7.0f}"
            f" {run['up_seconds']:>7.2f}"
        )
    ratio = (found[1000]["seconds"] / 1000) / (found[100]["seconds"] / 100)
    up_ratio = (found[1000]["up_seconds"] / 1000) / (found[100]["up_seconds"] / 100)
    print(
        json.dumps(
            {
                "seconds": {str(count): round(run["seconds"], 3) for count, run in found.items()},
                "mib": {str(count): round(run["mib"], 1) for count, run in found.items()},
                "up_seconds": {str(count): round(run["up_seconds"], 3) for count, run in found.items()},
                "per_node_ratio": round(ratio, 2),
                "up_per_node_ratio": round(up_ratio, 2),
                "resources": {str(count): run["resources"] for count, run in found.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
