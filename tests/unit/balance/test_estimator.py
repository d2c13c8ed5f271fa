"""The estimate of a worker's speed ignores a spike and believes a change."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.balance import CostEstimator, Measurement


def fed(costs_s: list[float]) -> float:
    estimator = CostEstimator()
    for cost_s in costs_s:
        estimator.update(cost_s)
    assert estimator.cost_s is not None
    return estimator.cost_s


def test_the_first_measurement_is_the_first_estimate() -> None:
    assert fed([0.006]) == 0.006


def test_one_spike_changes_nothing() -> None:
    assert fed([0.006] * 5 + [0.018]) == pytest.approx(0.006)
    assert fed([0.006] * 5 + [0.018, 0.018, 0.006]) == pytest.approx(0.006)


def test_scattered_spikes_change_nothing() -> None:
    costs_s = [0.018 if step % 3 == 2 else 0.006 for step in range(100)]
    assert fed(costs_s) == pytest.approx(0.006)


def test_the_third_measurement_of_a_new_speed_is_believed() -> None:
    assert fed([0.006] * 5 + [0.018, 0.030, 0.019]) == pytest.approx(0.019)


def test_a_slow_drift_is_followed_within_the_gate() -> None:
    costs_s = [0.006 * 1.01**step for step in range(100)]
    assert fed(costs_s) == pytest.approx(costs_s[-1], rel=0.12)


def test_noise_is_averaged_out() -> None:
    dice = random.Random(1)
    assert fed([0.006 * dice.gauss(1.0, 0.03) for _ in range(300)]) == pytest.approx(0.006, rel=0.02)


@given(st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=60))
def test_the_estimate_stays_within_what_was_measured(costs_s: list[float]) -> None:
    assert min(costs_s) * (1 - 1e-9) <= fed(costs_s) <= max(costs_s) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("num_samples", "compute_s"), [(0, 1.0), (8, 0.0), (8, -1.0), (8, float("nan")), (8, float("inf"))]
)
def test_a_measurement_of_nothing_has_no_cost(num_samples: int, compute_s: float) -> None:
    assert Measurement(num_samples=num_samples, compute_s=compute_s).cost_s is None


def test_a_measurement_gives_seconds_per_sample() -> None:
    assert Measurement(num_samples=8, compute_s=0.04).cost_s == pytest.approx(0.005)


def test_a_new_share_is_believed_sooner_than_noise() -> None:
    estimator = CostEstimator()
    for _ in range(20):
        estimator.update(0.0060, 100)
    estimator.update(0.0066, 50)
    assert estimator.cost_s == pytest.approx(0.0063)
    estimator.update(0.0066, 50)
    assert estimator.cost_s == pytest.approx(0.006375)
    for _ in range(20):
        estimator.update(0.0066, 50)
    before = estimator.cost_s
    estimator.update(0.0060, 50)
    assert estimator.cost_s == pytest.approx(before + 0.1 * (0.0060 - before))
