"""What a step's seconds went to, and what the equal split would have cost, follow from the measurements."""

from __future__ import annotations

import pytest

from steelyard.training.exchange import StepReport
from steelyard.training.step_parts import RemainingTime, step_parts


def report(num_samples: int, compute_s: float) -> StepReport:
    return StepReport(
        step=0, start=0, num_samples=num_samples, compute_s=compute_s, loss=1.0, is_pace_held=True
    )


def test_waiting_and_communicating_are_what_computing_leaves_of_a_step() -> None:
    parts = step_parts([report(30, 0.30), report(10, 0.25)], 40, 0.34)
    assert parts.wait_s == pytest.approx([0.0, 0.05])
    assert parts.communicate_s == pytest.approx(0.04)
    assert parts.seconds == 0.34


def test_the_equal_split_would_have_waited_for_the_slower_worker() -> None:
    balanced = step_parts([report(30, 0.30), report(10, 0.30)], 40, 0.34)
    assert balanced.equal_s == pytest.approx(20 * 0.03 + 0.04)  # 10 and 30 ms a sample, 20 samples each
    equal = step_parts([report(20, 0.20), report(20, 0.60)], 40, 0.64)
    assert equal.equal_s == pytest.approx(equal.seconds)


def test_where_a_worker_was_not_measured_nothing_is_estimated() -> None:
    parts = step_parts([report(30, 0.30), report(0, 0.0)], 40, 0.34)
    assert (parts.equal_s, parts.communicate_s) == (None, None)
    assert parts.wait_s == [0.0, None]


def test_the_time_that_is_left_follows_the_last_steps_and_not_a_single_pause() -> None:
    remaining = RemainingTime()
    assert remaining.seconds(10) is None
    for end_s in (0.0, 5.0, 10.0, 110.0, 115.0, 120.0):
        remaining.note(end_s)
    assert remaining.seconds(10) == 50.0
    assert remaining.seconds(None) is None
    for number in range(30):
        remaining.note(120.0 + number)
    assert remaining.seconds(7) == 7.0
