"""A straggler is told by name: how slow, since when, and what it costs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.balance import Measurement, SpeedPolicy, StragglerWatch, finish_s, split_by_cost


def watch_of(*steps: list[float | None]) -> StragglerWatch:
    watch = StragglerWatch()
    for costs_s in steps:
        watch.observe(costs_s)
    return watch


def test_equal_workers_hold_nobody_up() -> None:
    assert watch_of([0.01, 0.0101, 0.0099]).stragglers(100) == ()


def test_a_worker_that_slowed_is_compared_with_its_own_best() -> None:
    steps: list[list[float | None]] = [[0.01, 0.02]] * 5 + [[0.01, 0.06]] * 3
    worker, *others = watch_of(*steps).stragglers(300)
    assert others == []
    assert (worker.rank, worker.reason, worker.num_steps) == (1, "slowed", 3 + 5)
    assert worker.slowdown == pytest.approx(3.0)


def test_since_when_counts_from_the_step_in_which_it_became_slow() -> None:
    steps: list[list[float | None]] = [[0.01, 0.01, 0.01]] * 5 + [[0.01, 0.01, 0.03]] * 3
    (worker,) = watch_of(*steps).stragglers(300)
    assert worker.num_steps == 3


def test_a_worker_that_was_always_slow_is_compared_with_the_median() -> None:
    (worker,) = watch_of([0.01, 0.01, 0.03]).stragglers(48)
    assert (worker.rank, worker.reason) == (2, "slow")
    assert worker.usual_cost_s == 0.01


def test_a_worker_that_recovered_is_no_straggler() -> None:
    assert watch_of([0.01, 0.01], [0.01, 0.03], [0.01, 0.01]).stragglers(100) == ()


def test_what_it_costs_is_the_longer_step_with_balanced_shares() -> None:
    (worker,) = watch_of([0.01, 0.01], [0.01, 0.03]).stragglers(3000)
    now_s = finish_s(split_by_cost(3000, [0.01, 0.03]), [0.01, 0.03])
    before_s = finish_s(split_by_cost(3000, [0.01, 0.01]), [0.01, 0.01])
    assert worker.lost_s == pytest.approx(now_s - before_s)


def test_the_dearest_straggler_comes_first() -> None:
    found = watch_of([0.01] * 4, [0.01, 0.02, 0.01, 0.05]).stragglers(100)
    assert [worker.rank for worker in found] == [3, 1]


def test_a_worker_that_was_not_measured_is_not_judged() -> None:
    assert watch_of([0.01, None, 0.01]).stragglers(100) == ()


def test_a_lone_worker_holds_nobody_up() -> None:
    assert watch_of([0.01], [0.05]).stragglers(100) == ()


def test_another_number_of_workers_starts_afresh() -> None:
    assert watch_of([0.01, 0.01], [0.03, 0.03, 0.03]).stragglers(100) == ()


@given(st.lists(st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_verdict_never_names_a_worker_at_its_usual_speed(steps: list[list[float | None]]) -> None:
    for worker in watch_of(*steps).stragglers(100):
        assert worker.slowdown >= 1.1 * (1 - 1e-12)
        assert worker.lost_s > 0.0
        assert 1 <= worker.num_steps <= len(steps)


def test_the_policy_judges_what_it_measures_and_remembers_it_through_json() -> None:
    policy, resumed = SpeedPolicy(), SpeedPolicy()
    for cost in [0.01] * 5 + [0.04] * 6:
        policy.observe([Measurement(num_samples=8, compute_s=8 * each) for each in (0.01, 0.01, cost)])
    (worker,) = policy.stragglers(48)
    assert (worker.rank, worker.reason) == (2, "slowed")
    assert worker.num_steps == 4  # the first two slow steps might have been spikes
    resumed.load_state_dict(json.loads(json.dumps(policy.state_dict())))
    assert resumed.stragglers(48) == (worker,)
