"""A data loader that meets the other workers before every window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from steelyard.training.elastic_cycle import ElasticCycle
from steelyard.training.loader import BalancedLoader
from steelyard.training.window import Window


class RenewedBatches:
    """Iterates over batches that can be begun anew.

    Args:
        begin: Begins to load where training stands.
    """

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self._begin = begin
        self._batches: Iterator[Any] = iter(())
        self.is_begun = False
        """Whether there is anything to give."""

    def renew(self) -> None:
        """Drop what was loaded ahead and begin anew."""
        self._batches, self.is_begun = self._begin(), True

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._batches)


class ElasticLoader(BalancedLoader):
    """Iterates over this worker's part of each window of an elastic run.

    Where the quorum is another than before, or a step has to be made again, what was drawn ahead is dropped and
    drawn anew from where training stands. In place of an epoch's end that a worker has missed, it sees the end of
    the epoch that its peers are in.
    """

    _observer: ElasticCycle

    def _rewound(self, micro_batch: int | None) -> Iterator[Any]:
        begin = super()._rewound

        def begin_here() -> Iterator[Any]:
            self._sampler.seat(self._observer.rank)
            return begin(micro_batch)

        return RenewedBatches(begin_here)

    def _begin_steps(self, batches: Iterator[Any]) -> Iterator[tuple[Any, Window]]:
        assert isinstance(batches, RenewedBatches)
        epoch = self._cursor().epoch
        while True:
            self._observer.finish()
            self._observer.on_boundary()
            if self._is_over(epoch):
                return
            if self._observer.form() or not batches.is_begun:
                batches.renew()
            epoch = self._cursor().epoch  # another one only where a peer's state was taken over
            began_s = self._clock()
            batch = next(batches)
            window, behind = self._sampler.drawn.popleft()
            self._observer.begin_step(window, behind, began_s)
            yield batch, window

    def _is_over(self, epoch: int) -> bool:
        cursor = self._cursor()
        return cursor.epoch != epoch if self._num_steps is None else cursor.step >= self._num_steps
