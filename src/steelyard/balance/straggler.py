"""Verdict on workers that hold a step up: how slow, since when, and what it costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Straggler:
    """A worker that is slower than it could be.

    Attributes:
        rank: The worker.
        reason: ``slowed`` where it was faster before, ``slow`` where it never was and is slower than the
            median of the workers.
        cost_s: Its seconds per sample now.
        usual_cost_s: What that is compared with: its own best, or the median of the workers.
        num_steps: Steps that were measured since it became so.
        lost_s: Seconds by which each step is longer than if it were as fast as usual, with the shares
            balanced in both cases.
    """

    rank: int
    reason: Literal["slowed", "slow"]
    cost_s: float
    usual_cost_s: float
    num_steps: int
    lost_s: float

    @property
    def slowdown(self) -> float:
        """How many times slower than usual it is."""
        return self.cost_s / self.usual_cost_s


@dataclass(kw_only=True)
class StragglerWatch:
    """Follows the estimated costs of all workers and tells who holds them up.

    Attributes:
        threshold: Ratio to the usual cost from which a worker is a straggler. A study of 10,000 GPUs
            counts changes of 10 % and more as fail-slow (Falcon, arXiv 2410.12588).
    """

    threshold: float = 1.1
    _best_s: list[float | None] = field(default_factory=list, repr=False)
    _num_slow: list[int] = field(default_factory=list, repr=False)
    _costs_s: list[float | None] = field(default_factory=list, repr=False)

    def observe(self, costs_s: Sequence[float | None]) -> None:
        """Take in the estimates after a step; those of another number of workers start afresh.

        Args:
            costs_s: Estimated seconds per sample in rank order, None where nothing was measured yet.
        """
        if len(costs_s) != len(self._costs_s):
            self._best_s, self._num_slow = [None] * len(costs_s), [0] * len(costs_s)
        self._costs_s = list(costs_s)
        self._best_s = [
            cost if best is None or (cost is not None and cost < best) else best
            for best, cost in zip(self._best_s, costs_s, strict=True)
        ]
        references = self._references()
        for rank, cost in enumerate(costs_s):
            is_slow = cost is not None and cost >= references[rank] * self.threshold
            self._num_slow[rank] = self._num_slow[rank] + 1 if is_slow else 0

    def stragglers(self, global_batch: int) -> tuple[Straggler, ...]:
        """Return the stragglers by what they cost, the dearest first; a lone worker holds nobody up.

        Args:
            global_batch: Samples of a step.
        """
        if len(self._costs_s) < 2:
            return ()
        speed = math.fsum(1.0 / cost for cost in self._costs_s if cost is not None)
        references = self._references()
        found = [
            self._verdict(rank, cost, references[rank], global_batch, speed)
            for rank, cost in enumerate(self._costs_s)
            if cost is not None and self._num_slow[rank]
        ]
        return tuple(sorted(found, key=lambda straggler: -straggler.lost_s))

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen, as JSON values."""
        return {"best_s": list(self._best_s), "num_slow": list(self._num_slow)}

    def load_state_dict(self, state: Mapping[str, Any], costs_s: Sequence[float | None]) -> None:
        """Go on from what `state_dict` returned, with the estimates of the same workers."""
        if len(state["best_s"]) == len(state["num_slow"]) == len(costs_s):
            self._best_s, self._num_slow = list(state["best_s"]), list(state["num_slow"])
            self._costs_s = list(costs_s)

    def _verdict(
        self, rank: int, cost_s: float, usual_s: float, global_batch: int, speed: float
    ) -> Straggler:
        best_s = self._best_s[rank]
        has_slowed = best_s is not None and cost_s >= best_s * self.threshold
        return Straggler(
            rank=rank,
            reason="slowed" if has_slowed else "slow",
            cost_s=cost_s,
            usual_cost_s=usual_s,
            num_steps=self._num_slow[rank],
            lost_s=global_batch / speed - global_batch / (speed - 1.0 / cost_s + 1.0 / usual_s),
        )

    def _references(self) -> list[float]:
        """Return what each worker is compared with: its own best where it has slowed, else the median."""
        known = [cost for cost in self._costs_s if cost is not None]
        typical_s = statistics.median_low(known) if known else math.inf
        return [
            typical_s if best is None or cost is None or cost < best * self.threshold else best
            for best, cost in zip(self._best_s, self._costs_s, strict=True)
        ]
