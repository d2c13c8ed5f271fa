from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.ess.models import Settings

SIMPLE, STEP, TARGET = "SimpleScalingRule", "StepScalingRule", "TargetTrackingScalingRule"


@dataclass(frozen=True, kw_only=True)
class ScalingRule(Record):
    """A scaling rule.

    Attributes:
        rule_type: `SimpleScalingRule`, `StepScalingRule` or `TargetTrackingScalingRule`.
        settings: Its settings by the API's names.
    """

    kind: ClassVar[str] = "ess_rule"

    group_id: str
    name: str
    rule_type: str
    settings: Settings

    def number(self, name: str, default: int) -> int:
        """Give one of its whole numbers."""
        value = self.settings.get(name)
        return default if value is None else int(str(value))


@dataclass(frozen=True, kw_only=True)
class AlarmTask(Record):
    """An alarm that executes scaling rules.

    Attributes:
        expressions: What is compared: `MetricName`, `Period`, `Statistics`, `ComparisonOperator`, `Threshold`.
        joined_by: `&&` or `||` between several expressions.
        dimensions: Values by key.
        actions: ARIs of scaling rules.
        rule_id: The target tracking rule that it serves; empty for one that a user made.
        evaluated_until: Unix time up to which it has been evaluated.
    """

    kind: ClassVar[str] = "ess_alarm"

    group_id: str
    name: str
    description: str
    metric_type: str
    monitor_group_id: int
    expressions: tuple[Mapping[str, object], ...]
    joined_by: str
    dimensions: Mapping[str, str]
    evaluation_count: int
    actions: tuple[str, ...]
    effective: str
    is_enabled: bool = True
    rule_id: str = ""
    state: str = "INSUFFICIENT_DATA"
    evaluated_until: float = 0.0

    @property
    def period_s(self) -> int:
        """Seconds between two evaluations: the longest of its periods."""
        return max(int(str(one["Period"])) for one in self.expressions)

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeAlarms."""
        first = self.expressions[0]
        is_single = len(self.expressions) == 1
        return {
            "AlarmTaskId": self.id,
            "AlarmTaskName": self.name,
            "Name": self.name,
            "Description": self.description,
            "ScalingGroupId": self.group_id,
            "MetricType": self.metric_type,
            "EvaluationCount": self.evaluation_count,
            "Dimensions": [
                {"DimensionKey": key, "DimensionValue": value} for key, value in self.dimensions.items()
            ],
            "AlarmActions": list(self.actions),
            "Effective": self.effective,
            "Enable": self.is_enabled,
            "State": self.state,
            **(first if is_single else {}),
            "Expressions": [] if is_single else [dict(one) for one in self.expressions],
            "ExpressionsLogicOperator": "" if is_single else self.joined_by,
        }


@dataclass(frozen=True, kw_only=True)
class ScheduledTask(Record):
    """A change at a time.

    Attributes:
        settings: Its settings by the API's names.
        is_enabled: Whether it is carried out.
        next_at: Unix time of its next run; 0 where there is none.
    """

    kind: ClassVar[str] = "ess_scheduled_task"

    name: str
    settings: Settings
    is_enabled: bool
    next_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeScheduledTasks."""
        return {
            **self.settings,
            "ScheduledTaskId": self.id,
            "ScheduledTaskName": self.name,
            "TaskEnabled": self.is_enabled,
        }
