from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.localcloud.services.ess.adjustment import adjusted, goal_of
from steelyard.localcloud.services.ess.trigger_models import STEP, TARGET, ScalingRule


def rule(rule_type: str, **settings: object) -> ScalingRule:
    return ScalingRule(
        id="asr-1", created_at=0.0, group_id="asg-1", name="rule", rule_type=rule_type, settings=settings
    )


@pytest.mark.parametrize(
    ("kind", "value", "least", "wanted"),
    [
        ("QuantityChangeInCapacity", 2, 0, 12),
        ("QuantityChangeInCapacity", -20, 0, 0),
        ("TotalCapacity", 4, 0, 4),
        ("PercentChangeInCapacity", 25, 0, 12),
        ("PercentChangeInCapacity", -25, 0, 8),
        ("PercentChangeInCapacity", 1, 0, 11),
        ("PercentChangeInCapacity", -1, 0, 9),
        ("PercentChangeInCapacity", 10, 3, 13),
    ],
)
def test_adjustments_of_ten(kind, value, least, wanted):
    assert adjusted(10, kind, value, least) == wanted


STEPS = [
    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
]


@pytest.mark.parametrize(("metric", "wanted"), [(75, 2), (70, 2), (80, 4), (120, 4), (60, 1)])
def test_the_step_that_the_metric_lies_in_counts(metric, wanted):
    steps = rule(STEP, AdjustmentType="QuantityChangeInCapacity", StepAdjustments=STEPS)
    assert goal_of(steps, 1, metric=metric, threshold=70.0) == wanted


@pytest.mark.parametrize(
    ("current", "metric", "wanted"), [(2, 90, 4), (4, 51, 5), (4, 50, 4), (4, 46, 4), (4, 20, 2), (1, 0, 0)]
)
def test_a_target_is_held_in_proportion(current, metric, wanted):
    assert goal_of(rule(TARGET, TargetValue=50.0), current, metric=metric) == wanted


@given(st.integers(1, 100), st.floats(0, 100), st.floats(1, 100))
def test_at_a_goal_the_same_load_lies_within_the_target(current, metric, target):
    goal = goal_of(rule(TARGET, TargetValue=target), current, metric=metric)
    if goal > current:
        assert metric * current / goal <= target
    elif goal < current and goal:
        assert metric * current / goal <= target * (1 + 1e-9)
