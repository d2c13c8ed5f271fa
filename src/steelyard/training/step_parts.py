"""What the seconds of a step went to, and how long the step would have been with equal shares."""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.balance import split_equally
from steelyard.training.exchange import StepReport

_NUM_RECENT = 20


@dataclass(frozen=True, kw_only=True)
class StepParts:
    """The parts of one step, on the clock of the worker that writes it down.

    All workers of a synchronous step begin together and end together, so their parts follow from what each computed.

    Attributes:
        seconds: Length of the step: its data, its computing, the sum over the workers, the optimizer's step.
        communicate_s: What was neither computing nor waiting for the slowest worker: sums, votes, the optimizer.
        wait_s: Seconds that each worker waited for the slowest, in rank order; None where it was not measured.
        equal_s: Estimated length with equal shares: the slowest worker's measured seconds per sample times an equal
            share, and the measured rest; None where a worker was not measured.
    """

    seconds: float
    communicate_s: float | None
    wait_s: Sequence[float | None]
    equal_s: float | None


def step_parts(reports: Sequence[StepReport], num_samples: int, seconds: float) -> StepParts:
    """Return the parts of a step.

    Args:
        reports: What each worker reported, in rank order.
        num_samples: Samples of the step over all workers.
        seconds: Length of the step.
    """
    measured = [report.compute_s for report in reports if report.num_samples]
    slowest_s = max(measured, default=0.0)
    wait_s = [slowest_s - report.compute_s if report.num_samples else None for report in reports]
    if len(measured) < len(reports):
        return StepParts(seconds=seconds, communicate_s=None, wait_s=wait_s, equal_s=None)
    communicate_s = max(seconds - slowest_s, 0.0)
    shares = split_equally(num_samples, len(reports))
    # A worker without a share would still compute a dummy sample.
    equal_s = max(
        report.compute_s / report.num_samples * max(share, 1)
        for report, share in zip(reports, shares, strict=True)
    )
    return StepParts(
        seconds=max(seconds, slowest_s),
        communicate_s=communicate_s,
        wait_s=wait_s,
        equal_s=equal_s + communicate_s,
    )


class RemainingTime:
    """Estimates when training ends, by the median of its last steps."""

    def __init__(self) -> None:
        self._ends_s: deque[float] = deque(maxlen=_NUM_RECENT + 1)

    def note(self, ended_at_s: float) -> None:
        """Take note of a step's end.

        Args:
            ended_at_s: When it ended, in seconds since 1970.
        """
        self._ends_s.append(ended_at_s)

    def seconds(self, num_steps: int | None) -> float | None:
        """Return how long so many steps will take, what happens between them included.

        Args:
            num_steps: Steps that are left; None where nobody knows.
        """
        if num_steps is None or len(self._ends_s) < 2:
            return None
        lengths_s = [after - before for before, after in itertools.pairwise(self._ends_s)]
        return max(num_steps, 0) * statistics.median(lengths_s)
