"""Compare ways to train on nodes of unequal speed, side by side, on this machine.

Every accelerator is imitated by a wait in proportion to the samples (see `balance_worker.py`), so that two cores can
stand for several nodes; only `cpu_quota` computes for real, on parts of a core that a cgroup gives, and is null
where none can be made. The limit is the sum of the nodes' rates, each alone at its balanced share. The last line on
standard output is one JSON object: `cases`, then the case, then samples/s of each way and of the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import come_and_go
import torch.distributed as dist

from steelyard.training.lighthouse import LighthouseProcess
from steelyard.training.port import free_port

WORKER = Path(__file__).with_name("balance_worker.py")
DEADLINE_S = 300.0
CASES: Mapping[str, dict[str, Any]] = {
    "two_3_1": {"costs_s": [0.001, 0.003]},
    "three_4_2_1": {"costs_s": [0.001, 0.002, 0.004]},
    "two_3_1_fixed": {"costs_s": [0.001, 0.003], "fixed_s": 0.010},
    "equal": {"costs_s": [0.0015, 0.0015]},
    "slowdown": {"costs_s": [0.001, 0.001], "slowed_costs_s": [0.001, 0.004], "num_steps": 60},
    "cpu_quota": {"costs_s": [1 / 0.9, 1 / 0.3], "quotas": [0.9, 0.3], "global_batch": 1024},
}
COME_AND_GO = "come_and_go"
WAYS = ("ddp", "join", "queue", "balancer_ddp", "balancer_torchft", "limit")
BALANCED = ("balancer_ddp", "balancer_torchft")


class CpuQuota:
    """A cgroup (v1) that gives a process a part of a core.

    Args:
        part: Part of a core.

    Raises:
        OSError: If there is no such controller, or it cannot be written to.
    """

    ROOT = Path("/sys/fs/cgroup/cpu")
    PERIOD_US = 20_000

    def __init__(self, part: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-", dir=self.ROOT))
        (self.folder / "cpu.cfs_period_us").write_text(str(self.PERIOD_US))
        (self.folder / "cpu.cfs_quota_us").write_text(str(int(self.PERIOD_US * part)))

    def hold(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        self.folder.rmdir()


def run(case: Mapping[str, Any]) -> dict[str, Any]:
    """Run all ways of a case with one process per node; returns what rank 0 measured."""
    world_size = len(case["costs_s"])
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    lighthouse = LighthouseProcess("127.0.0.1", free_port(), min_workers=world_size, join_timeout_s=10.0)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        shared = {
            **os.environ,
            "WORLD_SIZE": str(world_size),
            "LOCAL_RANK": "0",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "STEELYARD_BALANCE": "speed",
            "BENCH_LIGHTHOUSE": lighthouse.address,
        }
        command = [sys.executable, "-W", "ignore", str(WORKER), json.dumps(case), str(result)]
        quotas = [CpuQuota(part) for part in case.get("quotas", ())]
        lighthouse.start()
        workers = [
            subprocess.Popen(command, env={**shared, "RANK": str(rank)}, stdin=subprocess.PIPE)
            for rank in range(world_size)
        ]
        try:
            for quota, worker in zip(quotas, workers, strict=False):
                quota.hold(worker.pid)
            for worker in workers:
                worker.stdin.close()
            codes = [worker.wait(timeout=DEADLINE_S) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
            for quota in quotas:
                quota.remove()
            lighthouse.stop()
        if any(codes):
            raise SystemExit(f"workers ended with {codes}")
        return dict(json.loads(result.read_text()))


def rate(result: Mapping[str, Any], way: str) -> float | None:
    value = result[way]
    return None if value is None else float(value["samples_per_s"] if isinstance(value, dict) else value)


def steps_to_reach(
    result: Mapping[str, Any], way: str, case: Mapping[str, Any], fraction: float
) -> int | None:
    """Return after how many steps a step is as fast as `fraction` of the limit, from the change on if there is one."""
    since = case.get("slowed_at", 25) if "slowed_costs_s" in case else 0
    fastest_s = case.get("global_batch", 256) / (fraction * result["limit"])
    steps_s = result[way]["steps_s"][since:]
    return next((index for index, step_s in enumerate(steps_s) if step_s <= fastest_s), None)


def median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def summary(name: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of a case and tell them as a row."""
    medians = {way: median(rate(result, way) for result in results) for way in WAYS}
    limit = medians["limit"]
    row = "  ".join(
        f"{way}       -        " if value is None else f"{way} {value:7.1f} ({value / limit:.3f})"
        for way, value in medians.items()
    )
    print(f"{name:14s} {row}", flush=True)
    return medians | {f"{way}_to_limit": medians[way] / limit for way in BALANCED if medians[way] is not None}


def details(name: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the shares came to be, and what a step costs beside the nodes' own work, and tell it."""
    case, batch = CASES[name], CASES[name].get("global_batch", 256)
    limit = median(result["limit"] for result in results)
    answer: dict[str, Any] = {}
    for way in BALANCED:
        last = results[-1][way]
        overhead_ms = 1000 * batch * (1 / median(rate(result, way) for result in results) - 1 / limit)
        reached = [steps_to_reach(result, way, case, 0.9) for result in results]
        print(
            f"{'':14s} {way}: shares {last['shares']}, plan changes {last['plan_changes']},"
            f" steps to 0.9 of the limit {reached}, {overhead_ms:.1f} ms a step beyond it",
            flush=True,
        )
        answer[way] = {
            "shares": last["shares"],
            "plan_changes": last["plan_changes"],
            "steps_to_0.9": reached[-1],
            "overhead_ms_per_step": overhead_ms,
        }
    return answer


def measured(name: str, num_repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a case; returns its samples/s and what else is known of it."""
    if name == COME_AND_GO:
        results = [come_and_go.run() for _ in range(num_repeats)]
        answer = summary(name, results)
        for way, reason in results[0]["reasons"].items():
            print(f"{'':14s} no {way}: {reason}", flush=True)
        return answer, {"reasons": results[0]["reasons"], "times_killed": results[0]["times_killed"]}
    try:
        results = [run(CASES[name]) for _ in range(num_repeats)]
    except OSError as err:
        if "quotas" not in CASES[name]:
            raise
        print(f"{name:14s} left out: {err}", flush=True)
        return dict.fromkeys(WAYS), {"reasons": dict.fromkeys(WAYS, str(err))}
    return summary(name, results), details(name, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*CASES, COME_AND_GO]
    parser.add_argument("--repeats", type=int, default=1, help="runs of each case; medians are told")
    parser.add_argument("--cases", nargs="*", choices=names, default=names)
    args = parser.parse_args()
    load = os.getloadavg()[0]  # others on the machine slow real computing most: see cpu_quota
    print(
        "samples/s, and as a part of the limit; paced workers imitate an accelerator by waiting, but in cpu_quota;"
        f" load average before: {load:.1f}",
        flush=True,
    )
    cases, notes = {}, {}
    for name in args.cases:
        cases[name], notes[name] = measured(name, args.repeats)
    answer: dict[str, Any] = {
        "load_average": load,
        "is_imitated": True,
        "not_imitated": ["cpu_quota"],
        "cases": cases,
        "details": notes,
    }
    if "equal" in cases:
        equal = cases["equal"]
        answer["overhead_ms_per_step"] = {
            way: 1000 * 256 * (1 / equal[way] - 1 / equal["ddp"]) for way in BALANCED
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
