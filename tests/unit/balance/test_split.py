"""Shares are integers that sum to the batch, and no other integers would end a step sooner."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from steelyard.balance import finish_s, rescale, split_by_cost, split_equally

costs = st.lists(st.floats(min_value=1e-4, max_value=10.0), min_size=1, max_size=12)
totals = st.integers(min_value=0, max_value=5000)


@given(totals, st.integers(min_value=1, max_value=40))
def test_an_equal_split_differs_by_one_sample_at_most(total: int, num_workers: int) -> None:
    shares = split_equally(total, num_workers)
    assert sum(shares) == total
    assert len(shares) == num_workers
    assert max(shares) - min(shares) <= 1


@given(totals, costs, st.integers(min_value=0, max_value=50))
def test_shares_sum_to_the_batch_and_keep_the_minimum(total: int, costs_s: list[float], minimum: int) -> None:
    shares = split_by_cost(total, costs_s, minimum=minimum)
    assert sum(shares) == total
    assert all(isinstance(share, int) for share in shares)
    assert min(shares) >= min(minimum, total // len(costs_s))


@given(totals, costs, st.data())
def test_shares_respect_each_workers_maximum(total: int, costs_s: list[float], data: st.DataObject) -> None:
    high = st.integers(min_value=0, max_value=2 * total + 1)
    maximums = data.draw(st.lists(high, min_size=len(costs_s), max_size=len(costs_s)))
    if sum(min(value, total) for value in maximums) < total:
        with pytest.raises(ValueError, match="cannot hold"):
            split_by_cost(total, costs_s, maximums=maximums)
        return
    shares = split_by_cost(total, costs_s, minimum=1, maximums=maximums)
    assert sum(shares) == total
    assert all(share <= value for share, value in zip(shares, maximums, strict=True))


@given(totals, costs, st.integers(min_value=0, max_value=3))
def test_a_split_by_cost_is_never_slower_than_the_equal_split(
    total: int, costs_s: list[float], minimum: int
) -> None:
    balanced = split_by_cost(total, costs_s, minimum=minimum)
    equal = split_equally(total, len(costs_s))
    assert finish_s(balanced, costs_s) <= finish_s(equal, costs_s) * (1 + 1e-12)


@given(totals, costs)
def test_a_faster_worker_never_gets_less_than_a_slower_one(total: int, costs_s: list[float]) -> None:
    shares = split_by_cost(total, costs_s)
    for (fast_s, fast), (slow_s, slow) in itertools.permutations(zip(costs_s, shares, strict=True), 2):
        if fast_s < slow_s:
            assert fast >= slow


@given(totals, costs, st.data())
def test_a_worker_that_becomes_faster_never_loses_samples(
    total: int, costs_s: list[float], data: st.DataObject
) -> None:
    rank = data.draw(st.integers(min_value=0, max_value=len(costs_s) - 1))
    faster = list(costs_s)
    faster[rank] *= data.draw(st.floats(min_value=0.1, max_value=0.999))
    assume(faster[rank] < costs_s[rank])
    assert split_by_cost(total, faster)[rank] >= split_by_cost(total, costs_s)[rank]


@given(
    st.integers(min_value=0, max_value=12), st.lists(st.floats(0.1, 10.0), min_size=1, max_size=3), st.data()
)
def test_no_other_integers_would_end_the_step_sooner(
    total: int, costs_s: list[float], data: st.DataObject
) -> None:
    high = st.integers(min_value=total // len(costs_s) + 1, max_value=total + 1)
    maximums = data.draw(st.lists(high, min_size=len(costs_s), max_size=len(costs_s)))
    every_split = (
        split
        for split in itertools.product(range(total + 1), repeat=len(costs_s))
        if sum(split) == total and all(part <= value for part, value in zip(split, maximums, strict=True))
    )
    best_s = min(finish_s(split, costs_s) for split in every_split)
    chosen = split_by_cost(total, costs_s, maximums=maximums)
    assert finish_s(chosen, costs_s) == pytest.approx(best_s, rel=1e-12)


def test_the_demo_mix_is_shared_out_in_proportion_to_speed() -> None:
    assert split_by_cost(48, [0.006, 0.006, 0.018]) == (21, 21, 6)


@pytest.mark.parametrize("costs_s", [[], [0.0, 1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_a_cost_that_is_no_time_is_refused(costs_s: list[float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        split_by_cost(8, costs_s)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=12), totals)
def test_a_short_window_is_cut_in_the_plans_proportions(shares: list[int], total: int) -> None:
    assume(sum(shares) > 0)
    cut = rescale(shares, total)
    assert sum(cut) == total
    for share, part in zip(shares, cut, strict=True):
        assert abs(part - share * total / sum(shares)) < 1.0


def test_ten_thousand_workers_are_shared_out_in_milliseconds() -> None:
    costs_s = [0.001 * (1 + rank % 97) for rank in range(10_000)]
    split_by_cost(1_000_000, costs_s, minimum=1)
    began = time.process_time()
    shares = split_by_cost(1_000_000, costs_s, minimum=1)
    assert time.process_time() - began < 0.5  # 0.03 s on an idle core; the bound allows for a busy machine
    assert sum(shares) == 1_000_000


@given(st.integers(0, 300), st.integers(1, 32), costs, st.data())
def test_shares_are_whole_micro_batches_within_each_workers_bounds(
    num_units: int, unit: int, costs_s: list[float], data: st.DataObject
) -> None:
    total, num_workers = num_units * unit, len(costs_s)
    enough = st.integers(-(-num_units // num_workers) * unit, total + unit)
    maximums = data.draw(st.lists(enough, min_size=num_workers, max_size=num_workers))
    few = st.integers(0, num_units // num_workers * unit)
    minimums = data.draw(st.lists(few, min_size=num_workers, max_size=num_workers))
    shares = split_by_cost(total, costs_s, minimum=minimums, maximums=maximums, unit=unit)
    assert sum(shares) == total
    for low, share, high in zip(minimums, shares, maximums, strict=True):
        assert share % unit == 0
        assert low <= share <= high


@given(totals, costs, st.data())
def test_minimums_that_the_batch_is_too_small_for_fall_to_the_equal_split(
    total: int, costs_s: list[float], data: st.DataObject
) -> None:
    any_minimum = st.integers(0, 2 * total + 1)
    minimums = data.draw(st.lists(any_minimum, min_size=len(costs_s), max_size=len(costs_s)))
    shares = split_by_cost(total, costs_s, minimum=minimums)
    assert sum(shares) == total
    for low, share in zip(minimums, shares, strict=True):
        assert share >= (low if sum(minimums) <= total else min(low, total // len(costs_s)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unit": 5}, "no multiple of micro-batches of 5"),
        ({"unit": 4, "maximums": [7, 7]}, "cannot hold 12 samples in micro-batches of 4"),
        ({"minimum": [1]}, "1 minimums and 2 maximums are not for 2 workers"),
    ],
)
def test_bounds_that_no_split_can_keep_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        split_by_cost(12, [0.01, 0.02], **options)
