"""Step events: what all workers know of a step, written down by rank 0."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from steelyard.balance import Straggler
from steelyard.training.cycle import StepOutcome
from steelyard.training.event import EventLog
from steelyard.training.step_parts import RemainingTime, step_parts

logger = logging.getLogger(__name__)

_NUM_LATE_TO_WARN = 3
"""Late steps that are a pace not held; fewer are a machine that was busy for a moment."""


class StepJournal:
    """Writes one ``step`` event per step, a ``leave`` for a worker that leaves, a ``warning`` for a pace not held.

    Args:
        events: Where to write.
        node_ids: Node of each worker, in rank order.
        policy_name: How the global batch is shared out.
        is_imitated: Whether any worker's accelerator is imitated.
        stragglers: Gives the workers that hold the others up.
    """

    def __init__(
        self,
        events: EventLog,
        *,
        node_ids: Sequence[str],
        policy_name: str,
        is_imitated: bool,
        stragglers: Callable[[], Sequence[Straggler]] = tuple,
    ) -> None:
        self._events = events
        self._node_ids = node_ids
        self._policy_name = policy_name
        self._is_imitated = is_imitated
        self._stragglers = stragglers
        self._named: set[int] = set()
        self._left: set[int] = set()
        self._num_steps = 0
        self._remaining = RemainingTime()
        self._num_late = 0
        self.total_steps: int | None = None
        """Steps that the training will make, where it is known."""

    def record(self, outcome: StepOutcome) -> None:
        """Write a step down.

        What the step's seconds went to is told as `StepParts` tells it, the time that is left as ``eta_s``.

        ``samples_per_s`` of the step counts all from the loading of its data to the optimizer's end, and
        nothing that the script does between steps; that of a node counts its own work alone, so it is what
        the node could reach. ``time`` is when the step ended.
        """
        is_pace_held = self._watch_pace(outcome)
        parts = step_parts(outcome.reports, outcome.window.num_samples, outcome.seconds)
        step = outcome.window.step + 1
        self._remaining.note(outcome.ended_at_s)
        total = self.total_steps
        members = zip(self._node_ids, outcome.window.shares, outcome.reports, parts.wait_s, strict=True)
        nodes = [
            {
                "rank": rank,
                "node_id": node_id,
                "share": share,
                "samples_per_s": report.num_samples / report.compute_s if report.compute_s else 0.0,
                "compute_s": report.compute_s,
                "wait_s": wait_s,
            }
            for rank, (node_id, share, report, wait_s) in enumerate(members)
        ]
        self._events.write(
            "step",
            at_s=outcome.ended_at_s,
            step=step,
            total_steps=total,
            loss=outcome.loss,
            global_batch=outcome.window.num_samples,
            samples_per_s=outcome.window.num_samples / outcome.seconds if outcome.seconds else 0.0,
            balance=self._policy_name,
            is_imitated=self._is_imitated,
            is_pace_held=is_pace_held,
            seconds=parts.seconds,
            communicate_s=parts.communicate_s,
            equal_s=parts.equal_s if self._num_steps > 1 else None,
            eta_s=self._remaining.seconds(None if total is None else total - step),
            nodes=nodes,
        )
        self._name_stragglers(step)
        self._name_leavers(outcome)

    def _watch_pace(self, outcome: StepOutcome) -> bool:
        """Return whether every imitated accelerator held its pace; where it is lost, say so once."""
        is_pace_held = all(report.is_pace_held for report in outcome.reports)
        self._num_steps += 1
        if not is_pace_held and self._num_steps > 1:  # the first step also pays for what is done once
            self._num_late += 1
            if self._num_late == _NUM_LATE_TO_WARN:
                self._warn_of_pace(outcome)
        return is_pace_held

    def _name_stragglers(self, step: int) -> None:
        """Write down each worker that has become slower than it was, once until it recovers."""
        slowed = {each.rank: each for each in self._stragglers() if each.reason == "slowed"}
        for rank in slowed.keys() - self._named:
            each, node_id = slowed[rank], self._node_ids[rank]
            message = (
                f"{node_id} (rank {rank}) has become {each.slowdown:.1f} times slower than it was:"
                f" each step takes {each.lost_s * 1000:.0f} ms longer"
            )
            logger.warning(message)
            self._events.write(
                "warning",
                step=step,
                name="straggler",
                message=message,
                rank=rank,
                node_id=node_id,
                slowdown=each.slowdown,
                num_steps=each.num_steps,
                lost_s=each.lost_s,
            )
        self._named = set(slowed)

    def _name_leavers(self, outcome: StepOutcome) -> None:
        """Write down each worker that leaves in order, once."""
        for rank, (node_id, report) in enumerate(zip(self._node_ids, outcome.reports, strict=True)):
            if report.is_leaving and rank not in self._left:
                self._left.add(rank)
                self._events.write("leave", step=outcome.window.step + 1, rank=rank, node_id=node_id)

    def _warn_of_pace(self, outcome: StepOutcome) -> None:
        members = zip(self._node_ids, outcome.reports, strict=True)
        late = [node_id for node_id, report in members if not report.is_pace_held]
        message = (
            f"the imitated accelerator of {', '.join(late)} did not hold its pace in {self._num_late} of"
            f" {self._num_steps} steps: the real computing took longer than the imitated"
        )
        logger.warning(message)
        self._events.write("warning", step=outcome.window.step + 1, name="pace_not_held", message=message)
