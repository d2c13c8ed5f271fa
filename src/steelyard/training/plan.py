"""Which shares are in force at which step."""

from __future__ import annotations

from collections import deque

from steelyard.balance import Shares
from steelyard.errors import TrainingError


class SharePlan:
    """The shares of every step, agreed on ahead of it.

    A plan that was sent in step k is read by all in step k + 1 at the latest, and is in force from step
    ``k + 2 + lag``. Loaders that prefetch draw windows ahead of the step, some further than others; with the
    lag of the deepest one, every worker cuts every window alike.

    Args:
        shares: Shares in force from the start.
    """

    def __init__(self, shares: Shares) -> None:
        self._turns: deque[tuple[int, Shares]] = deque([(0, shares)])
        self.lag = 0
        """Steps that the deepest loader draws ahead."""
        self.num_changes = 0
        """How often the shares were changed."""

    @property
    def newest(self) -> Shares:
        """The shares agreed on last, whether in force yet or not."""
        return self._turns[-1][1]

    def at(self, step: int) -> Shares:
        """Return the shares of a step that is still to come."""
        return next(shares for since, shares in reversed(self._turns) if since <= step)

    def adopt(self, shares: Shares, *, sent_in: int) -> None:
        """Take over shares that all have read.

        Args:
            shares: The new shares; nothing changes where they are the newest already.
            sent_in: Number of the step in which they were sent.

        Raises:
            TrainingError: If they are no shares of the same global batch.
        """
        if len(shares) != len(self.newest) or sum(shares) != sum(self.newest) or min(shares) < 0:
            raise TrainingError(
                f"the policy planned {shares}, which does not share out {sum(self.newest)} samples over"
                f" {len(self.newest)} workers",
                "let Policy.plan return one share of 0 or more for each worker that sum to the global batch",
            )
        while len(self._turns) > 1 and self._turns[1][0] <= sent_in + 1:
            self._turns.popleft()
        if shares != self.newest:
            self._turns.append((sent_in + 2 + self.lag, shares))
            self.num_changes += 1
