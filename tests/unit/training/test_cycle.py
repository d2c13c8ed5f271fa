"""A step is measured without its waiting, exchanged once, and followed by the plan of rank 0."""

from __future__ import annotations

import math

import pytest
import torch

from steelyard.balance import EqualPolicy, Measurement, Shares, SpeedPolicy
from steelyard.errors import TrainingError
from steelyard.training.cycle import StepCycle, StepOutcome
from steelyard.training.exchange import StepReport
from steelyard.training.imitation import ImitatedAccelerator
from steelyard.training.plan import SharePlan
from steelyard.training.window import Cursor


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


class FakeTeam:
    """Answers for the other workers of this one's exchange: each takes its cost for its share."""

    def __init__(self, costs_s: list[float]) -> None:
        self.costs_s = costs_s
        self.sent: list[tuple[StepReport, Shares]] = []
        self.plan_of_rank_0: Shares | None = None
        self.shares: Shares = ()

    def send(self, report: StepReport, proposal: Shares) -> None:
        self.sent.append((report, proposal))

    def receive(self) -> tuple[list[StepReport], Shares]:
        report, proposal = self.sent[-1]
        others = [
            StepReport(
                step=report.step,
                start=report.start,
                num_samples=share,
                compute_s=share * cost,
                loss=2.0,
                is_pace_held=True,
            )
            for share, cost in list(zip(self.shares, self.costs_s, strict=True))[1:]
        ]
        return [report, *others], self.plan_of_rank_0 or proposal


class Bench:
    """A cycle with a fake clock and fake partners, driven step by step."""

    def __init__(self, *, policy: SpeedPolicy | EqualPolicy, rank: int = 0, imitated_s: float | None = None):
        self.clock = FakeClock()
        self.team = FakeTeam([0.006, 0.006, 0.018])
        self.outcomes: list[StepOutcome] = []
        accelerator = None
        if imitated_s is not None:
            accelerator = ImitatedAccelerator(imitated_s, clock=self.clock, sleep=self._oversleep)
        self.cycle = StepCycle(
            rank=rank,
            policy=policy,
            plan=SharePlan((16, 16, 16)),
            exchange=self.team,
            cursor=Cursor(seed=0),
            accelerator=accelerator,
            on_done=self.outcomes.append,
            clock=self.clock,
            wall_clock=lambda: 1000.0,
        )

    def _oversleep(self, seconds: float) -> None:
        self.clock.pass_time(seconds + 0.001)

    def begin(self, total: int = 480_000) -> None:
        began_s = self.clock()
        cursor = self.cycle.cursor
        window, behind = cursor.cut(total, self.cycle.plan.at(cursor.step))
        self.team.shares = window.shares
        self.cycle.begin_step(window, behind, began_s)

    def step(self, compute_s: float = 0.1, wait_s: float = 0.0, loss: float = 2.0) -> None:
        self.begin()
        self.cycle.add_loss(torch.tensor(loss))
        self.clock.pass_time(compute_s)
        self.cycle.end_compute()
        self.clock.pass_time(wait_s)
        self.update()

    def update(self) -> None:
        self.cycle.before_update()
        self.clock.pass_time(0.002)
        self.cycle.after_update()


def test_waiting_for_the_others_is_not_measured() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.step(compute_s=0.1, wait_s=5.0)
    report, _ = bench.team.sent[0]
    assert report.compute_s == pytest.approx(0.1)
    assert report.num_samples == 16


def test_a_steps_length_counts_the_wait_and_the_update() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.step(compute_s=0.1, wait_s=0.2)
    bench.clock.pass_time(60.0)  # the script evaluates between two steps
    bench.cycle.settle()
    assert bench.outcomes[0].seconds == pytest.approx(0.302)
    assert bench.outcomes[0].ended_at_s == 1000.0


def test_an_exchange_is_read_in_the_next_step() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.step()
    assert bench.outcomes == []
    bench.step()
    assert [outcome.window.step for outcome in bench.outcomes] == [0]
    bench.cycle.settle()
    assert [outcome.window.step for outcome in bench.outcomes] == [0, 1]


def test_the_shares_follow_the_speeds_from_the_fifth_step() -> None:
    bench = Bench(policy=SpeedPolicy())
    for _ in range(6):
        bench.step(compute_s=0.006 * bench.cycle.plan.at(bench.cycle.cursor.step)[0])
    bench.cycle.settle()
    assert [outcome.window.shares[2] for outcome in bench.outcomes[:4]] == [16] * 4
    assert sum(bench.outcomes[4].window.shares) == 48
    assert bench.outcomes[4].window.shares[2] <= 7


def test_the_first_step_teaches_nothing_of_speed() -> None:
    policy = SpeedPolicy()
    bench = Bench(policy=policy)
    bench.step(compute_s=3.0)
    bench.cycle.settle()
    assert policy.costs_s == ()
    bench.step(compute_s=0.096)
    bench.cycle.settle()
    assert policy.costs_s == pytest.approx((0.006, 0.006, 0.018))


def test_a_worker_follows_the_plan_of_rank_0_even_against_its_own_policy() -> None:
    bench = Bench(policy=EqualPolicy(), rank=0)
    bench.team.plan_of_rank_0 = (30, 10, 8)
    for _ in range(3):
        bench.step()
    assert bench.cycle.plan.at(3) == (30, 10, 8)


def test_the_loss_is_the_mean_over_the_global_batch() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.step(loss=5.0)
    bench.cycle.settle()
    assert bench.outcomes[0].loss == pytest.approx((5.0 + 2.0 + 2.0) / 3)


def test_parts_of_a_loss_add_up() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    bench.cycle.add_loss(torch.tensor(1.0))
    bench.cycle.add_loss(torch.tensor(0.5))
    bench.cycle.end_compute()
    bench.update()
    assert bench.team.sent[0][0].loss == 1.5


def test_a_loss_that_was_not_given_is_not_a_number() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    bench.cycle.end_compute()
    bench.update()
    assert math.isnan(bench.team.sent[0][0].loss)


def test_a_second_update_in_a_step_sends_nothing_more() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.step()
    bench.update()
    assert len(bench.team.sent) == 1


def test_an_update_outside_the_loop_is_none_of_its_business() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.cycle.end_compute()
    bench.update()
    bench.cycle.settle()
    assert bench.team.sent == []


def test_an_update_without_a_backward_pass_measures_nothing() -> None:
    bench = Bench(policy=SpeedPolicy())
    bench.begin()
    bench.update()
    assert bench.team.sent[0][0].measurement == Measurement(num_samples=0, compute_s=0.0)


def test_an_imitated_accelerator_holds_the_step_and_is_what_is_measured() -> None:
    bench = Bench(policy=EqualPolicy(), imitated_s=0.01)
    bench.step(compute_s=0.04, wait_s=1.0)
    report, _ = bench.team.sent[0]
    assert report.compute_s == pytest.approx(0.16, abs=0.002)
    assert report.is_pace_held


def test_computing_slower_than_the_imitated_pace_is_reported() -> None:
    bench = Bench(policy=EqualPolicy(), imitated_s=0.01)
    bench.step(compute_s=0.4)
    report, _ = bench.team.sent[0]
    assert not report.is_pace_held
    assert report.compute_s == pytest.approx(0.4)


def test_gradients_that_waited_cannot_join_a_window_of_other_shares() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin(total=52)
    bench.cycle.note_unsynced()
    with pytest.raises(TrainingError, match="unequal shares"):
        bench.begin(total=52)


def test_gradients_that_waited_may_join_a_window_of_the_same_shares() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    bench.cycle.note_unsynced()
    bench.begin()
    bench.cycle.end_compute()
    bench.update()
    bench.begin(total=100)
    assert bench.cycle.weight == pytest.approx(1 / 4)


def test_the_weight_is_the_share_of_the_true_window() -> None:
    bench = Bench(policy=EqualPolicy())
    assert bench.cycle.weight == 1.0
    bench.begin(total=4)
    assert bench.cycle.weight == 1 / 4


def test_what_was_waited_for_inside_the_work_is_not_measured() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    bench.clock.pass_time(0.7)
    bench.cycle.note_wait(0.6)
    bench.cycle.end_compute()
    bench.update()
    assert bench.team.sent[0][0].compute_s == pytest.approx(0.1)


def test_of_marked_work_the_last_mark_counts() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    for _ in range(2):
        bench.clock.pass_time(0.1)
        bench.cycle.mark_compute()
        bench.cycle.note_wait(0.05)
        bench.clock.pass_time(0.05)
    bench.clock.pass_time(3.0)  # clipping waits for the others' norms
    bench.cycle.end_compute()
    bench.update()
    assert bench.team.sent[0][0].compute_s == pytest.approx(0.2)


def test_an_imitated_accelerator_is_not_given_the_time_that_was_waited() -> None:
    bench = Bench(policy=EqualPolicy(), imitated_s=0.01)
    bench.begin()
    bench.clock.pass_time(2.0)
    bench.cycle.note_wait(2.0)
    bench.cycle.end_compute()
    bench.update()
    report, _ = bench.team.sent[0]
    assert report.compute_s == pytest.approx(0.16, abs=0.002)
    assert report.is_pace_held


def test_a_step_whose_update_was_skipped_is_reported_with_the_next() -> None:
    bench = Bench(policy=EqualPolicy())
    bench.begin()
    bench.clock.pass_time(0.1)
    bench.cycle.end_compute()
    bench.step()
    bench.cycle.settle()
    assert [outcome.window.step for outcome in bench.outcomes] == [0, 1]


def test_micro_batches_switch_the_gradients_on_with_the_last() -> None:
    bench, switched = Bench(policy=EqualPolicy()), []
    bench.cycle.gradients.set_sync = switched.append
    bench.begin()
    for part, is_last in ((0.75, False), (0.25, True)):
        bench.cycle.begin_micro_batch(part, is_last=is_last)
        bench.cycle.add_loss(torch.tensor(4.0))
    bench.cycle.end_compute()
    bench.update()
    assert switched == [False, True]
    assert bench.team.sent[0][0].loss == 4.0
