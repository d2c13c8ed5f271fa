"""How many valid tokens all workers together have in a step."""

from __future__ import annotations

import torch
import torch.distributed as dist


class TokenCount:
    """Sums one number over the workers while they compute.

    Args:
        group: Gloo group to use; None for a lone worker.
    """

    def __init__(self, group: dist.ProcessGroup | None) -> None:
        self._group = group
        self._number = torch.zeros(1, dtype=torch.int64)
        self._work: dist.Work | None = None

    def start(self, num_tokens: int) -> None:
        """Start to sum; every worker must, once a step.

        Args:
            num_tokens: Valid tokens of this worker.
        """
        self._number.fill_(num_tokens)
        if self._group is not None:
            self._work = dist.all_reduce(self._number, group=self._group, async_op=True)

    def total(self) -> int:
        """Wait for the sum that was started and return it."""
        if self._work is not None:
            self._work.wait()
            self._work = None
        return int(self._number)
