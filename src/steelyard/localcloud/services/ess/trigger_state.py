from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.adjustment import goal_of
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    ALARMS,
    SCHEDULES,
    SERVING,
    Activity,
    ScalingGroup,
    capacity_of,
)
from steelyard.localcloud.services.ess.trigger_models import (
    SIMPLE,
    TARGET,
    AlarmTask,
    ScalingRule,
    ScheduledTask,
)
from steelyard.localcloud.wire.error import ApiError

_DEFAULT_WARMUP_S = 300


class TriggerState(EssCore):
    """What moves a group's number of members: rules, and the alarms and times that execute them."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.rules = Records(cloud.store, ScalingRule)
        self.alarms = Records(cloud.store, AlarmTask)
        self.tasks = Records(cloud.store, ScheduledTask)

    def ari(self, rule: ScalingRule, group: ScalingGroup) -> str:
        """Give a rule's name over all accounts and regions."""
        return f"ari:acs:ess:{group.region_id}:{self.cloud.identity.account_id}:scalingrule/{rule.id}"

    def rule_by_ari(self, ari: str) -> ScalingRule:
        """Give the rule of an ARI.

        Raises:
            ApiError: `InvalidScalingRuleId.NotFound`.
        """
        rule = self.rules.get(ari.rpartition("/")[2])
        if rule is None:
            raise errors.rule_not_found(ari)
        return rule

    def rule(self, request: Request) -> ScalingRule:
        """Give the rule that a call names.

        Raises:
            ApiError: `InvalidScalingRuleId.NotFound`.
        """
        rule = self.rules.get(request.text("ScalingRuleId"))
        if rule is None:
            raise errors.rule_not_found(request.text("ScalingRuleId"))
        return rule

    def execute(
        self,
        rule: ScalingRule,
        cause: str,
        *,
        is_alarm: bool,
        metric: float | None = None,
        threshold: float | None = None,
    ) -> Activity:
        """Execute a rule, once.

        Cooldowns hold alarms back and nothing else. An alarm's step and target tracking rules know warm-up instead:
        they let nobody go before the newest members have warmed up, and reckon a target by those alone that have.

        Args:
            rule: The rule.
            cause: Why, for the activity.
            is_alarm: Whether an alarm asks for it.
            metric: The metric's figure.
            threshold: The alarm's threshold.

        Raises:
            ApiError: `IncorrectScalingGroupStatus`, `ScalingActivityInProgress` or `IncorrectCapacity.NoChange`.
        """
        group, is_simple = self._ready_group(rule), rule.rule_type == SIMPLE
        if is_alarm and is_simple and self.cloud.clock() < group.cooldown_until:
            raise errors.activity_in_progress()
        warming = self._warming(rule) if is_alarm and not is_simple else 0
        current = self.capacity(group.id)
        base = current - warming if rule.rule_type == TARGET and warming < current else current
        goal = goal_of(rule, base, metric=metric, threshold=threshold)
        goal = max(group.min_size, min(group.max_size, goal))
        is_held = bool(warming or rule.settings.get("DisableScaleIn"))
        if goal == current or (is_held and goal < current):
            raise errors.no_change()
        cooldown_s = rule.number("Cooldown", int(str(group.settings["DefaultCooldown"]))) if is_simple else 0
        return self.scale_to(group, goal, cause, cooldown_s=cooldown_s)

    def _ready_group(self, rule: ScalingRule) -> ScalingGroup:
        """Give the group of a rule, if it can change its number of members by now."""
        group = self.groups.get(rule.group_id)
        assert group is not None
        if group.state != ACTIVE:
            raise errors.incorrect_group_status(group.state, "ExecuteScalingRule")
        if self.is_busy(group.id):
            raise errors.activity_in_progress()
        return group

    def forget_group(self, group: ScalingGroup) -> None:
        """Remove a group with its rules, alarms and scheduled tasks."""
        super().forget_group(group)
        aris = set()
        for rule in self.rules.list():
            if rule.group_id == group.id:
                aris.add(self.ari(rule, group))
                self.rules.delete(rule.id)
        for alarm in self.alarms.list():
            if alarm.group_id == group.id:
                self.alarms.delete(alarm.id)
        for task in self.tasks.list():
            is_own = task.settings.get("ScalingGroupId") == group.id
            if is_own or task.settings.get("ScheduledAction") in aris:
                self.tasks.delete(task.id)

    def run_alarm(self, alarm: AlarmTask, metric: float, threshold: float) -> None:
        """Execute what an alarm that fires names; a rule that changes nothing, or may not yet, is left for later."""
        cause = f"The alarm {alarm.name} ({alarm.id}) fired: the metric is {metric:g}, beyond {threshold:g}."
        for ari in alarm.actions:
            with suppress(ApiError), self.cloud.transaction():
                rule = self.rule_by_ari(ari)
                group = self.groups.get(rule.group_id)
                if group is not None and ALARMS not in group.suspended:
                    self.execute(rule, cause, is_alarm=True, metric=metric, threshold=threshold)

    def run_task(self, task: ScheduledTask) -> None:
        """Carry out a scheduled task: its rule, or its group's new bounds; nothing where its group suspends them.

        Raises:
            ApiError: What is to be changed does not allow it.
        """
        cause = f"The scheduled task {task.name} ({task.id}) was due."
        ari = str(task.settings.get("ScheduledAction") or "")
        rule = self.rule_by_ari(ari) if ari else None
        group_id = rule.group_id if rule is not None else str(task.settings["ScalingGroupId"])
        group = self.groups.get(group_id)
        if group is None:
            raise errors.group_not_found(group_id)
        if SCHEDULES in group.suspended:
            return
        if rule is not None:
            self.execute(rule, cause, is_alarm=False)
        else:
            self._set_bounds(group, task.settings)

    def _set_bounds(self, group: ScalingGroup, wanted: Mapping[str, object]) -> None:
        settings = dict(group.settings)
        for name, bound in (("MinValue", "MinSize"), ("MaxValue", "MaxSize")):
            if wanted.get(name) is not None:
                settings[bound] = wanted[name]
        changed = replace(group, settings=settings)
        if changed.min_size > changed.max_size:
            raise errors.incorrect_capacity("MaxSize", changed.min_size, changed.max_size)
        desired = wanted.get("DesiredCapacity", changed.desired)
        if desired is not None:
            within = max(changed.min_size, min(changed.max_size, int(str(desired))))
            changed = replace(changed, desired=within)
        self.groups.put(changed)

    def _warming(self, rule: ScalingRule) -> int:
        """Give the capacity of a rule's group that has not warmed up yet."""
        now = self.cloud.clock()
        warmup_s = rule.number("EstimatedInstanceWarmup", _DEFAULT_WARMUP_S)
        return capacity_of(
            member
            for member in self.members_of(rule.group_id)
            if member.state in SERVING and now - member.in_service_at < warmup_s
        )
