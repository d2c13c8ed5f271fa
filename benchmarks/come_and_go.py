"""The case `come_and_go` of `balance.py`: one node of three is killed and comes back, twice; not run by itself."""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from elastic_fleet import ElasticFleet

from steelyard.balance import split_by_cost

SPEEDS = (1.0, 1.0, 0.5)
SAMPLE_S = 0.0025
GLOBAL_BATCH = 96
NUM_CYCLES = 2
AWAY_S = 6.0
HERE_S = 8.0
START_S = 60.0
NO_WAY = {
    "ddp": "a fixed team ends with the first worker that is lost",
    "join": "a worker that is lost is none that has run out of data: its peers fail in their next sum",
    "queue": "its shards would come back to the queue, but the team that sums the gradients is fixed",
    "balancer_ddp": "as ddp; what a restart from a checkpoint costs is told by bench-faults",
}
"""Ways that cannot exist here, and why."""


def rate_alone(rank: int) -> float:
    """Return the samples/s of a node alone, at its balanced share."""
    share = split_by_cost(GLOBAL_BATCH, [SAMPLE_S / speed for speed in SPEEDS])[rank]
    options = {"num_steps": 25, "global_batch": share}
    with tempfile.TemporaryDirectory() as folder:
        fleet = ElasticFleet(
            Path(folder), [SPEEDS[rank]], sample_s=SAMPLE_S, options=options, is_elastic=False
        )
        try:
            name = fleet.start(0)
            fleet.wait(name, START_S)
            times = [note["time"] for note in fleet.made(name)][5:]
        finally:
            fleet.end()
    return (len(times) - 1) * share / (times[-1] - times[0])


def run() -> dict[str, Any]:
    """Return samples/s with a node that comes and goes, and the sum of the rates of those that were there."""
    rates = [rate_alone(rank) for rank in range(len(SPEEDS))]
    options = {"num_steps": 100_000, "global_batch": GLOBAL_BATCH}
    with tempfile.TemporaryDirectory() as folder:
        fleet = ElasticFleet(Path(folder), SPEEDS, sample_s=SAMPLE_S, options=options)
        try:
            spans = _come_and_go(fleet)
            (Path(folder) / "stop").touch()
            times = sorted(fleet.times_by_step().values())
        finally:
            fleet.end()
    begin, end = spans[0][0], spans[-1][1]
    num_samples = GLOBAL_BATCH * sum(begin < made <= end for made in times)
    possible = sum((until - since) * rate for since, until, rate in [(begin, end, rates[0] + rates[1])])
    possible += sum((until - since) * rates[2] for since, until in spans)
    return {
        "balancer_torchft": num_samples / (end - begin),
        "limit": possible / (end - begin),
        **dict.fromkeys(NO_WAY),
        "reasons": NO_WAY,
        "times_killed": NUM_CYCLES,
    }


def _come_and_go(fleet: ElasticFleet) -> list[tuple[float, float]]:
    """Kill the third node and start it again; returns when it was there, once it had come up."""
    names = [fleet.start(rank) for rank in range(len(SPEEDS))]
    fleet.wait_for_step(names[2], time.monotonic() + START_S)
    spans = []
    time.sleep(3.0)  # the shares settle
    since_s = time.monotonic()
    for cycle in range(NUM_CYCLES + 1):
        time.sleep(HERE_S)
        if cycle == NUM_CYCLES:
            spans.append((since_s, time.monotonic()))
            return spans
        spans.append((since_s, fleet.send(names[2], signal.SIGKILL)))
        time.sleep(AWAY_S)
        names[2] = fleet.start(2, cycle + 1)
        fleet.wait_for_step(names[2], time.monotonic() + START_S)
        since_s = next(note["time"] for note in fleet.notes(names[2]) if note["kind"] == "ready")
    return spans
