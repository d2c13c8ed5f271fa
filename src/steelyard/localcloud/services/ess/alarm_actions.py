from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.alarm_watch import COMPARISONS, SYSTEM_METRICS
from steelyard.localcloud.services.ess.effective import read_window
from steelyard.localcloud.services.ess.setting import read_dimensions
from steelyard.localcloud.services.ess.trigger_models import AlarmTask
from steelyard.localcloud.services.ess.trigger_state import TriggerState
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_PERIODS_S = (15, 60, 120, 300, 900)
_STATISTICS = ("Average", "Minimum", "Maximum", "Sum")
_MAX_ALARMS = 200


class AlarmActions(TriggerState):
    """Alarm tasks: a metric beyond a threshold executes scaling rules."""

    @action("CreateAlarm")
    def create_alarm(self, request: Request) -> dict[str, object]:
        """Create an alarm task, which is enabled."""
        group = self.standing_group(request)
        if len(self.alarms.list()) >= _MAX_ALARMS:
            raise errors.quota_exceeded("AlarmTask", _MAX_ALARMS)
        alarm_id = f"{group.id}_{self.cloud.new_id('alarm')[6:]}"
        draft = AlarmTask(
            id=alarm_id,
            created_at=self.cloud.clock(),
            group_id=group.id,
            name=alarm_id,
            description="",
            metric_type="system",
            monitor_group_id=0,
            expressions=(),
            joined_by="&&",
            dimensions={},
            evaluation_count=3,
            actions=(),
            effective="",
        )
        self.alarms.put(self._changed_alarm(request, draft))
        return {"AlarmTaskId": alarm_id}

    @action("ModifyAlarm")
    def modify_alarm(self, request: Request) -> dict[str, object]:
        """Change an alarm task; what it knows of the past is evaluated anew."""
        alarm = self._changed_alarm(request, self._alarm(request))
        self.alarms.put(replace(alarm, evaluated_until=0.0))
        return {"AlarmTaskId": alarm.id}

    @action("DescribeAlarms")
    def describe_alarms(self, request: Request) -> dict[str, object]:
        """List alarm tasks by group, id, metric, state and whether they are enabled."""
        is_enabled = request.params.get("IsEnable")
        found = [
            alarm
            for alarm in self.alarms.list()
            if not alarm.rule_id
            and request.text("ScalingGroupId") in ("", alarm.group_id)
            and request.text("AlarmTaskId") in ("", alarm.id)
            and request.text("MetricType") in ("", alarm.metric_type)
            and request.text("State") in ("", alarm.state)
            and is_enabled in (None, alarm.is_enabled)
            and request.text("MetricName") in ("", *(str(one["MetricName"]) for one in alarm.expressions))
        ]
        page, head = number_page(request, found)
        return {**head, "AlarmList": [alarm.to_answer() for alarm in page]}

    @action("EnableAlarm")
    def enable_alarm(self, request: Request) -> dict[str, object]:
        """Evaluate an alarm task from now on."""
        self.alarms.put(replace(self._alarm(request), is_enabled=True))
        return {}

    @action("DisableAlarm")
    def disable_alarm(self, request: Request) -> dict[str, object]:
        """Evaluate an alarm task no more."""
        self.alarms.put(replace(self._alarm(request), is_enabled=False, state="INSUFFICIENT_DATA"))
        return {}

    @action("DeleteAlarm")
    def delete_alarm(self, request: Request) -> dict[str, object]:
        """Delete an alarm task."""
        alarm = self._alarm(request)
        self.alarms.delete(alarm.id)
        return {"AlarmTaskId": alarm.id}

    def _alarm(self, request: Request) -> AlarmTask:
        alarm = self.alarms.get(request.text("AlarmTaskId"))
        if alarm is None or alarm.rule_id:
            raise errors.alarm_not_found(request.text("AlarmTaskId"))
        return alarm

    def _changed_alarm(self, request: Request, alarm: AlarmTask) -> AlarmTask:
        """Give an alarm task with what a call says of it."""
        metric_type = request.text("MetricType") or alarm.metric_type
        if metric_type not in ("system", "custom"):
            raise not_served(f"alarm tasks on metrics of type {metric_type}")
        effective = request.text("Effective") or alarm.effective
        if effective:
            read_window(effective)
        actions = request.texts("AlarmActions") or list(alarm.actions)
        for ari in actions:
            if self.rule_by_ari(ari).group_id != alarm.group_id:
                raise errors.rule_not_found(ari)
        count = request.number("EvaluationCount", alarm.evaluation_count)
        if count < 1:
            raise invalid_parameter("EvaluationCount", count, "at least 1")
        joined_by = request.text("ExpressionsLogicOperator") or alarm.joined_by
        if joined_by not in ("&&", "||"):
            raise invalid_parameter("ExpressionsLogicOperator", joined_by, "&& or ||")
        dimensions = read_dimensions(request.records("Dimensions"))
        # The provider sends dimensions that name the group itself, which a group's members have anyway.
        dimensions = {
            key: value for key, value in dimensions.items() if key not in ("scaling_group", "userId")
        }
        return replace(
            alarm,
            name=request.text("Name") or alarm.name,
            description=request.text("Description") or alarm.description,
            metric_type=metric_type,
            monitor_group_id=request.number("GroupId", alarm.monitor_group_id),
            expressions=_expressions(request, alarm, metric_type),
            joined_by=joined_by,
            dimensions=dimensions or alarm.dimensions,
            evaluation_count=count,
            actions=tuple(actions),
            effective=effective,
        )


def _expressions(request: Request, alarm: AlarmTask, metric_type: str) -> tuple[Mapping[str, object], ...]:
    listed = request.records("Expressions")
    if listed:
        return tuple(_expression(one, {}, metric_type) for one in listed)
    before = alarm.expressions[0] if len(alarm.expressions) == 1 else {}
    if len(alarm.expressions) > 1 and not request.text("MetricName"):
        return alarm.expressions
    return (_expression(request.params, before, metric_type),)


def _expression(
    given: Mapping[str, object], before: Mapping[str, object], metric_type: str
) -> dict[str, object]:
    def value(name: str, default: object) -> object:
        found = given.get(name)
        return before.get(name, default) if found in (None, "") else found

    expression = {
        "MetricName": value("MetricName", ""),
        "Period": value("Period", 300),
        "Statistics": value("Statistics", "Average"),
        "ComparisonOperator": value("ComparisonOperator", ">="),
        "Threshold": value("Threshold", None),
    }
    for name in ("MetricName", "Threshold"):
        if expression[name] in (None, ""):
            raise missing_parameter(name)
    if metric_type == "system" and expression["MetricName"] not in SYSTEM_METRICS:
        raise not_served(f"the metric {expression['MetricName']} of alarm tasks")
    for name, choices in (
        ("Period", _PERIODS_S),
        ("Statistics", _STATISTICS),
        ("ComparisonOperator", tuple(COMPARISONS)),
    ):
        if expression[name] not in choices:
            raise invalid_parameter(name, expression[name], f"one of {', '.join(map(str, choices))}")
    return expression
