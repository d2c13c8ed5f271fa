"""Kill and hang workers of a training, and tell what it costs: in an elastic run, and with restarts from a checkpoint.

Three workers, paced to 100 ms a step: paced workers imitate an accelerator by waiting. Every 20 s one of them is killed
by SIGKILL and started again at once; then some are stopped by SIGSTOP and go on after a while. Without progress are the
seconds between two steps that were made, around the fault. The loss at the end is compared with that of an undisturbed
run of as many steps, and each step's samples with those of the epoch. The last line on standard output is one JSON
object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elastic_fleet import ElasticFleet
from elastic_worker import NUM_SAMPLES

GLOBAL_BATCH = 24
SAMPLE_S = 0.0125
PAUSE_S = 20.0
START_S = 90.0
PEER_TIMEOUT_S = 3.0
HUNG_FOR_S = 8.0
EVERY_STEPS = 50


@contextmanager
def fleet_of(folder: Path, speed: float = 1.0, **options: Any) -> Iterator[ElasticFleet]:
    folder.mkdir()
    is_elastic = "checkpoints" not in options
    fleet = ElasticFleet(
        folder,
        [speed] * 3,
        sample_s=SAMPLE_S,
        options={"global_batch": GLOBAL_BATCH, **options},
        peer_timeout_s=PEER_TIMEOUT_S,
        is_elastic=is_elastic,
    )
    try:
        yield fleet
    finally:
        fleet.end()


def longest_pause_s(times: list[float], since_s: float, until_s: float) -> float:
    """Return the longest time between two steps, of those that end between two times."""
    pairs = itertools.pairwise(sorted(times))
    return max(after - before for before, after in pairs if since_s < after and before < until_s)


def elastic(folder: Path, num_kills: int, num_hangs: int) -> dict[str, Any]:
    """Kill and hang workers of an elastic run."""
    with fleet_of(folder, num_steps=100_000) as fleet:
        names = [fleet.start(rank) for rank in range(3)]
        fleet.wait_for_step(names[2], time.monotonic() + START_S)
        kills, hangs = [], []
        began_s = time.monotonic()
        for count in range(num_kills):
            time.sleep(max(began_s + PAUSE_S * (count + 1) - time.monotonic(), 0.0))
            rank = count % 3
            kills.append(fleet.send(names[rank], signal.SIGKILL))
            names[rank] = fleet.start(rank, count + 1)
            fleet.wait_for_step(names[rank], time.monotonic() + START_S)
        for count in range(num_hangs):
            time.sleep(4.0)
            name = names[count % 3]
            hangs.append(fleet.send(name, signal.SIGSTOP))
            time.sleep(HUNG_FOR_S)
            woken_s = fleet.send(name, signal.SIGCONT)
            fleet.wait_for_step(name, time.monotonic() + START_S, since_s=woken_s)
        time.sleep(2.0)
        (folder / "stop").touch()
        for name in names:
            fleet.wait(name, START_S)
        by_step = fleet.times_by_step()
        times = list(by_step.values())
        lost = {(note["step"], tuple(note["shares"])) for note in fleet.lost()}
        num_steps = max(by_step)
        return {
            "kills": len(kills),
            "hangs": len(hangs),
            "steps": num_steps,
            "step_s": statistics.median(
                after - before for before, after in itertools.pairwise(sorted(times))
            ),
            "steps_lost": len(lost),
            "stall_s": [longest_pause_s(times, kill_s, kill_s + 2.0) for kill_s in kills],
            "hang_stall_s": [
                longest_pause_s(times, hang_s, hang_s + PEER_TIMEOUT_S + 2.0) for hang_s in hangs
            ],
            "loss": fleet.loss_after(num_steps),
            "samples_unaccounted": fleet.unaccounted(num_steps, NUM_SAMPLES),
        }


def from_checkpoints(folder: Path, num_kills: int) -> dict[str, Any]:
    """Kill workers of a fixed team, and start it again each time from its newest checkpoint."""
    options = {"checkpoints": str(folder / "checkpoints"), "every_steps": EVERY_STEPS}
    with fleet_of(folder, num_steps=100_000, **options) as fleet:
        names = [fleet.start(rank) for rank in range(3)]
        fleet.wait_for_step(names[2], time.monotonic() + START_S)
        kills: list[float] = []
        began_s = time.monotonic()
        for count in range(num_kills):
            time.sleep(max(began_s + PAUSE_S * (count + 1) - time.monotonic(), 0.0))
            kills.append(fleet.send(names[count % 3], signal.SIGKILL))
            for name in names:
                fleet.wait(name, START_S)
            fleet.renew_port()
            names = [fleet.start(rank, count + 1) for rank in range(3)]
            fleet.wait_for_step(names[2], time.monotonic() + START_S)
        reached = max(fleet.times_by_step())
        while max(note["step"] for note in fleet.made(names[2])) <= reached:
            time.sleep(0.1)
        times = list(
            fleet.times_by_step().values()
        )  # the first time of each: what is made again is no progress
        num_made = sum(len(fleet.made(name)) for name in fleet.workers if name.startswith("0."))
        return {
            "kills": len(kills),
            "steps": len(times),
            "steps_lost": num_made - len(times),
            "stall_s": [longest_pause_s(times, kill_s, kill_s + 2.0) for kill_s in kills],
            "checkpoint_every_steps": EVERY_STEPS,
        }


def undisturbed(folder: Path, num_steps: int) -> float:
    """Return the loss of a run of as many steps that nothing disturbs, and nothing paces."""
    with fleet_of(folder, speed=1000.0, num_steps=num_steps) as fleet:
        names = [fleet.start(rank) for rank in range(3)]
        for name in names:
            if fleet.wait(name, 600.0):
                raise SystemExit(f"worker {name} of the undisturbed run failed")
        return fleet.loss_after(num_steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=9, help=f"one every {PAUSE_S:.0f} s")
    parser.add_argument("--hangs", type=int, default=3)
    parser.add_argument("--no-checkpoints", action="store_true", help="leave the restarts out")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"paced workers imitate an accelerator by waiting; load average before: {load:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answer = elastic(Path(folder) / "elastic", args.kills, args.hangs)
        answer["loss_undisturbed"] = undisturbed(Path(folder) / "undisturbed", answer["steps"])
        told = ", ".join(f"{stall_s:.2f}" for stall_s in answer["stall_s"])
        print(
            f"elastic: {answer['kills']} kills, {answer['hangs']} hangs, {answer['steps']} steps of"
            f" {answer['step_s']:.3f} s, {answer['steps_lost']} of them lost and made again\n"
            f"  seconds without progress: {told} for a kill,"
            f" {', '.join(f'{stall_s:.2f}' for stall_s in answer['hang_stall_s'])} for a hang with a peer timeout of"
            f" {PEER_TIMEOUT_S:.0f} s\n"
            f"  loss {answer['loss']:.12f}, undisturbed {answer['loss_undisturbed']:.12f};"
            f" samples not accounted for: {answer['samples_unaccounted']}",
            flush=True,
        )
        if not args.no_checkpoints:
            other = answer["checkpoint_restart"] = from_checkpoints(Path(folder) / "restarts", args.kills)
            told = ", ".join(f"{stall_s:.1f}" for stall_s in other["stall_s"])
            print(
                f"restart from a checkpoint every {EVERY_STEPS} steps: {other['kills']} kills, {other['steps']} steps,"
                f" {other['steps_lost']} made again\n  seconds without progress: {told}",
                flush=True,
            )
    print(json.dumps(answer | {"peer_timeout_s": PEER_TIMEOUT_S, "load_average": load, "is_imitated": True}))


if __name__ == "__main__":
    main()
