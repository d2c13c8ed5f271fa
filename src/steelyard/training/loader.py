"""A data loader that gives each worker its share of every window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch.utils.data import DataLoader

from steelyard.training.window import Cursor, Window, WindowSampler


class StepObserver(Protocol):
    """Who is told of the steps."""

    def begin_step(self, window: Window, behind: Cursor, began_s: float) -> None:
        """Begin a step.

        Args:
            window: The samples of all workers.
            behind: The cursor behind the window.
            began_s: Time of the monotonic clock at which this worker began to load its data.
        """
        ...

    def settle(self) -> None:
        """Finish what is under way: no step follows for now."""
        ...


class BalancedLoader:
    """Iterates over this worker's part of each window; made by `Balancer.loader`.

    Each iteration goes from where training stands to the end of the epoch or, where a number of steps
    was given, to that step. A loop that was left early is taken up where it was left.

    Args:
        batches: Loads the indices that `sampler` gives.
        sampler: Cuts the windows.
        observer: Is told of every step.
        cursor: Gives where training stands.
        num_samples: Samples of an epoch.
        global_batch: Samples of a full window.
        num_steps: Step to end before, over as many epochs as it takes; None for one epoch at a time.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        batches: DataLoader[Any],
        sampler: WindowSampler,
        *,
        observer: StepObserver,
        cursor: Callable[[], Cursor],
        num_samples: int,
        global_batch: int,
        num_steps: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._batches = batches
        self._sampler = sampler
        self._observer = observer
        self._cursor = cursor
        self._num_samples = num_samples
        self._global_batch = global_batch
        self._num_steps = num_steps
        self._clock = clock

    def __len__(self) -> int:
        """Return how many steps an iteration that began now would make."""
        cursor = self._cursor()
        if self._num_steps is not None:
            return max(self._num_steps - cursor.step, 0)
        return -(-(self._num_samples - cursor.position) // self._global_batch)

    def __iter__(self) -> Iterator[Any]:
        self._observer.settle()
        cursor = self._cursor()
        last_step = None if self._num_steps is None else max(self._num_steps, cursor.step)
        self._sampler.rewind(cursor, last_step)
        batches = iter(self._batches)
        while True:
            began_s = self._clock()
            try:
                batch = next(batches)
            except StopIteration:
                self._observer.settle()
                return
            window, behind = self._sampler.drawn.popleft()
            self._observer.begin_step(window, behind, began_s)
            yield batch
