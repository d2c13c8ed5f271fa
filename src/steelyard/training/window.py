"""The order of samples: one global cursor, cut into windows, cut into shares.

Step k of an epoch is always the same window of the epoch's permutation, whatever the shares and however
many workers there are; the shares only decide who computes which part of it. So the state is a few
integers, the same on every worker, and a run resumed at another size sees the same batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch.utils.data import Sampler

from steelyard.balance import Shares, rescale


@dataclass(frozen=True, kw_only=True)
class Window:
    """The samples of one step, by their places in the epoch's permutation.

    Attributes:
        step: Number of the step since the start of training, from 0.
        epoch: Number of the epoch, from 0.
        start: Place of the first sample.
        shares: Samples of each worker, in rank order; their sum is the step's true global batch.
    """

    step: int
    epoch: int
    start: int
    shares: Shares

    @property
    def num_samples(self) -> int:
        """Samples of all workers: the global batch, or less at the end of an epoch."""
        return sum(self.shares)

    def places(self, rank: int) -> range:
        """Places of one worker's samples."""
        first = self.start + sum(self.shares[:rank])
        return range(first, first + self.shares[rank])

    def weight(self, rank: int) -> float:
        """Weight of one worker's mean gradient in that of the global batch."""
        return self.shares[rank] / self.num_samples


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """How far training has come.

    Attributes:
        seed: Seed of the permutations.
        epoch: Number of the epoch, from 0.
        position: Samples of the epoch that were given out.
        step: Steps since the start of training.
    """

    seed: int
    epoch: int = 0
    position: int = 0
    step: int = 0

    def cut(self, num_samples: int, shares: Shares) -> tuple[Window, Cursor]:
        """Cut the next window.

        Args:
            num_samples: Samples of an epoch.
            shares: The shares of a full window; a shorter last one is cut in their proportions.

        Returns:
            The window, and the cursor behind it.
        """
        total = min(sum(shares), num_samples - self.position)
        window = Window(step=self.step, epoch=self.epoch, start=self.position, shares=rescale(shares, total))
        behind = replace(self, position=self.position + total, step=self.step + 1)
        if behind.position == num_samples:
            behind = replace(behind, epoch=self.epoch + 1, position=0)
        return window, behind

    def state_dict(self) -> dict[str, int]:
        """Return the cursor as plain integers."""
        return asdict(self)


class WindowSampler(Sampler[list[int]]):
    """Batch sampler that gives one worker its part of each window.

    A worker whose share is zero gets the window's first sample, so that it takes part in the backward
    pass; its gradient counts with weight zero.

    Args:
        num_samples: Samples of an epoch.
        rank: The worker.
        shares_at: Gives the shares of a step by its number.
        shuffle: Whether an epoch is a permutation from the cursor's seed, or the dataset's own order.
    """

    def __init__(
        self, num_samples: int, *, rank: int, shares_at: Callable[[int], Shares], shuffle: bool = True
    ) -> None:
        self._num_samples = num_samples
        self._rank = rank
        self._shares_at = shares_at
        self._shuffle = shuffle
        self._cursor = Cursor(seed=0)
        self._last_step: int | None = None
        self._micro_batch: int | None = None
        self._order: tuple[int, torch.Tensor] | None = None
        self.drawn: deque[tuple[Window, Cursor]] = deque()
        """Windows that the loader has drawn and not yet given out, each with the cursor behind it."""

    def seat(self, rank: int) -> None:
        """Give another worker's part from the next iteration on.

        Args:
            rank: The worker.
        """
        self._rank = rank

    def rewind(self, cursor: Cursor, last_step: int | None, *, micro_batch: int | None = None) -> None:
        """Set where the next iteration begins and ends.

        Args:
            cursor: Where to begin.
            last_step: Step number to end before, over as many epochs as it takes; None ends with the epoch.
            micro_batch: Samples to give out at a time; None for the whole share of a step.
        """
        self._cursor = cursor
        self._last_step = last_step
        self._micro_batch = micro_batch
        self._order = None
        self.drawn.clear()

    def __iter__(self) -> Iterator[list[int]]:
        cursor, epoch = self._cursor, self._cursor.epoch
        while cursor.step != self._last_step and (self._last_step is not None or cursor.epoch == epoch):
            window, behind = cursor.cut(self._num_samples, self._shares_at(cursor.step))
            self.drawn.append((window, behind))
            first = (window.places(self._rank) or range(window.start, window.start + 1)).start
            for size in self.sizes(window):
                yield self._indices(cursor, range(first, first + size))
                first += size
            cursor = behind

    def sizes(self, window: Window) -> list[int]:
        """Return the samples of each micro-batch that this worker is given of a window."""
        share = window.shares[self._rank]
        if share == 0:
            return [1]
        size = self._micro_batch or share
        return [min(size, share - begun) for begun in range(0, share, size)]

    def _indices(self, cursor: Cursor, places: range) -> list[int]:
        if not self._shuffle:
            return list(places)
        if self._order is None or self._order[0] != cursor.epoch:
            generator = torch.Generator().manual_seed(hash_seed(cursor.seed, cursor.epoch))
            self._order = (cursor.epoch, torch.randperm(self._num_samples, generator=generator))
        indices: list[Any] = self._order[1][places.start : places.stop].tolist()
        return indices


def hash_seed(seed: int, epoch: int) -> int:
    """Mix a seed and an epoch so that neighbouring seeds do not share epochs; below 2**63."""
    return (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9) % 2**63
