"""Which weights of a load balancer's servers are to follow the measured speed. Pure: no calls, no clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from steelyard.balance import MAX_WEIGHT, load_balancer_weights

PATIENCE = 3
"""In so many steps after each other a weight must be off before it is changed."""

MIN_POINTS = 5
"""A weight that is off by so much is changed,"""

MIN_FRACTION = 0.1
"""and so is one that is off by this part of itself."""


@dataclass(frozen=True, kw_only=True)
class SpeedStep:
    """What one step of a job says of its nodes' speeds.

    Attributes:
        job_id: The job.
        time: When the step was made, in seconds since 1970; tells one step from another.
        speeds: Samples per second of each node's own computing, by instance id; those of its workers together.
        is_imitated: Whether accelerators, and with them speeds, are imitated.
    """

    job_id: str
    time: float
    speeds: Mapping[str, float]
    is_imitated: bool

    @classmethod
    def of_job(cls, job: Mapping[str, Any]) -> SpeedStep | None:
        """Read the last step of a job's record; None where it made none, or none that says speeds."""
        event = job.get("last_event") or {}
        speeds: dict[str, float] = {}
        for node_id, speed in _worker_speeds(event.get("nodes")):
            speeds[node_id] = speeds.get(node_id, 0.0) + speed
        time = event.get("time")
        if not speeds or not isinstance(time, int | float):
            return None
        return cls(
            job_id=str(job["id"]), time=time, speeds=speeds, is_imitated=bool(event.get("is_imitated"))
        )


class WeightDecision:
    """Decides by the last steps of the running jobs.

    Speeds of two jobs cannot be compared, so that each job moves its own nodes against each other alone. Where it runs
    on every server, the fastest gets the weight 100; where it does not, the fastest gets the highest weight that its
    nodes have, and their place among the others stays.
    """

    def __init__(self) -> None:
        self._steps: dict[str, deque[SpeedStep]] = {}
        self._has_news = False

    @property
    def has_news(self) -> bool:
        """Whether enough steps are known, of which some came since the last `changes`."""
        return self._has_news and any(len(steps) == PATIENCE for steps in self._steps.values())

    @property
    def is_imitated(self) -> bool:
        """Whether any of the speeds is imitated."""
        return any(step.is_imitated for steps in self._steps.values() for step in steps)

    def note(self, steps: Sequence[SpeedStep]) -> None:
        """Take the newest step of each job that runs; jobs that are not among them are forgotten."""
        running = {step.job_id for step in steps}
        for job_id in self._steps.keys() - running:
            del self._steps[job_id]
        for step in steps:
            known = self._steps.setdefault(step.job_id, deque(maxlen=PATIENCE))
            if not known or step.time > known[-1].time:
                known.append(step)
                self._has_news = True

    def changes(self, weights: Mapping[str, int]) -> dict[str, int]:
        """Return the new weights, of those servers alone whose weight is to change.

        Args:
            weights: The weights of the server group's members now, by instance id. A weight of 0 was given, and stays.
        """
        self._has_news = False
        changes: dict[str, int] = {}
        for steps in self._steps.values():
            if len(steps) < PATIENCE:
                continue
            targets = [target_weights(step.speeds, weights) for step in steps]
            for node_id in set.intersection(*(set(one) for one in targets)):
                wanted = [one[node_id] for one in targets]
                if _is_far(weights[node_id], wanted):
                    changes[node_id] = median_low(wanted)
        return changes


def target_weights(speeds: Mapping[str, float], weights: Mapping[str, int]) -> dict[str, int]:
    """Return the weights that speeds ask for, from 1 to 100, of the servers that are measured and take requests.

    Args:
        speeds: Measured speeds by instance id, of one unit.
        weights: The weights now, by instance id.
    """
    serving = {node_id for node_id, weight in weights.items() if weight > 0}
    measured = sorted(node_id for node_id in serving if speeds.get(node_id, 0.0) > 0.0)
    if not measured:
        return {}
    is_whole = len(measured) == len(serving)
    highest = MAX_WEIGHT if is_whole else max(weights[node_id] for node_id in measured)
    scaled = load_balancer_weights([speeds[node_id] for node_id in measured])
    return {
        node_id: max(1, round(weight * highest / MAX_WEIGHT))
        for node_id, weight in zip(measured, scaled, strict=True)
    }


def _worker_speeds(workers: Any) -> Iterator[tuple[str, float]]:
    """Give the speeds that are ones: events are written by scripts, and a worker without a sample has none."""
    for worker in workers if isinstance(workers, list) else ():
        if isinstance(worker, Mapping):
            node_id, speed = worker.get("node_id"), worker.get("samples_per_s")
            if isinstance(node_id, str) and isinstance(speed, int | float) and 0 < speed < math.inf:
                yield node_id, float(speed)


def _is_far(weight: int, wanted: Sequence[int]) -> bool:
    """Tell whether a weight is off, and in one direction, by all that is wanted."""
    off = [target - weight for target in wanted]
    one_way = all(each > 0 for each in off) or all(each < 0 for each in off)
    return one_way and all(abs(each) >= min(MIN_POINTS, MIN_FRACTION * weight) for each in off)
