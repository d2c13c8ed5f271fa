"""A plan is in force from the same step on every worker, whenever each one reads it."""

from __future__ import annotations

import pytest

from steelyard.balance import Shares
from steelyard.errors import TrainingError
from steelyard.training.plan import SharePlan


def test_a_plan_is_in_force_two_steps_after_it_was_sent() -> None:
    plan = SharePlan((16, 16, 16))
    plan.adopt((21, 20, 7), sent_in=4)
    assert plan.at(5) == (16, 16, 16)
    assert plan.at(6) == (21, 20, 7)


def test_with_prefetching_loaders_it_waits_for_the_deepest() -> None:
    plan = SharePlan((8, 8))
    plan.lag = 4
    plan.adopt((12, 4), sent_in=0)
    assert [plan.at(step) for step in range(4, 8)] == [(8, 8), (8, 8), (12, 4), (12, 4)]


def test_plans_that_follow_each_other_each_have_their_steps() -> None:
    plan = SharePlan((8, 8))
    plan.lag = 2
    for step, shares in enumerate([(9, 7), (10, 6), (10, 6), (11, 5)]):
        plan.adopt(shares, sent_in=step)
    assert [plan.at(step) for step in range(4, 8)] == [(9, 7), (10, 6), (10, 6), (11, 5)]
    assert plan.newest == (11, 5)
    assert plan.num_changes == 3


def test_the_same_plan_again_is_no_change() -> None:
    plan = SharePlan((8, 8))
    plan.adopt((8, 8), sent_in=0)
    assert plan.num_changes == 0


@pytest.mark.parametrize("shares", [(9, 8), (8, 4, 4), (20, -4)])
def test_what_does_not_share_out_the_same_batch_is_refused(shares: Shares) -> None:
    with pytest.raises(TrainingError, match="does not share out 16 samples over 2 workers"):
        SharePlan((8, 8)).adopt(shares, sent_in=0)


def test_an_early_and_a_late_reader_cut_the_same_windows() -> None:
    sent = [(9, 7), (9, 7), (11, 5), (10, 6), (10, 6), (8, 8)]
    early, late = SharePlan((8, 8)), SharePlan((8, 8))
    early.adopt(sent[0], sent_in=0)
    for step in range(1, len(sent)):
        assert early.at(step) == late.at(step)
        late.adopt(sent[step - 1], sent_in=step - 1)
        early.adopt(sent[step], sent_in=step)
        assert early.at(step + 1) == late.at(step + 1)
