"""What moves the number of a scaling group's nodes: rules with their alarms, and times of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pulumi
from pulumi_alicloud import ess

from steelyard.components.node_group import NodeGroupArgs
from steelyard.components.title import shortened
from steelyard.errors import UsageError
from steelyard.spec.monitoring import METRIC_PREFIX, dimensions_of
from steelyard.spec.scaling import ReportedSpec, ScalingSpec

ALARM_MINUTES: Final = 3
"""For how many minutes on end a load is beyond its bound before an alarm fires, where nothing else is said."""

_TASK_TITLE: Final = 35
"""Of the 40 characters of a scheduled task's name (doc of ScheduledTask), with room for its time."""


@dataclass(frozen=True, kw_only=True)
class ScalingTriggers:
    """The rules, alarms and scheduled tasks of one scaling group.

    Rules and tasks have names that no other one of the account has in the region (help pages of CreateScalingRule and
    CreateScheduledTask).

    Attributes:
        name: What their names in the program begin with.
        scaling_group_id: The scaling group.
        nodes: The kind of its nodes.
        scaling: What is wanted.
        options: Options of each resource.
    """

    name: str
    scaling_group_id: pulumi.Output[str]
    nodes: NodeGroupArgs
    scaling: ScalingSpec
    options: pulumi.ResourceOptions

    def declare(self) -> None:
        """Declare them all.

        Raises:
            UsageError: A rule looks at reported figures, and the nodes report none.
        """
        if self.scaling.target_cpu_percent:
            self._declare_target()
        if self.scaling.steps:
            self._declare_steps()
        for i, one in enumerate(self.scaling.reported):
            self._declare_reported(i, one)
        self._declare_schedules()

    @property
    def _title(self) -> str:
        return f"{self.nodes.cluster}-{self.nodes.group}"

    def _declare_target(self) -> None:
        ess.ScalingRule(
            f"{self.name}-target",
            scaling_group_id=self.scaling_group_id,
            scaling_rule_name=f"{self._title}-target",
            scaling_rule_type="TargetTrackingScalingRule",
            metric_name="CpuUtilization",
            target_value=float(self.scaling.target_cpu_percent),
            estimated_instance_warmup=self.scaling.cooldown_s,
            opts=self.options,
        )

    def _declare_steps(self) -> None:
        steps = sorted(self.scaling.steps, key=lambda step: step.cpu_above_percent)
        first = steps[0].cpu_above_percent
        bounds = [str(step.cpu_above_percent - first) for step in steps]
        rule = ess.ScalingRule(
            f"{self.name}-steps",
            scaling_group_id=self.scaling_group_id,
            scaling_rule_name=f"{self._title}-steps",
            scaling_rule_type="StepScalingRule",
            adjustment_type="QuantityChangeInCapacity",
            estimated_instance_warmup=self.scaling.cooldown_s,
            step_adjustments=[
                ess.ScalingRuleStepAdjustmentArgs(
                    metric_interval_lower_bound=low,
                    metric_interval_upper_bound=high,
                    scaling_adjustment=step.add,
                )
                for step, low, high in zip(steps, bounds, [*bounds[1:], None], strict=True)
            ],
            opts=self.options,
        )
        ess.Alarm(
            f"{self.name}-load",
            scaling_group_id=self.scaling_group_id,
            name=f"{self._title}-load",
            alarm_actions=[rule.ari],
            metric_type="system",
            metric_name="CpuUtilization",
            period=60,
            statistics="Average",
            comparison_operator=">=",
            threshold=str(first),
            evaluation_count=ALARM_MINUTES,
            opts=self.options,
        )

    def _declare_reported(self, i: int, one: ReportedSpec) -> None:
        """Declare a rule over a figure that the nodes report, and the alarm that executes it."""
        report = self.nodes.report
        if report is None:
            raise UsageError(
                f"a rule looks at `{one.metric}`, and the nodes report nothing", "give the nodes a `report`"
            )
        rule = ess.ScalingRule(
            f"{self.name}-metric-{i}",
            scaling_group_id=self.scaling_group_id,
            scaling_rule_name=f"{self._title}-metric-{i}",
            scaling_rule_type="SimpleScalingRule",
            adjustment_type="QuantityChangeInCapacity",
            adjustment_value=one.change,
            cooldown=self.scaling.cooldown_s,
            opts=self.options,
        )
        is_above = one.above is not None
        ess.Alarm(
            f"{self.name}-metric-alarm-{i}",
            scaling_group_id=self.scaling_group_id,
            name=f"{self._title}-metric-{i}",
            alarm_actions=[rule.ari],
            metric_type="custom",
            metric_name=f"{METRIC_PREFIX}{one.metric}",
            cloud_monitor_group_id=report.monitor_group_id.apply(int),
            dimensions=dimensions_of(one.metric, cluster=self.nodes.cluster, group=self.nodes.group),
            period=60,
            statistics="Average",
            comparison_operator=">" if is_above else "<",
            threshold=f"{one.above if is_above else one.below:g}",
            evaluation_count=one.minutes,
            opts=self.options,
        )

    def _declare_schedules(self) -> None:
        for schedule in self.scaling.schedules:
            hour, minute = schedule.at.split(":")
            ess.ScheduledTask(
                f"{self.name}-at-{hour}{minute}",
                scaling_group_id=self.scaling_group_id,
                scheduled_task_name=f"{shortened(self._title, _TASK_TITLE)}-{hour}{minute}",
                desired_capacity=schedule.nodes,
                recurrence_type="Cron",
                recurrence_value=f"{int(minute)} {int(hour)} * * *",
                recurrence_end_time=recurrence_end(datetime.now(UTC)),
                opts=self.options,
            )


def recurrence_end(now: datetime) -> str:
    """Return when a daily schedule ends: the cloud allows 365 days.

    It is the first of the month, eleven months ahead, so that an `up` of a later month moves it on, and one of the same
    month changes nothing.
    """
    months = now.month - 1 + 11
    return f"{now.year + months // 12:04d}-{months % 12 + 1:02d}-01T00:00Z"
