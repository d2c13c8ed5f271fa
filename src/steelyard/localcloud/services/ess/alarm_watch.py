"""The watch over alarm tasks: each is evaluated when a period of it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from steelyard.localcloud.services.cms.actions import CmsService
from steelyard.localcloud.services.cms.evaluation import judge, last_period_end
from steelyard.localcloud.services.cms.meter import CPU, ECS_NAMESPACE, MEMORY
from steelyard.localcloud.services.cms.models import ALARM, NO_DATA, OK
from steelyard.localcloud.services.cms.series import Bucket, by_periods
from steelyard.localcloud.services.ess.effective import is_effective
from steelyard.localcloud.services.ess.models import ACTIVE, SERVING
from steelyard.localcloud.services.ess.trigger_models import AlarmTask
from steelyard.localcloud.services.ess.trigger_state import TriggerState

SYSTEM_METRICS: Final[Mapping[str, str]] = {
    "CpuUtilization": CPU,
    "CpuUtilizationAgent": CPU,
    "MemoryUtilization": MEMORY,
}
"""Metrics of instances that are measured here: CloudMonitor's name by Auto Scaling's."""

COMPARISONS: Final[Mapping[str, str]] = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
"""CloudMonitor's word for each comparison of an alarm task."""


class AlarmWatch:
    """Evaluates alarm tasks and lets those that fire execute their rules, again at each period while they fire.

    Args:
        state: The service's records.
    """

    def __init__(self, state: TriggerState) -> None:
        self._state = state

    def look(self) -> None:
        """Evaluate every alarm of which a period has ended since the last look."""
        now = self._state.cloud.clock()
        for alarm in self._state.alarms.list():
            end = last_period_end(now, alarm.period_s)
            is_due = end > max(alarm.evaluated_until, alarm.created_at)
            if alarm.is_enabled and is_due and is_effective(alarm.effective, now):
                self._evaluate(alarm, end)

    def _evaluate(self, alarm: AlarmTask, end: float) -> None:
        group = self._state.groups.get(alarm.group_id)
        if group is None or group.state != ACTIVE:
            return
        found = [self._judge(alarm, expression, end) for expression in alarm.expressions]
        state = _joined([one for one, _ in found], alarm.joined_by)
        with self._state.cloud.transaction():
            if self._state.alarms.get(alarm.id) != alarm:
                return  # It was changed meanwhile, and is judged anew at the next look.
            self._state.alarms.put(replace(alarm, state=state, evaluated_until=end))
        if state == ALARM:
            i = next(i for i, (one, _) in enumerate(found) if one == ALARM)
            threshold = float(str(alarm.expressions[i]["Threshold"]))
            self._state.run_alarm(alarm, found[i][1], threshold)

    def _judge(self, alarm: AlarmTask, expression: Mapping[str, object], end: float) -> tuple[str, float]:
        period_s = int(str(expression["Period"]))
        start = end - alarm.evaluation_count * period_s
        state, value = judge(
            self._buckets(alarm, str(expression["MetricName"]), period_s, start, end),
            end=end,
            period_s=period_s,
            times=alarm.evaluation_count,
            statistic=str(expression["Statistics"]),
            comparison=COMPARISONS[str(expression["ComparisonOperator"])],
            threshold=float(str(expression["Threshold"])),
        )
        return state, value or 0.0

    def _buckets(
        self, alarm: AlarmTask, metric: str, period_s: int, start: float, end: float
    ) -> Sequence[Bucket]:
        """Give what is known of a metric over all that the alarm watches: the serving members, or its dimensions."""
        cms = self._state.cloud.service(CmsService)
        if alarm.metric_type == "custom":
            wanted = dict(alarm.dimensions)
            if alarm.monitor_group_id:
                wanted["groupId"] = str(alarm.monitor_group_id)
            watched = [(cms.custom_namespace(), metric, wanted)]
        else:
            name = SYSTEM_METRICS[metric]
            watched = [
                (ECS_NAMESPACE, name, {"instanceId": member.id})
                for member in self._state.members_of(alarm.group_id)
                if member.state in SERVING
            ]
        buckets = [
            bucket
            for namespace, name, wanted in watched
            for _, series in cms.periods(namespace, name, wanted, period_s, start, end)
            for bucket in series
        ]
        return by_periods(buckets, period_s)


def _joined(states: Sequence[str], joined_by: str) -> str:
    if joined_by == "||":
        return next((state for state in (ALARM, OK) if state in states), NO_DATA)
    return next((state for state in (NO_DATA, OK) if state in states), ALARM)
