"""The steps of an elastic run: a window is made by all of a quorum, or made again by the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from steelyard.balance import Policy
from steelyard.errors import UsageError
from steelyard.training.cycle import StepCycle, StepOutcome
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.imitation import ImitatedAccelerator
from steelyard.training.plan import SharePlan
from steelyard.training.used_parameters import UsedParameters
from steelyard.training.vote import QuorumTokens, Vote
from steelyard.training.window import Cursor, Window


class ElasticCycle(StepCycle):
    """Follows each step as `StepCycle` does, through quorums that come and go.

    A step counts once its window's gradients and the votes of all are there; else the optimizer leaves the
    parameters alone, and the next quorum makes the same window with shares of its own. So each window is made
    exactly once, whoever comes and goes.

    Args:
        team: The workers.
        policy: Chooses shares until the first quorum.
        begin_term: Takes what all of a new quorum tell of themselves, and gives the policy that chooses its shares.
            What is known of a worker's speed goes with it from quorum to quorum.
        first_plan: Gives the shares of a new quorum: a pure function of its policy and the number of workers.
        cursor: Where training stands.
        introduction: What this worker tells of itself to a new quorum; JSON values.
        accelerator: Paces the steps; None on a real accelerator.
        on_done: Is told of every step that all have made.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        *,
        team: ElasticTeam,
        policy: Policy,
        begin_term: Callable[[Sequence[Mapping[str, Any]]], Policy],
        first_plan: Callable[[], SharePlan],
        cursor: Cursor,
        introduction: Mapping[str, Any],
        accelerator: ImitatedAccelerator | None = None,
        on_done: Callable[[StepOutcome], None] = lambda outcome: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(
            rank=team.rank,
            policy=policy,
            plan=first_plan(),
            exchange=Vote(team),
            cursor=cursor,
            tokens=QuorumTokens(team),
            accelerator=accelerator,
            on_done=on_done,
            clock=clock,
        )
        self.team = team
        """The workers, as they are now."""
        self._first_plan = first_plan
        self._introduction = dict(introduction)
        self._open_term = begin_term
        self._made = cursor
        self._is_open = False
        self._is_decided = False
        self._has_term = False
        self._used: UsedParameters | None = None
        self.is_made = True
        """Whether all made the last step."""
        self.num_repeats = 0
        """Steps that were lost with a peer and made again."""
        team.register("balancer", self._save, self._load)

    @property
    def rank(self) -> int:
        """Place of this worker in the quorum."""
        return self._rank

    @property
    def is_time_to_leave(self) -> bool:
        """Whether this worker leaves now: it has told so with the vote of a step that was made."""
        return self._rank in self._leavers

    @property
    def do_all_leave(self) -> bool:
        """Whether nobody is left to go on."""
        return len(self._leavers) == self.team.world_size

    def follow(self, optimizer: torch.optim.Optimizer, used: UsedParameters) -> None:
        """Keep an optimizer's options in step, and tell with each vote which parameters the step has used."""
        self.kept.follow(optimizer)
        self._used = used

    def introduce(self, **facts: Any) -> None:
        """Add facts to what this worker tells to a new quorum."""
        self._introduction |= facts

    def finish(self) -> None:
        """End the step under way, if the script made no update in it: the others wait for its vote."""
        if self._is_open:
            self.before_update()
            self.after_update()

    def form(self) -> bool:
        """Meet the others for the next step.

        Returns:
            Whether windows drawn before are void: the workers, or where training stands, are others than before.
        """
        is_repeat = not self.is_made
        if is_repeat:
            self.kept.restore()
            self.num_repeats += 1
        self.kept.save()
        if self._leavers:
            self._leavers = ()
            self.team.expect_leave()
        is_new = self.team.form() or is_repeat or not self._has_term
        while is_new and not self._begin_term():
            self.team.commit(False)
            self.team.form()
        self.is_made = True
        if is_new:
            self.kept.save()  # a peer's state may have come
        return is_new

    def begin_step(self, window: Window, behind: Cursor, began_s: float) -> None:
        """Begin a step whose data are loaded; see `StepCycle.begin_step`."""
        super().begin_step(window, behind, began_s)
        self._is_open, self._is_decided = True, False

    def before_update(self) -> None:
        """Vote, and find out whether the step is made; further updates in the same step change nothing."""
        if not self._is_open or self._is_decided:
            return
        super().before_update()
        self._is_decided = True
        self.is_made = self.team.commit(not self.team.has_failed)

    def after_update(self) -> None:
        """Take note that the step is over: made, or to be made again."""
        if not self._is_open:
            return
        self._is_open = False
        super().after_update()
        if self.is_made:
            self._made = self.cursor
            super().settle()
        else:
            self._forget_step()

    def settle(self) -> None:
        """Do nothing: a step that was made is settled, and one that was not leaves nothing."""

    def restore(self, cursor: Cursor, plan: SharePlan) -> None:
        """Go on from a saved place; the first quorum makes a plan of its own."""
        super().restore(cursor, plan)
        self._made, self._has_term = cursor, False

    def _forget_step(self) -> None:
        self._step = self._sent = self._unsynced = None
        self.cursor = self._made

    def _begin_term(self) -> bool:
        """Get to know a new quorum and agree on its first shares; False where it fell apart meanwhile."""
        costs_s = self._policy.state_dict().get("costs_s") or []
        cost_s = costs_s[self._rank] if self._rank < len(costs_s) else None
        members = self.team.gather(self._introduction | {"cost_s": cost_s})
        if self.team.has_failed:
            return False
        orders = [member.get("order") for member in members]
        if any(order != orders[0] for order in orders):
            raise UsageError(
                f"the workers would draw from different orders of samples: {orders}",
                "give every worker the same dataset, global batch, steps, seed and state",
            )
        self._rank, self._is_warm, self._has_term = self.team.rank, False, True
        self._policy = self._open_term(members)
        costs_s = [member["cost_s"] for member in members]
        if any(cost is not None for cost in costs_s):
            self._policy.load_state_dict({"costs_s": costs_s})
        self._exchange = Vote(self.team, self._used)
        self.plan = self._first_plan()
        self.plan.lag = max(member.get("depth", 0) for member in members)
        self._proposal = self.plan.newest
        return True

    def _save(self) -> dict[str, Any]:
        return {"cursor": self._made.state_dict(), "kept": self.kept.saved}

    def _load(self, state: Mapping[str, Any]) -> None:
        self._made = Cursor(**state["cursor"])
        self.kept.load_state_dict(state["kept"])
        self._has_term = False
        self._forget_step()
