"""From what a scaling rule says to a number of members."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from steelyard.localcloud.services.ess.trigger_models import STEP, TARGET, ScalingRule
from steelyard.localcloud.wire.error import invalid_parameter

SCALE_IN_SHARE = 0.9
"""A group that is held at a target shrinks once the metric is below this share of it, so that it does not swing."""


_RANGES: Final = {
    "QuantityChangeInCapacity": (-1000, 1000),
    "PercentChangeInCapacity": (-100, 10000),
    "TotalCapacity": (0, 2000),
}
"""What an adjustment may be, by its kind (help page of CreateScalingRule)."""

ADJUSTMENTS: Final = tuple(_RANGES)


def check_adjustment(kind: str, value: object, name: str = "AdjustmentValue") -> None:
    """Check that an adjustment is in the range of its kind.

    Args:
        kind: Of `ADJUSTMENTS`.
        value: The adjustment.
        name: The parameter that it came by.

    Raises:
        ApiError: `InvalidParameter`.
    """
    if kind not in _RANGES:
        raise invalid_parameter("AdjustmentType", kind, f"one of {', '.join(ADJUSTMENTS)}")
    low, high = _RANGES[kind]
    if not isinstance(value, int) or not low <= value <= high:
        raise invalid_parameter(name, value, f"from {low} to {high} where AdjustmentType is {kind}")


def goal_of(
    rule: ScalingRule, current: int, *, metric: float | None = None, threshold: float | None = None
) -> int:
    """Give the number of members that a rule asks for.

    Args:
        rule: The rule.
        current: The number that there are.
        metric: The metric's figure; needed by step and target tracking rules.
        threshold: The alarm's threshold; needed by step rules.
    """
    kind = str(rule.settings.get("AdjustmentType") or "QuantityChangeInCapacity")
    least = rule.number("MinAdjustmentMagnitude", 0)
    if rule.rule_type == TARGET:
        assert metric is not None
        return _tracked(current, metric, float(str(rule.settings["TargetValue"])))
    if rule.rule_type == STEP:
        assert metric is not None
        assert threshold is not None
        steps = rule.settings.get("StepAdjustments") or ()
        assert isinstance(steps, list | tuple)
        value = _step(steps, metric - threshold)
        return current if value is None else adjusted(current, kind, value, least)
    return adjusted(current, kind, rule.number("AdjustmentValue", 0), least)


def adjusted(current: int, kind: str, value: int, least: int = 0) -> int:
    """Give a number of members after an adjustment.

    Args:
        current: The number before.
        kind: `TotalCapacity`, `QuantityChangeInCapacity` or `PercentChangeInCapacity`.
        value: The number, the change, or the change in percent, of which a part of an instance makes a whole one.
        least: The least change in percent adjustments.
    """
    if kind == "TotalCapacity":
        return max(0, value)
    change = value
    if kind == "PercentChangeInCapacity":
        exact = current * value / 100
        size = max(math.floor(abs(exact)), 1 if exact else 0, least if value else 0)
        change = size if value > 0 else -size
    return max(0, current + change)


def _tracked(current: int, metric: float, target: float) -> int:
    goal = math.ceil(current * metric / target)
    if metric > target:
        return max(goal, current + 1)
    return min(goal, current) if metric < SCALE_IN_SHARE * target else current


def _step(steps: Sequence[Mapping[str, object]], distance: float) -> int | None:
    """Give the adjustment of the step that a metric's distance from the threshold lies in."""
    for step in steps:
        low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
        is_above = low is None or distance >= float(str(low))
        is_below = high is None or distance < float(str(high))
        if is_above and is_below:
            return int(str(step["ScalingAdjustment"]))
    return None
