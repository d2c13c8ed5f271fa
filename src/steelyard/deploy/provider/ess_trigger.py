"""What moves a scaling group: rules, hooks, scheduled tasks and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, nested, shown, wait_gone, wire

_STEP = {
    "metricIntervalLowerBound": "MetricIntervalLowerBound",
    "metricIntervalUpperBound": "MetricIntervalUpperBound",
    "scalingAdjustment": "ScalingAdjustment",
}
_DIMENSION = {"dimensionKey": "DimensionKey", "dimensionValue": "DimensionValue"}
_EXPRESSION = {
    "comparisonOperator": "ComparisonOperator",
    "metricName": "MetricName",
    "period": "Period",
    "statistics": "Statistics",
    "threshold": "Threshold",
}


class ScalingRule(ResourceType):
    """`alicloud.ess.ScalingRule`."""

    token = "alicloud:ess/scalingRule:ScalingRule"
    create_only = frozenset({"scalingGroupId", "scalingRuleType", "alarmDimension"})
    _CHANGE: ClassVar = {
        "adjustmentType": "AdjustmentType",
        "adjustmentValue": "AdjustmentValue",
        "cooldown": "Cooldown",
        "disableScaleIn": "DisableScaleIn",
        "estimatedInstanceWarmup": "EstimatedInstanceWarmup",
        "metricName": "MetricName",
        "metricType": "MetricType",
        "minAdjustmentMagnitude": "MinAdjustmentMagnitude",
        "scaleInEvaluationCount": "ScaleInEvaluationCount",
        "scaleOutEvaluationCount": "ScaleOutEvaluationCount",
        "scalingRuleName": "ScalingRuleName",
        "targetValue": "TargetValue",
    }
    _CREATE: ClassVar = {
        **_CHANGE,
        "scalingGroupId": "ScalingGroupId",
        "scalingRuleType": "ScalingRuleType",
    }
    changeable = frozenset({*_CHANGE, "stepAdjustments"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateScalingRule."""
        dimension = inputs.get("alarmDimension")
        params = {
            **wire(inputs, self._CREATE),
            "StepAdjustment": self._steps(inputs),
            "AlarmDimension": [nested(dimension, _DIMENSION, "alarmDimension")] if dimension else None,
        }
        rule_id = str(api.call(ESS, "CreateScalingRule", params)["ScalingRuleId"])
        api.operation.allocated(rule_id)
        return rule_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingRules."""
        rule = _find(api, "ScalingRule", resource_id)
        if rule is None:
            return None
        steps = (rule.get("StepAdjustments") or {}).get("StepAdjustment") or []
        return {
            **shown(rule, {**self._CREATE, "ari": "ScalingRuleAri"}),
            "stepAdjustments": [shown(step, _STEP) for step in steps],
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyScalingRule with what changed."""
        changed = changes(old, new, self._CHANGE)
        if old.get("stepAdjustments") != new.get("stepAdjustments"):
            changed["StepAdjustment"] = self._steps(new)
        if changed:
            api.call(ESS, "ModifyScalingRule", {"ScalingRuleId": resource_id, **changed})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteScalingRule, then wait until it is gone."""
        api.call(ESS, "DeleteScalingRule", {"ScalingRuleId": resource_id})
        wait_gone(api, lambda: _find(api, "ScalingRule", resource_id) is not None, f"rule {resource_id}")

    def _steps(self, inputs: Values) -> list[dict[str, Any]] | None:
        return [nested(step, _STEP, "a step") for step in inputs.get("stepAdjustments") or []] or None


class LifecycleHook(ResourceType):
    """`alicloud.ess.LifecycleHook`."""

    token = "alicloud:ess/lifecycleHook:LifecycleHook"
    create_only = frozenset({"scalingGroupId", "name"})
    _CHANGE: ClassVar = {
        "lifecycleTransition": "LifecycleTransition",
        "heartbeatTimeout": "HeartbeatTimeout",
        "defaultResult": "DefaultResult",
        "notificationArn": "NotificationArn",
        "notificationMetadata": "NotificationMetadata",
    }
    _CREATE: ClassVar = {**_CHANGE, "scalingGroupId": "ScalingGroupId", "name": "LifecycleHookName"}
    changeable = frozenset(_CHANGE)
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """CreateLifecycleHook."""
        hook_id = str(api.call(ESS, "CreateLifecycleHook", wire(inputs, self._CREATE))["LifecycleHookId"])
        api.operation.allocated(hook_id)
        return hook_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeLifecycleHooks."""
        hook = _find(api, "LifecycleHook", resource_id)
        return None if hook is None else shown(hook, self._CREATE)

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyLifecycleHook with what changed."""
        params = {"LifecycleHookId": resource_id, **changes(old, new, self._CHANGE)}
        api.call(ESS, "ModifyLifecycleHook", params)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLifecycleHook, then wait until it is gone."""
        api.call(ESS, "DeleteLifecycleHook", {"LifecycleHookId": resource_id})
        wait_gone(api, lambda: _find(api, "LifecycleHook", resource_id) is not None, f"hook {resource_id}")


class ScheduledTask(ResourceType):
    """`alicloud.ess.ScheduledTask`."""

    token = "alicloud:ess/scheduledTask:ScheduledTask"
    create_only: ClassVar = frozenset()
    _CHANGE: ClassVar = {
        "description": "Description",
        "desiredCapacity": "DesiredCapacity",
        "launchTime": "LaunchTime",
        "maxValue": "MaxValue",
        "minValue": "MinValue",
        "scalingGroupId": "ScalingGroupId",
        "scheduledAction": "ScheduledAction",
        "scheduledTaskName": "ScheduledTaskName",
        "taskEnabled": "TaskEnabled",
    }
    _RECURRENCE: ClassVar = {
        "recurrenceType": "RecurrenceType",
        "recurrenceValue": "RecurrenceValue",
        "recurrenceEndTime": "RecurrenceEndTime",
    }
    _CREATE: ClassVar = {**_CHANGE, **_RECURRENCE, "launchExpirationTime": "LaunchExpirationTime"}
    changeable = frozenset(_CREATE)

    def create(self, api: Api, inputs: Values) -> str:
        """CreateScheduledTask."""
        task_id = str(api.call(ESS, "CreateScheduledTask", wire(inputs, self._CREATE))["ScheduledTaskId"])
        api.operation.allocated(task_id)
        return task_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScheduledTasks."""
        task = _find(api, "ScheduledTask", resource_id)
        return None if task is None else shown(task, self._CREATE)

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyScheduledTask with what changed, a recurrence as a whole."""
        changed = changes(old, new, self._CHANGE)
        if changes(old, new, self._RECURRENCE):
            changed.update(wire(new, self._RECURRENCE))
        kept = wire(new, {"launchExpirationTime": "LaunchExpirationTime"})
        api.call(ESS, "ModifyScheduledTask", {"ScheduledTaskId": resource_id, **kept, **changed})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteScheduledTask, then wait until it is gone."""
        api.call(ESS, "DeleteScheduledTask", {"ScheduledTaskId": resource_id})
        wait_gone(api, lambda: _find(api, "ScheduledTask", resource_id) is not None, f"task {resource_id}")


class Alarm(ResourceType):
    """`alicloud.ess.Alarm`."""

    token = "alicloud:ess/alarm:Alarm"
    create_only = frozenset({"scalingGroupId"})
    _CHANGE: ClassVar = {
        "name": "Name",
        "description": "Description",
        "effective": "Effective",
        "metricType": "MetricType",
        "metricName": "MetricName",
        "period": "Period",
        "statistics": "Statistics",
        "threshold": "Threshold",
        "comparisonOperator": "ComparisonOperator",
        "evaluationCount": "EvaluationCount",
        "expressionsLogicOperator": "ExpressionsLogicOperator",
        "cloudMonitorGroupId": "GroupId",
    }
    changeable = frozenset({*_CHANGE, "alarmActions", "dimensions", "expressions", "enable"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateAlarm; DisableAlarm where it is not to be enabled."""
        params = {**wire(inputs, self._CHANGE), **self._lists(inputs)}
        params["ScalingGroupId"] = inputs["scalingGroupId"]
        alarm_id = str(api.call(ESS, "CreateAlarm", params)["AlarmTaskId"])
        api.operation.allocated(alarm_id)
        if inputs.get("enable") is False:
            api.call(ESS, "DisableAlarm", {"AlarmTaskId": alarm_id})
        return alarm_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeAlarms."""
        alarm = self._find(api, resource_id)
        if alarm is None:
            return None
        expressions = (alarm.get("Expressions") or {}).get("Expression") or []
        dimensions = (alarm.get("Dimensions") or {}).get("Dimension") or []
        names = {**self._CHANGE, "scalingGroupId": "ScalingGroupId", "state": "State", "enable": "Enable"}
        found = {
            **shown(alarm, names),
            "alarmActions": (alarm.get("AlarmActions") or {}).get("AlarmAction") or [],
            "dimensions": {one["DimensionKey"]: one["DimensionValue"] for one in dimensions},
            "expressions": [shown(one, _EXPRESSION) for one in expressions],
        }
        if "threshold" in found:
            found["threshold"] = f"{found['threshold']:g}"
        return found

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyAlarm with what changed, EnableAlarm or DisableAlarm."""
        changed = changes(old, new, self._CHANGE)
        before, after = self._lists(old), self._lists(new)
        changed.update({name: value for name, value in after.items() if value != before.get(name)})
        target = {"AlarmTaskId": resource_id}
        if changed:
            kind = wire(new, {"metricType": "MetricType"})
            api.call(ESS, "ModifyAlarm", {**target, **kind, **changed})
        was_enabled, is_enabled = (values.get("enable") is not False for values in (old, new))
        if was_enabled != is_enabled:
            api.call(ESS, "EnableAlarm" if is_enabled else "DisableAlarm", target)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteAlarm, then wait until it is gone."""
        api.call(ESS, "DeleteAlarm", {"AlarmTaskId": resource_id})
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"alarm {resource_id}")

    def _lists(self, inputs: Values) -> dict[str, Any]:
        dimensions = inputs.get("dimensions") or {}
        expressions = inputs.get("expressions") or []
        return {
            "AlarmAction": inputs.get("alarmActions") or None,
            "Dimension": [
                {"DimensionKey": key, "DimensionValue": value} for key, value in sorted(dimensions.items())
            ]
            or None,
            "Expression": [nested(one, _EXPRESSION, "an expression") for one in expressions] or None,
        }

    def _find(self, api: Api, alarm_id: str) -> Mapping[str, Any] | None:
        answer = api.call(ESS, "DescribeAlarms", {"AlarmTaskId": alarm_id})
        rows = (answer.get("AlarmList") or {}).get("Alarm") or []
        return rows[0] if rows else None


def _find(api: Api, kind: str, resource_id: str) -> Mapping[str, Any] | None:
    """Return one thing as its listing action tells it: DescribeScalingRules of ScalingRule, and so on."""
    answer = api.call(ESS, f"Describe{kind}s", {f"{kind}Id": [resource_id]})
    rows = (answer.get(f"{kind}s") or {}).get(kind) or []
    return rows[0] if rows else None
