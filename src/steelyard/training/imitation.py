"""An imitated accelerator: a step is held until the accelerator that is not there would have ended it."""

from __future__ import annotations

import time
from collections.abc import Callable

from steelyard.training.environment import DEFAULT_IMITATED_SAMPLE_S, WorkerEnvironment

_SPIN_S = 0.0002
"""Last stretch that is spun, not slept, so that the scheduler's delay does not show in the pace."""

_TOLERANCE = 0.02
"""Relative delay up to which the pace counts as held."""


class ImitatedAccelerator:
    """Paces steps: one on n samples ends ``n * sample_s`` after it began, its real computing absorbed.

    The time of such a step varies by about 0.1 %, far less than that of extra computing or of a share of
    a core, so differences between ways of balancing can be seen on two cores.

    Args:
        sample_s: Seconds per sample of this worker.
        clock: Monotonic clock in seconds.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        sample_s: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sample_s = sample_s
        self._clock = clock
        self._sleep = sleep

    def hold(self, began_s: float, num_samples: int) -> bool:
        """Return when the imitated accelerator would end the step.

        Args:
            began_s: Time of the clock at which the step began.
            num_samples: Samples that the step computed.

        Returns:
            Whether the pace was held; False where the real computing alone took longer.
        """
        length_s = num_samples * self.sample_s
        end_s = began_s + length_s
        now_s = self._clock()
        if now_s > end_s:
            return now_s - end_s <= length_s * _TOLERANCE
        if end_s - now_s > _SPIN_S:
            self._sleep(end_s - now_s - _SPIN_S)
        while self._clock() < end_s:
            pass
        return True


def accelerator_of(
    place: WorkerEnvironment, sample_s: float | None, *, clock: Callable[[], float] = time.perf_counter
) -> ImitatedAccelerator | None:
    """Return the accelerator that a worker is to imitate, None where it has a real one.

    Args:
        place: The worker's place, with its relative speed.
        sample_s: Seconds per sample at relative speed 1; the environment's where None, else 6 ms.
        clock: Monotonic clock in seconds.
    """
    if place.imitated_speed is None:
        return None
    base_s = sample_s or place.imitated_sample_s or DEFAULT_IMITATED_SAMPLE_S
    return ImitatedAccelerator(base_s / place.imitated_speed, clock=clock)
