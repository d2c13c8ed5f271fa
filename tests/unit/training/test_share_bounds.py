"""Bounds on shares are checked where they are said, and reach the policy."""

from __future__ import annotations

from typing import Any

import pytest

from steelyard.balance import Measurement, split_equally
from steelyard.errors import UsageError
from steelyard.training.share_bounds import ShareBounds, policy_within


def plan(name: str, batch: int, bounds: list[ShareBounds], costs_s: list[float]) -> tuple[int, ...]:
    policy = policy_within(name, batch, bounds)
    shares = policy.plan(batch, split_equally(batch, len(bounds)))
    policy.observe([Measurement(num_samples=1, compute_s=cost) for cost in costs_s])
    return policy.plan(batch, shares)


def test_shares_are_whole_micro_batches() -> None:
    assert plan("speed", 64, [ShareBounds(micro_batch=8)] * 3, [1.0, 1.0, 3.0]) == (32, 24, 8)
    assert plan("equal", 64, [ShareBounds(micro_batch=8)] * 3, [1.0, 1.0, 3.0]) == (24, 24, 16)


def test_a_worker_without_memory_takes_what_it_can() -> None:
    bounds = [ShareBounds(micro_batch=8, maximum=20), ShareBounds(micro_batch=8)]
    assert plan("speed", 64, bounds, [1.0, 3.0]) == (16, 48)


def test_a_worker_may_ask_for_more_than_one_sample() -> None:
    assert plan("speed", 40, [ShareBounds(), ShareBounds(minimum=12)], [1.0, 9.0]) == (28, 12)


def test_a_worker_may_be_left_out() -> None:
    assert plan("speed", 8, [ShareBounds(minimum=0)] * 2, [1.0, 100.0]) == (8, 0)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"micro_batch": 7}, "no multiple of the micro-batch, which is 7"),
        ({"micro_batch": 0}, "which is 0"),
        ({"minimum": -1}, "min_share, which is -1"),
        ({"minimum": 9, "maximum": 8}, "to max_share, which is 8"),
        ({"micro_batch": 8, "maximum": 7}, "in micro-batches of 8"),
    ],
)
def test_bounds_that_no_share_keeps_are_refused(bounds: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ShareBounds(**bounds).check(48)


def test_workers_that_cannot_take_the_batch_together_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\[16, 16\] samples, together less than .* 48"):
        policy_within("speed", 48, [ShareBounds(micro_batch=8, maximum=20)] * 2)


def test_workers_that_ask_for_more_than_the_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="together more than"):
        policy_within("speed", 48, [ShareBounds(minimum=30)] * 2)


def test_workers_with_different_micro_batches_are_refused() -> None:
    with pytest.raises(UsageError, match="different micro-batches"):
        policy_within("speed", 48, [ShareBounds(micro_batch=8), ShareBounds()])
