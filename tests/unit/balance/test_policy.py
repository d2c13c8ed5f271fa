"""The policies: equal stays equal, speed follows the speeds and does not dither."""

from __future__ import annotations

import itertools
import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.balance import (
    EqualPolicy,
    Measurement,
    Policy,
    Shares,
    SpeedPolicy,
    finish_s,
    policy_by_name,
    split_equally,
)


def measure(shares: Shares, costs_s: list[float]) -> list[Measurement]:
    return [
        Measurement(num_samples=share, compute_s=share * cost)
        for share, cost in zip(shares, costs_s, strict=True)
    ]


def run(policy: Policy, global_batch: int, steps: list[list[float]]) -> list[Shares]:
    shares = split_equally(global_batch, len(steps[0]))
    plans = []
    for costs_s in steps:
        policy.observe(measure(shares, costs_s))
        shares = policy.plan(global_batch, shares)
        plans.append(shares)
    return plans


def test_equal_policy_shares_equally_whatever_it_measures() -> None:
    assert run(EqualPolicy(), 48, [[0.006, 0.006, 0.018]] * 5)[-1] == (16, 16, 16)


def test_speed_policy_gives_the_slow_node_a_third() -> None:
    assert run(SpeedPolicy(), 48, [[0.006, 0.006, 0.018]] * 2)[-1] == (21, 21, 6)


def test_without_a_measurement_the_split_stays_equal() -> None:
    assert SpeedPolicy().plan(48, (16, 16, 16)) == (16, 16, 16)
    assert SpeedPolicy().plan(50, (16, 16, 16)) == (17, 17, 16)


def test_a_worker_not_yet_measured_counts_as_the_median() -> None:
    policy = SpeedPolicy()
    policy.observe(
        [
            Measurement(num_samples=4, compute_s=0.4),
            Measurement(num_samples=0, compute_s=0.0),
            Measurement(num_samples=4, compute_s=0.4),
        ]
    )
    assert policy.plan(12, (12, 0, 0)) == (4, 4, 4)


def test_equal_workers_keep_the_equal_split_through_noise() -> None:
    dice = random.Random(3)
    steps = [[0.006 * dice.gauss(1.0, 0.03) for _ in range(4)] for _ in range(300)]
    assert set(run(SpeedPolicy(), 64, steps)) == {(16, 16, 16, 16)}


@settings(max_examples=40)
@given(
    fixed_ms=st.floats(0.0, 40.0),
    costs_ms=st.lists(st.floats(0.2, 2.0), min_size=2, max_size=5),
)
def test_shares_settle_where_a_part_of_a_step_does_not_depend_on_its_samples(
    fixed_ms: float, costs_ms: list[float]
) -> None:
    policy, global_batch = SpeedPolicy(), 256
    shares = split_equally(global_batch, len(costs_ms))

    def times_ms(shares: Shares) -> list[float]:
        return [fixed_ms + share * cost for share, cost in zip(shares, costs_ms, strict=True)]

    num_changes = 0
    for _ in range(150):
        times = times_ms(shares)
        policy.observe(
            [Measurement(num_samples=n, compute_s=t / 1000) for n, t in zip(shares, times, strict=True)]
        )
        before, shares = shares, policy.plan(global_batch, shares)
        num_changes += shares != before
    ideal_ms = fixed_ms + global_batch / sum(1 / cost for cost in costs_ms)
    assert max(times_ms(shares)) <= ideal_ms * 1.012 + max(costs_ms)  # a whole sample more at most
    assert num_changes <= 20


def test_a_small_gain_is_taken_where_it_lasts() -> None:
    policy = SpeedPolicy()
    costs_s = [0.001, 0.001, 0.001, 0.001]
    policy.observe(measure((64, 64, 64, 64), costs_s))
    plans = [policy.plan(256, (65, 64, 63, 64)) for _ in range(20)]
    assert plans.index((64, 64, 64, 64)) == 12  # 1.5 % a step, up to a fifth of one
    assert all(policy.plan(1024, (257, 256, 255, 256)) == (257, 256, 255, 256) for _ in range(100))


def test_unequal_workers_see_few_changes_of_plan() -> None:
    dice = random.Random(5)
    steps = [[cost * dice.gauss(1.0, 0.03) for cost in (0.006, 0.006, 0.018)] for _ in range(300)]
    plans = run(SpeedPolicy(), 48, steps)
    assert sum(before != after for before, after in itertools.pairwise(plans)) <= 5


def test_a_node_that_slows_down_is_relieved_within_five_steps() -> None:
    steps = [[0.01, 0.01]] * 20 + [[0.01, 0.03]] * 5
    plans = run(SpeedPolicy(), 128, steps)
    assert plans[19] == (64, 64)
    assert plans[-1] == (96, 32)


def test_a_gain_within_the_hysteresis_changes_nothing() -> None:
    policy = SpeedPolicy(hysteresis=0.03)
    policy.observe(measure((100, 100), [0.01, 0.0102]))
    assert policy.plan(200, (100, 100)) == (100, 100)


def test_every_worker_keeps_a_sample_so_that_it_stays_measured() -> None:
    assert run(SpeedPolicy(), 16, [[0.001, 10.0]] * 3)[-1] == (15, 1)


def test_a_maximum_holds_a_fast_worker_back() -> None:
    policy = SpeedPolicy(maximums=[10, 100])
    assert run(policy, 32, [[0.001, 0.1]] * 3)[-1] == (10, 22)


@given(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=6), st.integers(1, 300))
def test_a_plan_is_never_predicted_slower_than_the_equal_split(costs_s: list[float], batch: int) -> None:
    shares = run(SpeedPolicy(), batch, [costs_s] * 3)[-1]
    equal = split_equally(batch, len(costs_s))
    assert sum(shares) == batch
    assert finish_s(shares, costs_s) <= finish_s(equal, costs_s) * (1 + 1e-9)


@given(
    st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=6),
    st.integers(1, 60),
    st.integers(1, 16),
    st.data(),
)
def test_every_plan_keeps_the_bounds_and_never_changes_for_nothing(
    costs_s: list[float], num_units: int, unit: int, data: st.DataObject
) -> None:
    num_workers, batch = len(costs_s), num_units * unit
    enough = st.integers(-(-num_units // num_workers) * unit, batch)
    maximums = data.draw(st.lists(enough, min_size=num_workers, max_size=num_workers))
    policy = SpeedPolicy(unit=unit, minimum=1, maximums=maximums)
    shares = policy.plan(batch, split_equally(batch, num_workers))
    measured: set[int] = set()
    for _ in range(3):
        policy.observe(measure(shares, costs_s))
        measured |= {rank for rank, share in enumerate(shares) if share}
        before, shares = shares, policy.plan(batch, shares)
        assert sum(shares) == batch
        assert all(share % unit == 0 for share in shares)
        assert all(share <= high for share, high in zip(shares, maximums, strict=True))
        assert num_units < num_workers or min(shares) >= unit
        # A worker that was never measured is given a unit to be measured, whatever that gains.
        if len(measured) == num_workers:
            assert shares == before or finish_s(shares, costs_s) < finish_s(before, costs_s)


def test_the_equal_policy_keeps_to_micro_batches_and_bounds_too() -> None:
    assert EqualPolicy(unit=4).plan(24, (8, 8, 8)) == (8, 8, 8)
    assert EqualPolicy(unit=8).plan(32, (12, 10, 10)) == (16, 8, 8)
    assert EqualPolicy(maximums=[4, 99, 99]).plan(24, (8, 8, 8)) == (4, 10, 10)


def test_ten_thousand_workers_get_new_shares_in_50_ms() -> None:
    num_workers, batch = 10_000, 1_000_000
    dice = random.Random(1)
    costs_s = [0.001 * dice.uniform(1.0, 10.0) for _ in range(num_workers)]
    policy, shares = SpeedPolicy(minimum=1), split_equally(batch, num_workers)
    seconds = []
    for _ in range(3):
        policy.observe(measure(shares, costs_s))
        began_s = time.process_time()
        shares = policy.plan(batch, shares)
        seconds.append(time.process_time() - began_s)
    assert sum(shares) == batch
    assert min(seconds) < 0.05


def test_what_was_learned_survives_json() -> None:
    policy, resumed = SpeedPolicy(), SpeedPolicy()
    policy.observe(measure((16, 16, 16), [0.006, 0.006, 0.018]))
    resumed.load_state_dict(json.loads(json.dumps(policy.state_dict())))
    assert resumed.costs_s == policy.costs_s
    assert resumed.plan(48, (16, 16, 16)) == (21, 21, 6)


def test_what_another_number_of_workers_taught_is_not_applied() -> None:
    policy = SpeedPolicy()
    policy.observe(measure((16, 16, 16), [0.006, 0.006, 0.018]))
    assert policy.plan(48, (24, 24)) == (24, 24)


def test_policies_are_found_by_the_command_lines_names() -> None:
    assert isinstance(policy_by_name("speed"), SpeedPolicy)
    assert isinstance(policy_by_name("equal"), EqualPolicy)
    with pytest.raises(ValueError, match="choose speed or equal"):
        policy_by_name("fair")
