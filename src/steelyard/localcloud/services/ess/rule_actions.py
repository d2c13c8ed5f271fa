from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.adjustment import (
    ADJUSTMENTS,
    SCALE_IN_SHARE,
    adjusted,
    check_adjustment,
)
from steelyard.localcloud.services.ess.alarm_watch import SYSTEM_METRICS
from steelyard.localcloud.services.ess.hook_context import read_hook_context
from steelyard.localcloud.services.ess.models import ScalingGroup
from steelyard.localcloud.services.ess.setting import check_name, read_dimensions
from steelyard.localcloud.services.ess.trigger_models import SIMPLE, STEP, TARGET, AlarmTask, ScalingRule
from steelyard.localcloud.services.ess.trigger_state import TriggerState
from steelyard.localcloud.setting import Setting, checked, choice, number
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_MAX_A_GROUP = 50
_TARGET_PERIODS_S = (15, 60, 120, 300, 900)

_SETTINGS: Final[Mapping[str, Setting]] = {
    "AdjustmentType": choice("", *ADJUSTMENTS),
    "AdjustmentValue": number(0, -1000, 10000),
    "MinAdjustmentMagnitude": number(0, 1, 2000),
    "Cooldown": number(0, 0, 86400),
    "EstimatedInstanceWarmup": number(300, 0, 86400),
    "TargetValue": Setting(
        default=0.0, check=lambda value: isinstance(value, float) and value > 0, want="more than 0"
    ),
    "DisableScaleIn": Setting(default=False),
    "ScaleOutEvaluationCount": number(3, 1, 1000),
    "ScaleInEvaluationCount": number(15, 1, 1000),
    "MetricName": Setting(default=""),
    "MetricType": choice("system", "system", "custom"),
    "StepAdjustments": Setting(default=None),
    "AlarmDimensions": Setting(default=None),
    "AlarmOptions": Setting(default=None),
}


class RuleActions(TriggerState):
    """Scaling rules: simple, by steps, or holding a metric at a target."""

    # The schema calls what one kind of rule needs required of all.
    @action("CreateScalingRule", optional=("AdjustmentType", "AdjustmentValue", "TargetValue"))
    def create_scaling_rule(self, request: Request) -> dict[str, object]:
        """Create a rule; one that holds a target brings two alarms along."""
        group = self.standing_group(request)
        if sum(rule.group_id == group.id for rule in self.rules.list()) >= _MAX_A_GROUP:
            raise errors.quota_exceeded("ScalingRule", _MAX_A_GROUP)
        rule_type = request.text("ScalingRuleType") or SIMPLE
        if rule_type == "PredictiveScalingRule":
            raise not_served("scaling rules of type PredictiveScalingRule")
        rule_id = self.cloud.new_id("asr")
        rule = ScalingRule(
            id=rule_id,
            created_at=self.cloud.clock(),
            group_id=group.id,
            name=request.text("ScalingRuleName") or rule_id,
            rule_type=rule_type,
            settings=checked(_SETTINGS, request.params),
        )
        self._check_rule_name(rule, group)
        _check(rule)
        self.rules.put(rule)
        self._put_alarms(rule)
        return {"ScalingRuleId": rule.id, "ScalingRuleAri": self.ari(rule, group)}

    @action("ModifyScalingRule", optional=("AdjustmentValue", "MetricName"))
    def modify_scaling_rule(self, request: Request) -> dict[str, object]:
        """Change a rule; its kind stays."""
        rule = self.rule(request)
        settings = {**rule.settings, **checked(_SETTINGS, request.params)}
        changed = replace(rule, name=request.text("ScalingRuleName") or rule.name, settings=settings)
        group = self.groups.get(rule.group_id)
        assert group is not None
        self._check_rule_name(changed, group)
        _check(changed)
        self.rules.put(changed)
        self._put_alarms(changed)
        return {}

    @action("DescribeScalingRules")
    def describe_scaling_rules(self, request: Request) -> dict[str, object]:
        """List rules by group, ids, names, ARIs and kind."""
        ids, names = request.texts("ScalingRuleIds"), request.texts("ScalingRuleNames")
        aris = [ari.rpartition("/")[2] for ari in request.texts("ScalingRuleAris")]
        found = [
            rule
            for rule in self.rules.list()
            if request.text("ScalingGroupId") in ("", rule.group_id)
            and (not ids or rule.id in ids)
            and (not names or rule.name in names)
            and (not aris or rule.id in aris)
            and request.text("ScalingRuleType") in ("", rule.rule_type)
        ]
        page, head = number_page(request, found)
        has_alarms = request.flag("ShowAlarmRules")
        return {**head, "ScalingRules": [self._rule_answer(rule, has_alarms=has_alarms) for rule in page]}

    @action("DeleteScalingRule")
    def delete_scaling_rule(self, request: Request) -> dict[str, object]:
        """Delete a rule with the alarms that it brought along."""
        rule = self.rule(request)
        self.rules.delete(rule.id)
        for alarm in self._alarms_of(rule):
            self.alarms.delete(alarm.id)
        return {}

    @action("ExecuteScalingRule")
    def execute_scaling_rule(self, request: Request) -> dict[str, object]:
        """Execute a rule at once, whatever the cooldown says."""
        rule = self.rule_by_ari(request.text("ScalingRuleAri"))
        metric, threshold = request.params.get("MetricValue"), request.params.get("BreachThreshold")
        if rule.rule_type == TARGET:
            raise invalid_parameter("ScalingRuleAri", rule.id, "a simple or a step scaling rule")
        if rule.rule_type == STEP and (metric is None or threshold is None):
            raise missing_parameter("MetricValue" if metric is None else "BreachThreshold")
        cause = f"The scaling rule {rule.name} ({rule.id}) was executed by a user."
        activity = self.execute(
            rule, cause, is_alarm=False, metric=_float(metric), threshold=_float(threshold)
        )
        return {"ScalingActivityId": activity.id}

    @action("ScaleWithAdjustment")
    def scale_with_adjustment(self, request: Request) -> dict[str, object]:
        """Change the number of members without a rule."""
        group = self.active_group(request)
        kind = request.text("AdjustmentType")
        value = request.number("AdjustmentValue", 0)
        check_adjustment(kind, value)
        if request.text("ExecutionMode") == "PlanOnly":
            raise not_served("ScaleWithAdjustment with ExecutionMode PlanOnly")
        if self.is_busy(group.id):
            raise errors.activity_in_progress()
        current = self.capacity(group.id)
        least = request.number("MinAdjustmentMagnitude", 0)
        goal = adjusted(current, kind, value, least)
        if max(group.min_size, min(group.max_size, goal)) == current:
            raise errors.no_change()
        hooks = read_hook_context(request)
        activity = self.scale_to(group, goal, "The capacity was adjusted by a user.", hooks=hooks)
        return {"ScalingActivityId": activity.id, "ActivityType": "CapacityChange"}

    def _check_rule_name(self, rule: ScalingRule, group: ScalingGroup) -> None:
        """Check a rule's name, which no other rule of the region has (help page of CreateScalingRule)."""
        check_name("ScalingRuleName", rule.name)
        for other in self.rules.list():
            if other.name != rule.name or other.id == rule.id:
                continue
            neighbour = self.groups.get(other.group_id)
            if neighbour is not None and neighbour.region_id == group.region_id:
                raise errors.name_duplicated("ScalingRule", rule.name)

    def _put_alarms(self, rule: ScalingRule) -> None:
        """Bring a target tracking rule's alarms to what the rule says: one to grow and one to shrink."""
        if rule.rule_type != TARGET:
            return
        group = self.groups.get(rule.group_id)
        assert group is not None
        target = float(str(rule.settings["TargetValue"]))
        sides = (
            ("out", ">", target, rule.number("ScaleOutEvaluationCount", 3)),
            ("in", "<", target * SCALE_IN_SHARE, rule.number("ScaleInEvaluationCount", 15)),
        )
        for side, comparison, threshold, count in sides:
            expression = {
                "MetricName": rule.settings["MetricName"],
                "Period": _period_s(rule),
                "Statistics": "Average",
                "ComparisonOperator": comparison,
                "Threshold": threshold,
            }
            self.alarms.put(
                AlarmTask(
                    id=f"{rule.id}-{side}",
                    created_at=self.cloud.clock(),
                    group_id=rule.group_id,
                    name=f"{rule.name}-{side}",
                    description=f"Holds {rule.settings['MetricName']} at {target:g}.",
                    metric_type=str(rule.settings.get("MetricType") or "system"),
                    monitor_group_id=0,
                    expressions=(expression,),
                    joined_by="&&",
                    dimensions=read_dimensions(_rows(rule.settings.get("AlarmDimensions"))),
                    evaluation_count=count,
                    actions=(self.ari(rule, group),),
                    effective="",
                    rule_id=rule.id,
                )
            )

    def _alarms_of(self, rule: ScalingRule) -> list[AlarmTask]:
        return [alarm for alarm in self.alarms.list() if alarm.rule_id == rule.id]

    def _rule_answer(self, rule: ScalingRule, *, has_alarms: bool) -> dict[str, object]:
        group = self.groups.get(rule.group_id)
        assert group is not None
        ari = self.ari(rule, group)
        alarms = [alarm.to_answer() for alarm in self.alarms.list() if has_alarms and ari in alarm.actions]
        counts = {"ScaleOutEvaluationCount": 3, "ScaleInEvaluationCount": 15, "DisableScaleIn": False}
        return {
            **(counts if rule.rule_type == TARGET else {}),
            **rule.settings,
            "StepAdjustments": list(_rows(rule.settings.get("StepAdjustments"))),
            "AlarmDimensions": list(_rows(rule.settings.get("AlarmDimensions"))),
            "ScalingRuleId": rule.id,
            "ScalingRuleName": rule.name,
            "ScalingRuleType": rule.rule_type,
            "ScalingRuleAri": ari,
            "ScalingGroupId": rule.group_id,
            "MinSize": group.min_size,
            "MaxSize": group.max_size,
            "Alarms": alarms,
        }


def _check(rule: ScalingRule) -> None:
    """Check that a rule has what its kind needs."""
    settings = rule.settings
    needed = {
        SIMPLE: ("AdjustmentType", "AdjustmentValue"),
        STEP: ("AdjustmentType", "StepAdjustments"),
        TARGET: ("MetricName", "TargetValue"),
    }
    if rule.rule_type not in needed:
        raise invalid_parameter("ScalingRuleType", rule.rule_type, f"one of {', '.join(needed)}")
    for name in needed[rule.rule_type]:
        if settings.get(name) in (None, "", [], ()):
            raise missing_parameter(name)
    is_system = settings.get("MetricType", "system") == "system"
    if rule.rule_type == TARGET and is_system and settings["MetricName"] not in SYSTEM_METRICS:
        raise not_served(f"the metric {settings['MetricName']} of scaling rules")
    kind = str(settings.get("AdjustmentType") or "")
    if rule.rule_type == SIMPLE:
        check_adjustment(kind, settings["AdjustmentValue"])
    for step in _rows(settings.get("StepAdjustments")):
        if step.get("ScalingAdjustment") is None:
            raise missing_parameter("StepAdjustments.ScalingAdjustment")
        check_adjustment(kind, step["ScalingAdjustment"], "StepAdjustments.ScalingAdjustment")
        low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
        if low is not None and high is not None and low >= high:
            raise invalid_parameter("StepAdjustments.MetricIntervalLowerBound", low, f"less than {high}")


def _period_s(rule: ScalingRule) -> int:
    """Give the period of a target tracking rule's alarms."""
    options = rule.settings.get("AlarmOptions")
    period = options.get("Period") if isinstance(options, Mapping) else None
    if period not in (None, *_TARGET_PERIODS_S):
        raise invalid_parameter(
            "AlarmOptions.Period", period, f"one of {', '.join(map(str, _TARGET_PERIODS_S))}"
        )
    return int(str(period or 60))


def _rows(value: object) -> list[dict[str, Any]]:
    assert value is None or isinstance(value, list | tuple)
    return [dict(row) for row in value or ()]


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
