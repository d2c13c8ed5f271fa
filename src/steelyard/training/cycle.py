"""One training step from its data to the optimizer: measured, weighed, exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from steelyard.balance import Policy, Shares
from steelyard.errors import TrainingError
from steelyard.training.exchange import StepReport
from steelyard.training.imitation import ImitatedAccelerator
from steelyard.training.kept_states import KeptStates
from steelyard.training.plan import SharePlan
from steelyard.training.step_loss import StepLoss, TokenSum
from steelyard.training.window import Cursor, Window


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What all workers together know of a step that is done.

    Attributes:
        window: The samples of the step.
        reports: What each worker reported, in rank order.
        seconds: Length of the step on this worker: from the loading of its data to the end of the
            optimizer's step, its waiting for the others included.
        ended_at_s: Wall clock at the end, in seconds since 1970.
    """

    window: Window
    reports: list[StepReport]
    seconds: float
    ended_at_s: float

    @property
    def loss(self) -> float:
        """Mean loss over the global batch; NaN where the script did not give it."""
        parts = zip(self.window.shares, self.reports, strict=True)
        return sum(share * report.loss for share, report in parts if share) / self.window.num_samples


class ReportExchange(Protocol):
    """Brings every worker's report and the plan of rank 0 to all; see `exchange.Exchange`."""

    def send(self, report: StepReport, proposal: Shares) -> None:
        """Start the exchange of a step."""
        ...

    def receive(self) -> tuple[list[StepReport], Shares]:
        """Wait for the exchange that was sent."""
        ...


@dataclass(kw_only=True)
class GradientLink:
    """How the cycle reaches the model's gradients; set when the model is prepared.

    Attributes:
        set_sync: Lets the next backward pass send the gradients to the others, or keep them.
        is_synced: Whether the next backward pass sends the gradients.
        rescale: Multiplies the gradients at hand, where no hook weighs them; else None.
        is_measured: Whether the model's computing can be told from its waiting.
    """

    set_sync: Callable[[bool], None] = lambda is_on: None
    is_synced: Callable[[], bool] = lambda: True
    rescale: Callable[[float], None] | None = None
    is_measured: bool = True


@dataclass(kw_only=True)
class _Step:
    """What is known of the step under way."""

    window: Window
    began_s: float
    loss: StepLoss
    waited_s: float = 0.0
    marked_s: float | None = None
    compute_s: float | None = None
    is_pace_held: bool = True
    is_sent: bool = False
    seconds: float = 0.0
    ended_at_s: float = 0.0


class StepCycle:
    """Follows each step through the loop and agrees with the other workers on the shares to come.

    A step: ``begin_step`` (the data are there), the backward pass, ``end_compute`` (the local work is done,
    nothing was waited for yet), ``before_update`` (the gradients are summed: the exchange of the step before
    is read, that of this one starts), the optimizer's step, ``after_update``. So an exchange has a whole
    step's time, and nobody waits for it.

    Args:
        rank: This worker.
        policy: Chooses shares; the choice of rank 0 counts.
        plan: The shares agreed on.
        exchange: Reaches the other workers.
        cursor: Where training stands.
        tokens: Sums the valid tokens of a step over the workers; None where losses are not weighed by them.
        accelerator: Paces the steps; None on a real accelerator.
        on_done: Is told of every step that all workers have made.
        clock: Monotonic clock in seconds.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        rank: int,
        policy: Policy,
        plan: SharePlan,
        exchange: ReportExchange,
        cursor: Cursor,
        tokens: TokenSum | None = None,
        accelerator: ImitatedAccelerator | None = None,
        on_done: Callable[[StepOutcome], None] = lambda outcome: None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._rank = rank
        self._policy = policy
        self._exchange = exchange
        self._tokens = tokens
        self._accelerator = accelerator
        self._on_done = on_done
        self._clock = clock
        self._wall_clock = wall_clock
        self._step: _Step | None = None
        self._sent: _Step | None = None
        self._is_warm = False
        self._unsynced: Shares | None = None
        self._proposal = plan.newest
        self.plan = plan
        self.cursor = cursor
        self.kept = KeptStates()
        """States that are saved with the training; where a step has to be made again they go back."""
        self.gradients = GradientLink()
        self.on_boundary: Callable[[], None] = lambda: None
        """Called between two steps, when all that the script does in one is done."""
        self.is_asked_to_leave: Callable[[], bool] = lambda: False
        """Whether this worker is to leave."""
        self._leavers: tuple[int, ...] = ()
        self._told_in = -1

    @property
    def is_time_to_leave(self) -> bool:
        """Whether this worker leaves now: all do, after a step by which everyone has read that somebody is to."""
        step = self._step
        return bool(self._leavers) and step is not None and step.is_sent and step.window.step > self._told_in

    @property
    def do_all_leave(self) -> bool:
        """Whether no worker goes on: those of a fixed set cannot without one of them."""
        return bool(self._leavers)

    @property
    def has_update(self) -> bool:
        """Whether the optimizer's step of the last window was made: nothing waits in the gradients."""
        return self._step is not None and self._step.is_sent

    @property
    def weight(self) -> float:
        """Weight of this worker's gradient in the step under way; what it waits for is not measured."""
        if self._step is None:
            return 1.0
        began_s = self._clock()
        weight = self._step.loss.weight
        self.note_wait(self._clock() - began_s)
        return weight

    def begin_step(self, window: Window, behind: Cursor, began_s: float) -> None:
        """Begin a step whose data are loaded.

        Args:
            window: The samples of all workers.
            behind: The cursor behind the window.
            began_s: Time of the clock at which this worker began to load its data.

        Raises:
            TrainingError: If gradients of a window with other shares wait to be summed with this one's.
        """
        if self._unsynced not in (None, window.shares):
            raise TrainingError(
                f"gradients accumulated under no_sync over windows of unequal shares {self._unsynced} and"
                f" {window.shares}: one weight cannot be right for both",
                "accumulate over micro-batches of one window, or skip the short last window",
            )
        self._report_skipped_update()
        loss = StepLoss(window, self._rank, self._tokens, self.gradients.rescale)
        self._step = _Step(window=window, began_s=began_s, loss=loss)
        self.cursor = behind

    def begin_micro_batch(self, part: float, *, is_last: bool) -> None:
        """Begin a micro-batch of the step under way.

        Args:
            part: Its part of this worker's samples of the step.
            is_last: Whether the gradients leave for the other workers with it.
        """
        self.gradients.set_sync(is_last)
        if self._step is not None:
            self._step.loss.begin_micro_batch(part)

    def note_unsynced(self) -> None:
        """Take note of a forward pass under ``no_sync``: its gradient will wait for a later backward pass."""
        if self._step is not None:
            self._unsynced = self._step.window.shares

    def add_loss(self, loss: torch.Tensor, num_tokens: int | None = None) -> torch.Tensor:
        """Add a part of the local loss to the step's.

        Args:
            loss: Mean over a micro-batch's samples or valid tokens.
            num_tokens: Valid tokens that it is the mean of; None where samples count.

        Returns:
            The loss to call ``backward`` on.
        """
        step = self._step
        if step is None or step.is_sent:
            return loss
        return step.loss.add(loss, num_tokens, is_synced=self.gradients.is_synced())

    def note_wait(self, seconds: float) -> None:
        """Take note that this long was spent waiting for other workers: it is not measured."""
        if self._step is not None:
            self._step.waited_s += seconds

    def mark_compute(self) -> None:
        """Take note that this worker's own work was done up to here; the last mark of a step counts."""
        self._unsynced = None
        step = self._step
        if step is not None and not step.is_sent:
            step.marked_s = self._clock() - step.began_s - step.waited_s

    def end_compute(self) -> None:
        """Take note that this worker's own work is done; holds the step while an accelerator is imitated."""
        self._unsynced = None
        step = self._step
        if step is None or step.is_sent:
            return
        began_s = step.began_s + step.waited_s
        if self._accelerator is not None:
            step.is_pace_held = self._accelerator.hold(began_s, self._num_computed(step))
            step.compute_s = self._clock() - began_s
        else:
            step.compute_s = self._clock() - began_s if step.marked_s is None else step.marked_s

    def before_update(self) -> None:
        """Start the exchange of the step; further updates in the same step change nothing."""
        step = self._step
        if step is None or step.is_sent:
            return
        self.settle()
        compute_s = step.compute_s if self.gradients.is_measured else None
        report = StepReport(
            step=step.window.step,
            start=step.window.start,
            num_samples=0 if compute_s is None else self._num_computed(step),
            compute_s=compute_s or 0.0,
            loss=step.loss.mean(),
            is_pace_held=step.is_pace_held,
            is_leaving=self.is_asked_to_leave(),
        )
        self._exchange.send(report, self._proposal)
        step.is_sent = True
        self._sent = step

    def after_update(self) -> None:
        """Take note that the optimizer's step is done."""
        step = self._step
        if step is not None and step.is_sent:
            step.seconds = self._clock() - step.began_s
            step.ended_at_s = self._wall_clock()

    def settle(self) -> None:
        """Read the exchange under way, if there is one, and choose shares to come.

        A worker may do so earlier than the others: what was agreed on is in force from a step that does not
        depend on when it is read.
        """
        step, self._sent = self._sent, None
        if step is None:
            return
        reports, agreed = self._exchange.receive()
        self.plan.adopt(agreed, sent_in=step.window.step)
        self._note_leavers(step.window.step, reports)
        # The first step also pays for what is allocated and chosen once, so it tells nothing of speed.
        if self._is_warm:
            self._policy.observe([report.measurement for report in reports])
        self._is_warm = True
        if self._rank == 0:
            self._proposal = self._policy.plan(sum(agreed), agreed)
        self._on_done(
            StepOutcome(window=step.window, reports=reports, seconds=step.seconds, ended_at_s=step.ended_at_s)
        )

    def restore(self, cursor: Cursor, plan: SharePlan) -> None:
        """Go on from a saved place.

        Args:
            cursor: Where training stands.
            plan: The shares to begin with.
        """
        self.settle()
        self._step, self._unsynced = None, None
        plan.lag = self.plan.lag
        self.cursor, self.plan, self._proposal = cursor, plan, plan.newest

    def _note_leavers(self, step: int, reports: Sequence[StepReport]) -> None:
        leavers = tuple(rank for rank, report in enumerate(reports) if report.is_leaving)
        if leavers and not self._leavers:
            self._leavers, self._told_in = leavers, step

    def _report_skipped_update(self) -> None:
        """Send what is known of a step whose update was skipped, as a gradient scaler does on overflow.

        All workers skip alike, since all see the same summed gradient.
        """
        step = self._step
        if step is None or step.is_sent:
            return
        if step.compute_s is None and step.marked_s is not None:
            self.end_compute()
        if step.compute_s is not None:
            self.before_update()
            self.after_update()

    def _num_computed(self, step: _Step) -> int:
        return max(step.window.shares[self._rank], 1)  # a zero share still computes the dummy sample
