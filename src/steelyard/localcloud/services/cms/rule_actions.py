from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms import dimension, errors
from steelyard.localcloud.services.cms.evaluation import COMPARISONS, is_number
from steelyard.localcloud.services.cms.models import ALARM, NO_DATA, OK, MetricRule
from steelyard.localcloud.services.cms.moment import read_moment
from steelyard.localcloud.services.cms.series import STATISTICS
from steelyard.localcloud.services.cms.state import DONE, DONE_IN_NUMBERS, CmsState
from steelyard.localcloud.services.cms.watch import LEVELS
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import missing_parameter, not_served

MAX_RULES = 1000
_WITH_THE_PAST = frozenset(
    f"{side}Than{past}" for side in ("Greater", "Less") for past in ("Yesterday", "LastWeek", "LastPeriod")
)
"""Comparisons with an earlier figure, which are not served."""
_NO_DATA_POLICIES = ("KEEP_LAST_STATE", "INSUFFICIENT_DATA", "OK")


class RuleActions(CmsState):
    """Alarm rules, evaluated when a period of theirs has ended.

    Contacts, webhooks and targets are kept and named in the history; nothing is sent to them, since nothing leaves this
    machine.
    """

    @action("PutResourceMetricRule")
    def put_resource_metric_rule(self, request: Request) -> dict[str, object]:
        """Create a rule, or change it; a rule that changes is evaluated anew."""
        for name in ("CompositeExpression", "Prometheus"):
            if request.params.get(name):
                raise not_served(f"{name} of alarm rules")
        rule = self.rule_before(request)
        dimension.read(request.text("Resources"))
        period_s = seconds_of(request, "Period", 300, (15, 60, 300, 900, 1800, 3600))
        no_data_policy = request.text("NoDataPolicy") or _NO_DATA_POLICIES[0]
        if no_data_policy not in _NO_DATA_POLICIES:
            wanted = ", ".join(_NO_DATA_POLICIES)
            raise errors.parameter_invalid(
                f"NoDataPolicy is not valid: {no_data_policy!r} is not one of {wanted}."
            )
        self.rules.put(
            replace(
                rule,
                namespace=request.text("Namespace"),
                resources=request.text("Resources"),
                period_s=period_s,
                interval_s=seconds_of(request, "Interval", period_s),
                no_effective_interval=request.text("NoEffectiveInterval"),
                no_data_policy=no_data_policy,
                escalations=_escalations(request),
                labels=tuple(
                    {"Key": str(one["Key"]), "Value": str(one["Value"])} for one in request.records("Labels")
                ),
            )
        )
        return dict(DONE)

    def rule_before(self, request: Request) -> MetricRule:
        """Give the rule that a call makes or changes with what all such calls say; it is evaluated anew.

        Raises:
            ApiError: `ResourceOverLimit`, or `ResourceNotFound` for a contact group.
        """
        rule_id = request.text("RuleId")
        before = self.rules.get(rule_id)
        if before is None and len(self.rules.list()) >= MAX_RULES:
            raise errors.quota_exceeded("alarm rules", MAX_RULES)
        return MetricRule(
            id=rule_id,
            created_at=self.cloud.clock() if before is None else before.created_at,
            name=request.text("RuleName"),
            namespace="",
            metric=request.text("MetricName"),
            contact_groups=",".join(self.named_contact_groups(request)),
            resources="",
            period_s=0,
            interval_s=0,
            silence_s=request.number("SilenceTime", 86400),
            effective_interval=request.text("EffectiveInterval") or "00:00-23:59",
            no_effective_interval="",
            webhook=request.text("Webhook"),
            email_subject=request.text("EmailSubject"),
            no_data_policy="KEEP_LAST_STATE",
            escalations={},
            labels=(),
            is_enabled=True if before is None else before.is_enabled,
            state=NO_DATA if before is None else before.state,
            targets=() if before is None else before.targets,
        )

    @action("DescribeMetricRuleList")
    def describe_metric_rule_list(self, request: Request) -> dict[str, object]:
        """List rules by ids, name, metric, dimensions, state and whether they are enabled."""
        ids = request.texts("RuleIds")
        wanted = dimension.read(request.text("Dimensions"))[0].items()
        is_enabled = request.params.get("EnableState")
        found = [
            rule
            for rule in self.rules.list()
            if (not ids or rule.id in ids)
            and request.text("RuleName") in rule.name
            and request.text("Namespace") in ("", rule.namespace)
            and request.text("MetricName") in ("", rule.metric)
            and request.text("AlertState") in ("", rule.state)
            and is_enabled in (None, rule.is_enabled)
            and any(wanted <= one.items() for one in dimension.read(rule.resources))
        ]
        page, _ = number_page(_as_page_number(request), found, max_size=1000)
        rows = [rule.to_answer() for rule in page]
        return {**DONE_IN_NUMBERS, "Alarms": {"Alarm": rows}, "Total": str(len(found))}

    @action("EnableMetricRules")
    def enable_metric_rules(self, request: Request) -> dict[str, object]:
        """Evaluate rules from now on."""
        for rule in self._named(request, "RuleId"):
            self.rules.put(replace(rule, is_enabled=True))
        return dict(DONE)

    @action("DisableMetricRules")
    def disable_metric_rules(self, request: Request) -> dict[str, object]:
        """Evaluate rules no more; their state is unknown then."""
        for rule in self._named(request, "RuleId"):
            self.rules.put(replace(rule, is_enabled=False, state=NO_DATA, level=""))
        return dict(DONE)

    @action("DeleteMetricRules")
    def delete_metric_rules(self, request: Request) -> dict[str, object]:
        """Delete rules."""
        for rule in self._named(request, "Id"):
            self.rules.delete(rule.id)
        return dict(DONE)

    @action("PutMetricRuleTargets")
    def put_metric_rule_targets(self, request: Request) -> dict[str, object]:
        """Keep what a rule is to set off."""
        rule = self._rule(request.text("RuleId"))
        by_id = {target["Id"]: target for target in rule.targets}
        for one in request.records("Targets"):
            names = ("Id", "Arn", "Level", "JsonParams")
            by_id[str(one["Id"])] = {name: str(one[name]) for name in names if one.get(name)}
        self.rules.put(replace(rule, targets=tuple(by_id.values())))
        return {**DONE, "FailData": {"Targets": {"Target": []}}}

    @action("DescribeMetricRuleTargets")
    def describe_metric_rule_targets(self, request: Request) -> dict[str, object]:
        """List what a rule is to set off."""
        rule = self._rule(request.text("RuleId"))
        return {**DONE, "Targets": {"Target": [dict(target) for target in rule.targets]}}

    @action("DeleteMetricRuleTargets")
    def delete_metric_rule_targets(self, request: Request) -> dict[str, object]:
        """Forget what a rule was to set off."""
        rule, ids = self._rule(request.text("RuleId")), request.texts("TargetIds")
        kept = tuple(target for target in rule.targets if target["Id"] not in ids)
        self.rules.put(replace(rule, targets=kept))
        return {**DONE, "FailIds": {"TargetIds": {"TargetId": []}}}

    @action("DescribeMetricRuleCount")
    def describe_metric_rule_count(self, request: Request) -> dict[str, object]:
        """Count rules by what they say now."""
        found = [
            rule
            for rule in self.rules.list()
            if request.text("Namespace") in ("", rule.namespace)
            and request.text("MetricName") in ("", rule.metric)
        ]
        states = Counter(rule.state if rule.is_enabled else "" for rule in found)
        count = {"Ok": states[OK], "Alarm": states[ALARM], "Nodata": states[NO_DATA], "Disable": states[""]}
        return {**DONE, "MetricRuleCount": {**count, "Total": len(found)}}

    @action("DescribeAlertHistoryList")
    def describe_alert_history_list(self, request: Request) -> dict[str, object]:
        """List when rules fired and were over, the newest first unless `Ascending` is false."""
        start = read_moment(request.text("StartTime"), "StartTime", 0.0)
        end = read_moment(request.text("EndTime"), "EndTime", math.inf)
        kept = self.notices.list()
        found = [
            notice
            for notice in (reversed(kept) if request.flag("Ascending", True) else kept)
            if start <= notice.created_at <= end
            and request.text("RuleId") in ("", notice.rule_id)
            and request.text("RuleName") in ("", notice.rule_name)
            and request.text("Namespace") in ("", notice.namespace)
            and request.text("MetricName") in ("", notice.metric)
            and request.text("State") in ("", notice.state)
        ]
        page, _ = number_page(_as_page_number(request), found, max_size=100)
        rows = [notice.to_answer() for notice in page]
        return {**DONE, "AlarmHistoryList": {"AlarmHistory": rows}, "Total": str(len(found))}

    def _rule(self, rule_id: str) -> MetricRule:
        rule = self.rules.get(rule_id)
        if rule is None:
            raise errors.rule_not_found(rule_id)
        return rule

    def _named(self, request: Request, name: str) -> list[MetricRule]:
        ids = request.texts(name)
        if not ids:
            raise missing_parameter(name)
        return [self._rule(rule_id) for rule_id in ids]


def _escalations(request: Request) -> dict[str, Mapping[str, object]]:
    given = request.params.get("Escalations") or {}
    assert isinstance(given, dict)
    found = {level: escalation(given[level], f"Escalations.{level}.") for level in LEVELS if given.get(level)}
    if not found:
        raise missing_parameter("Escalations.Critical.Threshold")
    return found


def escalation(given: Mapping[str, object], place: str = "") -> Mapping[str, object]:
    """Read when a rule fires: `ComparisonOperator`, `Statistics`, `Threshold` and `Times`.

    Args:
        given: As the call has it, by these names.
        place: What stands before the names in the call, for errors.

    Raises:
        ApiError: `ParameterInvalid`.
    """
    comparison = str(given.get("ComparisonOperator") or "")
    if comparison in _WITH_THE_PAST:
        raise not_served(f"{place}ComparisonOperator {comparison}")
    statistic = str(given.get("Statistics") or "Average")
    for name, value, choices in (
        ("ComparisonOperator", comparison, tuple(COMPARISONS)),
        ("Statistics", statistic, STATISTICS),
    ):
        if value not in choices:
            raise errors.parameter_invalid(
                f"{place}{name} is not valid: {value!r} is not one of {', '.join(choices)}."
            )
    # What clients compare with what they have put stays as it came, to the last digit.
    threshold = str(given.get("Threshold")).strip()
    if not is_number(threshold):
        raise errors.parameter_invalid(f"{place}Threshold is not valid: {threshold!r} is no number.")
    return {
        "ComparisonOperator": comparison,
        "Statistics": statistic,
        "Threshold": threshold,
        "Times": given.get("Times") or 3,
    }


def seconds_of(request: Request, name: str, default: int, choices: Sequence[int] = ()) -> int:
    """Read a number of seconds, which calls carry as text.

    Raises:
        ApiError: `ParameterInvalid`.
    """
    text = request.text(name) or str(default)
    seconds = whole_number(text)
    if seconds is None or (choices and seconds not in choices):
        wanted = f"one of {list(choices)}" if choices else "a whole number of seconds"
        raise errors.parameter_invalid(f"{name} is not valid: {text!r} is not {wanted}.")
    return seconds


def _as_page_number(request: Request) -> Request:
    """Give a call whose page number is called `Page` the name that the others have."""
    return replace(
        request,
        params={
            "PageNumber": request.number("Page", 1),
            "PageSize": request.number("PageSize", 10),
        },
    )
