"""What a quorum sums beside the gradients: its votes with their reports, and the valid tokens of a step."""

from __future__ import annotations

from array import array
from typing import Any

import torch

from steelyard.balance import Shares
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.exchange import NUM_FIELDS, Exchange, StepReport
from steelyard.training.used_parameters import UsedParameters


class Vote(Exchange):
    """The step's reports, which every worker sends as its vote: it holds the sum of the gradients.

    The exchange of a fixed team hides behind the next step. This one is waited for, before the optimizer's
    step: who has read all rows knows that all hold the sum.

    Args:
        team: The quorum.
        used: Which parameters the step has used; None before there is a model.
    """

    def __init__(self, team: ElasticTeam, used: UsedParameters | None = None) -> None:
        super().__init__(team.rank, team.world_size, None)
        self._team = team
        self._used = used

    def send(self, report: StepReport, proposal: Shares) -> None:
        """Vote, and wait for the votes of the others; see `ElasticTeam.has_failed` for the outcome."""
        super().send(report, proposal)
        words = self._used.words if self._used else ()
        size, rank = NUM_FIELDS + len(words), self._rank
        row = self._numbers[rank * NUM_FIELDS : (rank + 1) * NUM_FIELDS] + array("d", words)
        plan = self._numbers[self._world_size * NUM_FIELDS :]
        lengths = [size + len(plan), *[size] * (self._world_size - 1)]
        rows = self._team.exchange(
            torch.frombuffer(row + plan if rank == 0 else row, dtype=torch.float64), lengths
        )
        if rows is None:
            return
        numbers = rows.tolist()
        plan, numbers[size : size + len(plan)] = array("d", numbers[size : size + len(plan)]), []
        votes = [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]
        self._numbers[:] = array("d", [each for vote in votes for each in vote[:NUM_FIELDS]]) + plan
        if self._used:
            self._used.settle(vote[NUM_FIELDS:] for vote in votes)


class QuorumTokens:
    """Sums the valid tokens of a step over the quorum while it computes.

    Args:
        team: The quorum.
    """

    def __init__(self, team: ElasticTeam) -> None:
        self._team = team
        self._number = torch.zeros(1, dtype=torch.int64)
        self._future: torch.futures.Future[Any] | None = None

    def start(self, num_tokens: int) -> None:
        """Start to sum; see `token_count.TokenCount.start`."""
        self._number.fill_(num_tokens)
        self._future = self._team.all_reduce(self._number)

    def total(self) -> int:
        """Wait for the sum; where a peer was lost it is any number of 1 or more, and the step is not made."""
        if self._future is not None:
            self._future.wait()
        return max(int(self._number), 1)
