"""The steps of an elastic run: a window is made by all of a quorum, or made again by the next one."""

from __future__ import annotations

import copy
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from steelyard.balance import Policy, Shares
from steelyard.errors import UsageError
from steelyard.training.cycle import StepCycle, StepOutcome
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.exchange import NUM_FIELDS, Exchange, StepReport
from steelyard.training.imitation import ImitatedAccelerator
from steelyard.training.plan import SharePlan
from steelyard.training.used_parameters import UsedParameters
from steelyard.training.window import Cursor, Window


class Stateful(Protocol):
    """What has a state: a learning-rate schedule, a gradient scaler."""

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take it over."""
        ...


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


class KeptStates:
    """What must follow the steps that were made, not those that were tried: schedules, scalers, learning rates.

    The state before a step is kept until the step is made. Where it has to be made again, the state goes back.

    """

    def __init__(self) -> None:
        self._optimizer: torch.optim.Optimizer | None = None
        self._objects: dict[str, Stateful] = {}
        self._saved: dict[str, dict[str, Any]] = {}
        self._options: list[dict[str, Any]] = []

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep an optimizer's options, such as the learning rate; its tensors change in made steps only."""
        self._optimizer = optimizer

    def add(self, **objects: Stateful) -> None:
        """Keep the states of objects from now on."""
        self._objects |= objects

    def save(self) -> None:
        """Take note of the state before a step."""
        self._saved = self.state_dict()
        self._options = [
            copy.deepcopy({key: value for key, value in group.items() if key != "params"})
            for group in self._groups()
        ]

    def restore(self) -> None:
        """Go back to the state before the step."""
        self.load_state_dict(self._saved)
        for group, options in zip(self._groups(), self._options, strict=True):
            group.update(copy.deepcopy(options))

    @property
    def saved(self) -> dict[str, dict[str, Any]]:
        """The states before the step under way."""
        return self._saved

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return the state of every object, by its name."""
        return {name: copy.deepcopy(kept.state_dict()) for name, kept in self._objects.items()}

    def load_state_dict(self, states: Mapping[str, dict[str, Any]]) -> None:
        """Take over the state of every object that has one there."""
        for name, state in states.items():
            if name in self._objects:
                self._objects[name].load_state_dict(copy.deepcopy(state))

    def _groups(self) -> list[dict[str, Any]]:
        return self._optimizer.param_groups if self._optimizer else []


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
        self._team = team
        self._first_plan = first_plan
        self._introduction = dict(introduction)
        self._open_term = begin_term
        self._made = cursor
        self._is_open = False
        self._is_decided = False
        self._has_term = False
        self._used: UsedParameters | None = None
        self.kept = KeptStates()
        """What goes back where a step has to be made again."""
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
        return len(self._leavers) == self._team.world_size

    def prepare(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, ddp_options: Mapping[str, Any]
    ) -> nn.Module:
        """Wrap a model and have its optimizer make the steps that all make; see `elastic_model.prepare_elastic`."""
        from steelyard.training.elastic_model import prepare_elastic

        self._used = UsedParameters([each for each in model.parameters() if each.requires_grad])
        return prepare_elastic(
            model, optimizer, team=self._team, cycle=self, used=self._used, ddp_options=ddp_options
        )

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
            self._team.expect_leave()
        is_new = self._team.form() or is_repeat or not self._has_term
        while is_new and not self._begin_term():
            self._team.commit(False)
            self._team.form()
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
        self.is_made = self._team.commit(not self._team.has_failed)

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
        members = self._team.gather(self._introduction | {"cost_s": cost_s})
        if self._team.has_failed:
            return False
        orders = [member.get("order") for member in members]
        if any(order != orders[0] for order in orders):
            raise UsageError(
                f"the workers would draw from different orders of samples: {orders}",
                "give every worker the same dataset, global batch, steps, seed and state",
            )
        self._rank, self._is_warm, self._has_term = self._team.rank, False, True
        self._policy = self._open_term(members)
        costs_s = [member["cost_s"] for member in members]
        if any(cost is not None for cost in costs_s):
            self._policy.load_state_dict({"costs_s": costs_s})
        self._exchange = Vote(self._team, self._used)
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
