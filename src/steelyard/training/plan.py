"""Which shares are in force at which step."""

from __future__ import annotations

from collections import deque

from steelyard.balance import Shares


class SharePlan:
    """The shares of every step, agreed on ahead of it.

    A plan agreed on in step k is in force from step ``k + 1 + lag``. Loaders that prefetch draw windows
    ahead of the step, some further than others; with the lag of the deepest one, every worker cuts every
    window alike.

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
        """Return the shares of a step not before the one last adopted in."""
        return next(shares for since, shares in reversed(self._turns) if since <= step)

    def adopt(self, shares: Shares, *, agreed_in: int) -> None:
        """Take over shares that were agreed on in a step.

        Args:
            shares: The new shares; nothing changes where they are the newest already.
            agreed_in: Number of that step.
        """
        while len(self._turns) > 1 and self._turns[1][0] <= agreed_in:
            self._turns.popleft()
        if shares != self.newest:
            self._turns.append((agreed_in + 1 + self.lag, shares))
            self.num_changes += 1
