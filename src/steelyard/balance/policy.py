"""Who gets how many samples of the next step: the seam between measuring and training."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from steelyard.balance.estimator import CostEstimator, Measurement
from steelyard.balance.split import Shares, finish_s, split_by_cost, unit_bounds
from steelyard.balance.straggler import Straggler, StragglerWatch


class Policy(Protocol):
    """Turns measurements into shares.

    Every worker feeds its own copy with the same measurements; the plan of rank 0 is the one that all
    follow.
    """

    @property
    def name(self) -> str:
        """How the policy is called on the command line and in events."""
        ...

    @property
    def is_equal(self) -> bool:
        """Whether the shares differ by one micro-batch at most, where no bound asks for more."""
        ...

    def observe(self, measurements: Sequence[Measurement]) -> None:
        """Take in what every worker measured in one step, in rank order."""
        ...

    def plan(self, global_batch: int, current: Shares) -> Shares:
        """Choose the shares of coming steps.

        Args:
            global_batch: Samples of one step.
            current: The shares in force.

        Returns:
            Shares that sum to `global_batch`; `current` itself where a change would not pay.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what the policy has learned, as plain JSON values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        ...


class EqualPolicy:
    """The split of plain data parallelism: the same number of samples for every worker.

    Args:
        unit: Samples of a micro-batch; every share is a multiple of it.
        minimum: Samples that each worker gets at least; for all, or for each in rank order.
        maximums: Samples that each worker can take at most, in rank order; unlimited where None.
    """

    name = "equal"
    is_equal = True

    def __init__(
        self, *, unit: int = 1, minimum: int | Sequence[int] = 0, maximums: Sequence[int] | None = None
    ) -> None:
        self._unit = unit
        self._minimum = minimum
        self._maximums = maximums

    def observe(self, measurements: Sequence[Measurement]) -> None:
        """Ignore the measurements."""

    def plan(self, global_batch: int, current: Shares) -> Shares:
        """Return the split of `global_batch` that is as equal as the bounds allow."""
        return split_by_cost(
            global_batch,
            [1.0] * len(current),
            minimum=self._minimum,
            maximums=self._maximums,
            unit=self._unit,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state: there is nothing to learn."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Accept any state: there is nothing to go on from."""


_LEAST_GAIN = 0.01
"""Relative gain below which a split counts as the best: whole samples and noise make up as much."""

_PATIENCE = 0.2
"""Steps' worth of gain that are let go by before a gain within the hysteresis is taken too."""


class SpeedPolicy:
    """Shares by measured speed, so that all workers end a step together.

    A gain above the hysteresis changes the shares at once. A smaller one does where it lasts: once what was let go
    by in a row adds up to a fifth of a step. So the shares also settle where a part of a step does not depend on its
    samples, for there each plan corrects a part of what the one before left. In simulation (four workers, 600 steps)
    this gained 0.2 % at 3 % noise and 1.2 % with a large such part, for one change of plan more.

    Halving a share's step where it moves back the way it came, as LB-BSP does, was tried in simulation and
    left out: it changed the plan 3 to 19 % more often and gained nothing, since the gate of the estimates and
    the hysteresis already keep single slow steps from moving shares.

    Args:
        minimum: Samples that each worker keeps at least, so that its speed stays measured; for all, or
            for each in rank order. It falls with the equal split where the global batch is too small.
        maximums: Samples that each worker can take at most, in rank order; unlimited where None.
        unit: Samples of a micro-batch; every share is a multiple of it.
        hysteresis: Relative gain in the predicted step time below which the shares stay as they are.
    """

    name = "speed"
    is_equal = False

    def __init__(
        self,
        *,
        minimum: int | Sequence[int] = 1,
        maximums: Sequence[int] | None = None,
        unit: int = 1,
        hysteresis: float = 0.03,
    ) -> None:
        self._minimum = minimum
        self._maximums = maximums
        self._unit = unit
        self._hysteresis = hysteresis
        self._let_go = 0.0
        self._kept: Shares | None = None
        self._estimators: list[CostEstimator] = []
        self._watch = StragglerWatch()

    @property
    def costs_s(self) -> tuple[float | None, ...]:
        """Estimated seconds per sample of each worker, None where nothing was measured yet."""
        return tuple(estimator.cost_s for estimator in self._estimators)

    def observe(self, measurements: Sequence[Measurement]) -> None:
        """Update each worker's estimate; a different number of workers starts afresh."""
        if len(measurements) != len(self._estimators):
            self._estimators = [CostEstimator() for _ in measurements]
        for estimator, measurement in zip(self._estimators, measurements, strict=True):
            if (cost_s := measurement.cost_s) is not None:
                estimator.update(cost_s, measurement.num_samples)
        self._watch.observe(self.costs_s)

    def stragglers(self, global_batch: int) -> tuple[Straggler, ...]:
        """Return who holds the others up, since when and what it costs; the dearest first.

        Args:
            global_batch: Samples of a step.
        """
        return self._watch.stragglers(global_batch)

    def plan(self, global_batch: int, current: Shares) -> Shares:
        """Return the best integer shares, or `current` where the predicted gain is small and has not lasted.

        A worker without a measurement is taken for as fast as the median of the others. Shares that
        break a bound are never kept.
        """
        costs_s = self._costs_or_median(len(current))
        best = split_by_cost(
            global_batch, costs_s, minimum=self._minimum, maximums=self._maximums, unit=self._unit
        )
        if not self._allows(current, global_batch):
            return best
        gain = 1.0 - finish_s(best, costs_s) / finish_s(current, costs_s)
        return best if self._pays(gain, current) else current

    def _pays(self, gain: float, current: Shares) -> bool:
        if self._kept != current or gain < _LEAST_GAIN:
            self._let_go = 0.0
        self._kept = current
        if gain >= _LEAST_GAIN:
            self._let_go += gain
        return gain > self._hysteresis or self._let_go > _PATIENCE

    def _costs_or_median(self, num_workers: int) -> list[float]:
        known = [cost for cost in self.costs_s if cost is not None]
        if not known or len(self._estimators) != num_workers:
            return [1.0] * num_workers  # nothing is known: any equal costs give the equal split
        typical_s = statistics.median(known)
        return [typical_s if cost is None else cost for cost in self.costs_s]

    def _allows(self, shares: Shares, global_batch: int) -> bool:
        unit = self._unit
        if sum(shares) != global_batch or (unit > 1 and any(share % unit for share in shares)):
            return False
        lows, highs = unit_bounds(
            global_batch // unit,
            len(shares),
            minimum=self._minimum,
            maximums=self._maximums,
            unit=unit,
        )
        bounds = zip(lows, shares, highs, strict=True)
        return all(low * unit <= share <= high * unit for low, share, high in bounds)

    def state_dict(self) -> dict[str, Any]:
        """Return the estimates and what was seen of stragglers."""
        return {"costs_s": list(self.costs_s), "watch": self._watch.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from saved estimates; measurements of another number of workers replace them."""
        costs_s = state.get("costs_s", [])
        self._estimators = [CostEstimator(cost_s=cost) for cost in costs_s]
        if "watch" in state:
            self._watch.load_state_dict(state["watch"], costs_s)


def policy_by_name(
    name: str, *, unit: int = 1, minimum: int | Sequence[int] = 1, maximums: Sequence[int] | None = None
) -> Policy:
    """Return the policy that the command line calls `name`.

    Args:
        name: ``speed`` or ``equal``.
        unit: Samples of a micro-batch; every share is a multiple of it.
        minimum: Samples that each worker gets at least; for all, or for each in rank order.
        maximums: Samples that each worker can take at most, in rank order; unlimited where None.

    Raises:
        ValueError: If there is no such policy.
    """
    if name == SpeedPolicy.name:
        return SpeedPolicy(unit=unit, minimum=minimum, maximums=maximums)
    if name == EqualPolicy.name:
        return EqualPolicy(unit=unit, minimum=minimum, maximums=maximums)
    raise ValueError(f"no balance policy is called {name!r}; choose {SpeedPolicy.name} or {EqualPolicy.name}")
