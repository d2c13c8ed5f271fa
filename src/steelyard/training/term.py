"""What holds for as long as the same workers train together: their policy, and the journal of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.balance import Policy, Shares, SpeedPolicy, Straggler, split_equally
from steelyard.training.event import EventLog
from steelyard.training.journal import StepJournal
from steelyard.training.plan import SharePlan
from steelyard.training.share_bounds import ShareBounds, policy_within


class Term:
    """The workers of a run, or of its newest quorum.

    Args:
        global_batch: Samples of a step over all workers.
        events: Where the journal is written.
        members: What each worker tells of itself, in rank order: its node, whether it imitates, its bounds.
        policy: How to share out; None for the one that is named.
        policy_name: Name of a policy.

    Raises:
        UsageError: There is no such policy, or the workers together cannot take the global batch.
    """

    def __init__(
        self,
        global_batch: int,
        events: EventLog,
        members: Sequence[Mapping[str, Any]],
        *,
        policy: Policy | None,
        policy_name: str,
    ) -> None:
        self._global_batch = global_batch
        self._num_workers = len(members)
        bounds = [ShareBounds(**member["bounds"]) for member in members]
        self.policy = policy or policy_within(policy_name, global_batch, bounds)
        self.is_imitated = any(member["is_imitated"] for member in members)
        self.journal = StepJournal(
            events,
            node_ids=[member["node_id"] for member in members],
            policy_name=self.policy.name,
            is_imitated=self.is_imitated,
            stragglers=lambda: self.stragglers,
        )

    @property
    def stragglers(self) -> tuple[Straggler, ...]:
        """Workers that hold the others up; none under a policy that does not measure."""
        return self.policy.stragglers(self._global_batch) if isinstance(self.policy, SpeedPolicy) else ()

    def first_plan(self, shares: Shares | None = None) -> SharePlan:
        """Return the shares to begin with.

        Args:
            shares: Those of before; the equal split where None.
        """
        shares = shares or split_equally(self._global_batch, self._num_workers)
        plan = SharePlan(shares)
        plan.adopt(self.policy.plan(self._global_batch, shares), sent_in=-2)
        return plan
