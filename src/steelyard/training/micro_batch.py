"""The micro-batches of one step: as many as a worker's share takes, synchronised with the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class MicroBatchObserver(Protocol):
    """Who is told of the micro-batches; see `cycle.StepCycle`."""

    def begin_micro_batch(self, part: float, *, is_last: bool) -> None:
        """Begin a micro-batch.

        Args:
            part: Its part of the worker's samples of the step.
            is_last: Whether the gradients leave for the other workers with it.
        """
        ...


class MicroBatches:
    """Iterates over the micro-batches of one step; made by `BalancedLoader.steps`.

    Until the last one, the model's gradients stay on this worker. Workers may have different numbers of
    micro-batches; each has one at least.

    Args:
        first: The first micro-batch, loaded already.
        rest: Gives the others.
        sizes: Samples of each.
        observer: Is told of each.
    """

    def __init__(
        self, first: Any, rest: Iterator[Any], *, sizes: list[int], observer: MicroBatchObserver
    ) -> None:
        self._first = first
        self._rest = rest
        self._sizes = sizes
        self._observer = observer
        self.num_left = len(sizes)
        """Micro-batches not yet given out."""

    def __len__(self) -> int:
        """Return the number of micro-batches of the step."""
        return len(self._sizes)

    def __iter__(self) -> Iterator[Any]:
        while self.num_left:
            index = len(self._sizes) - self.num_left
            batch = next(self._rest) if index else self._first
            self.num_left -= 1
            part = self._sizes[index] / sum(self._sizes)
            self._observer.begin_micro_batch(part, is_last=self.num_left == 0)
            yield batch
