"""One worker's loss of a step: put together from micro-batches, by samples or by valid tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

from steelyard.errors import NotExactError, TrainingError
from steelyard.training.window import Window


class TokenSum(Protocol):
    """Sums the valid tokens of a step over the workers; see `token_count.TokenCount`."""

    def start(self, num_tokens: int) -> None:
        """Start to sum."""
        ...

    def total(self) -> int:
        """Wait for the sum."""
        ...


class StepLoss:
    """Scales the parts of a local loss so that their gradients add up, and knows the weight of the sum.

    By samples, a micro-batch's mean counts by its part of the share, and the worker by its part of the
    window. By tokens, a micro-batch's mean counts by its tokens over those of the step's first one, which
    keeps it near its own size, and the worker by that first one's tokens over those of all workers.
    So neither factor needs what is not known yet, and no weight is above 1.

    A lone worker has no hook in which a weight could be applied last. There the gradients at hand are
    scaled down as tokens are added, so that they are a mean at any time.

    Args:
        window: The samples of all workers.
        rank: This worker.
        tokens: Sums the tokens over the workers; None where losses cannot be weighed by tokens.
        rescale: Multiplies the gradients at hand, on a worker without a hook; None where there is one.
    """

    def __init__(
        self, window: Window, rank: int, tokens: TokenSum | None, rescale: Callable[[float], None] | None
    ) -> None:
        self._has_share = window.shares[rank] > 0
        self._sample_weight = window.weight(rank)
        self._tokens = tokens
        self._rescale = rescale
        self._part = 1.0
        self._sum: torch.Tensor | None = None
        self._num_tokens: int | None = None
        self._reference = 1
        self._is_counted = False
        self._token_weight: float | None = None
        self._is_pending = False

    def begin_micro_batch(self, part: float) -> None:
        """Say which part of the share's samples the next loss is the mean of."""
        self._part = part

    def add(self, loss: torch.Tensor, num_tokens: int | None, *, is_synced: bool) -> torch.Tensor:
        """Take in the mean loss of a micro-batch.

        Args:
            loss: A scalar; the mean over the micro-batch's samples, or over its valid tokens.
            num_tokens: Valid tokens that it is the mean of; None where samples count.
            is_synced: Whether its backward pass sends the gradients to the others.

        Returns:
            The loss to call ``backward`` on.

        Raises:
            NotExactError: If losses cannot be weighed by tokens here.
            TrainingError: If tokens are given for some losses of a step and not for others, or after they
                were summed, or before the backward pass of the loss before.
        """
        if self._sum is not None and (num_tokens is None) != (self._num_tokens is None):
            raise TrainingError(
                "some losses of a step were weighed with num_tokens and others without",
                "give num_tokens with each loss of the step, or with none",
            )
        factor = self._part if num_tokens is None else self._count(num_tokens, is_synced=is_synced)
        scaled = loss if factor == 1.0 else loss * factor
        self._sum = scaled.detach() if self._sum is None else self._sum + scaled.detach()
        if num_tokens is not None and scaled.requires_grad:
            self._is_pending = True
            scaled.register_hook(self._note_backward)
        return scaled

    @property
    def weight(self) -> float:
        """Weight of this worker's accumulated gradient; by tokens, waits for the other workers' counts."""
        if self._num_tokens is None:
            return self._sample_weight
        if self._token_weight is None:
            self._token_weight = self._weight_by_tokens()
        return self._token_weight

    def mean(self) -> float:
        """Return the local loss; over the workers, the mean weighted by their shares is the global one."""
        if self._sum is None:
            return float("nan")
        value = float(self._sum)
        if self._num_tokens is None or not self._has_share or not self._is_counted:
            return value
        return value * self.weight / self._sample_weight

    def _count(self, num_tokens: int, *, is_synced: bool) -> float:
        if self._tokens is None:
            raise NotExactError(
                "losses cannot be weighed by tokens here: nothing sums the tokens over the workers",
                "leave num_tokens out, and let the loss be a mean over samples",
            )
        counted = num_tokens if self._has_share else 0  # a zero share's dummy sample is none of the batch's
        if self._is_pending:
            raise TrainingError(
                "a second loss was weighed with num_tokens before the backward pass of the first",
                "call backward on what Balancer.weigh returns before weighing the next loss",
            )
        if self._is_counted and self._rescale is None:
            raise TrainingError(
                "a loss was weighed with num_tokens after the step's tokens had been summed over the workers",
                "accumulate with loader.steps(), or under model.no_sync() but for the last micro-batch",
            )
        before = self._num_tokens or 0
        if self._num_tokens is None:
            self._reference = max(counted, 1)
        self._num_tokens = before + counted
        if is_synced:
            self._is_counted = True
            self._tokens.start(self._num_tokens)
        if self._rescale is None:
            return counted / self._reference
        if before and counted:
            self._rescale(before / self._num_tokens)
            self._sum = None if self._sum is None else self._sum * (before / self._num_tokens)
        return counted / max(self._num_tokens, 1)

    def _weight_by_tokens(self) -> float:
        if self._tokens is None or not self._is_counted:
            raise TrainingError(
                "gradients were sent to the other workers before the step's tokens were counted",
                "accumulate with loader.steps(), or under model.no_sync() but for the last micro-batch",
            )
        total = self._tokens.total()
        if self._rescale is not None:
            return 1.0
        return self._reference / total if self._num_tokens else 0.0

    def _note_backward(self, gradient: torch.Tensor) -> None:
        self._is_pending = False
