"""Which parameters a step has used, over all workers: told with the vote, not in a collective of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

_WORD_BITS = 48
"""Flags in one number: a float of 64 bits holds as many without rounding."""


class UsedParameters:
    """Takes the gradient from parameters that no worker has used, as a step of one process would leave them without.

    `DistributedDataParallel` sums its flags between the gradients and their use, and waits for that. Here it is told
    that all were used, so every parameter gets the sum; after the vote, which brings the flags of all, those that
    nobody used lose what they did not have before.

    Args:
        parameters: Those that need gradients, in the order of the model.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._all = self._words([True] * len(self._parameters))
        self._bare: list[int] = []
        self.words = self._all
        """The flags of this worker's step, packed into numbers."""

    def note(self, flags: torch.Tensor) -> None:
        """Take note of a step's flags, and set them all.

        Args:
            flags: int32 of shape (parameters,): above 0 where this worker used it.
        """
        if not bool(flags.all()):
            used = [flag > 0 for flag in flags.tolist()]
            self.words = self._words(used)
            pairs = zip(self._parameters, used, strict=True)
            self._bare = [
                index for index, (each, is_used) in enumerate(pairs) if not is_used and each.grad is None
            ]
        flags.fill_(1)

    def settle(self, rows: Iterable[Sequence[float]]) -> None:
        """Take the gradients away, and be ready for the next step.

        Args:
            rows: The words of every worker.
        """
        bare, self._bare, self.words = self._bare, [], self._all
        if not bare:
            return
        used = [0] * len(self._all)
        for row in rows:
            used = [before | int(word) for before, word in zip(used, row, strict=True)]
        for index in bare:
            word, bit = divmod(index, _WORD_BITS)
            if not used[word] >> bit & 1:
                self._parameters[index].grad = None

    @staticmethod
    def _words(flags: Sequence[bool]) -> tuple[float, ...]:
        return tuple(
            float(sum(1 << bit for bit, flag in enumerate(flags[begin : begin + _WORD_BITS]) if flag))
            for begin in range(0, len(flags), _WORD_BITS)
        )
