"""The watch over alarm rules: each is evaluated when a period of it has ended."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.cms import dimension
from steelyard.localcloud.services.cms.evaluation import is_effective, judge, last_period_end
from steelyard.localcloud.services.cms.models import (
    ALARM,
    NO_DATA,
    OK,
    AlertNotice,
    ContactGroup,
    MetricRule,
)
from steelyard.localcloud.services.cms.series import Bucket

_log = logging.getLogger(__name__)

LEVELS: Final = ("Critical", "Warn", "Info")
_MAX_NOTICES = 1000

Periods = Callable[
    [str, str, Mapping[str, str], int, float, float], Iterator[tuple[dict[str, str], list[Bucket]]]
]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an evaluation found."""

    state: str
    level: str = ""
    value: float = 0.0
    dimensions: str = "{}"


class RuleWatch:
    """Evaluates alarm rules and keeps what came of it: states and notices. It sends nothing to anybody.

    Args:
        cloud: Whose rules they are.
        rules: Their records.
        notices: What was told; the last 1000 are kept.
        groups: The contact groups.
        periods: Gives the series of a metric (see `CmsState.periods`).
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        rules: Records[MetricRule],
        notices: Records[AlertNotice],
        groups: Records[ContactGroup],
        periods: Periods,
    ) -> None:
        self._cloud = cloud
        self._rules = rules
        self._notices = notices
        self._groups = groups
        self._periods = periods

    def look(self, now: float) -> None:
        """Evaluate every rule of which a period has ended since the last look."""
        for rule in self._rules.list():
            end = last_period_end(now, rule.period_s)
            if rule.is_enabled and end > rule.evaluated_until and end > rule.created_at:
                self._evaluate(rule, end, now)

    def _evaluate(self, rule: MetricRule, end: float, now: float) -> None:
        verdict = self._judge(rule, end)
        if verdict.state == ALARM and not _is_awake(rule, now):
            verdict = Verdict(state=OK)
        with self._cloud.transaction():
            if self._rules.get(rule.id) != rule:
                return  # It was changed meanwhile, and is judged anew at the next look.
            if verdict.state == NO_DATA:
                verdict = _without_data(rule)
            is_news = verdict.state != rule.state and ALARM in (verdict.state, rule.state)
            is_news |= verdict.state == NO_DATA and rule.no_data_policy == NO_DATA and rule.state != NO_DATA
            is_told_again = verdict.state == ALARM and now - rule.told_at >= rule.silence_s
            told_at = rule.told_at
            if is_news or is_told_again:
                self._tell(rule, verdict, now)
                told_at = now
            self._rules.put(
                replace(rule, state=verdict.state, level=verdict.level, evaluated_until=end, told_at=told_at)
            )

    def _judge(self, rule: MetricRule, end: float) -> Verdict:
        """Give the worst of what the rule's series tell."""
        times = [int(str(one["Times"])) for one in rule.escalations.values()]
        start = end - max(times, default=1) * rule.period_s
        found = Verdict(state=NO_DATA)
        for wanted in dimension.read(rule.resources):
            for dimensions, buckets in self._periods(
                rule.namespace, rule.metric, wanted, rule.period_s, start, end
            ):
                verdict = self._judge_series(rule, buckets, end, json.dumps(dimensions))
                if verdict.state == ALARM:
                    return verdict
                if verdict.state == OK:
                    found = verdict
        return found

    def _judge_series(self, rule: MetricRule, buckets: list[Bucket], end: float, dimensions: str) -> Verdict:
        state, newest = NO_DATA, 0.0
        for level in LEVELS:
            escalation = rule.escalations.get(level)
            if not escalation:
                continue
            state, value = judge(
                buckets,
                end=end,
                period_s=rule.period_s,
                times=int(str(escalation["Times"])),
                statistic=str(escalation["Statistics"]),
                comparison=str(escalation["ComparisonOperator"]),
                threshold=float(str(escalation["Threshold"])),
            )
            newest = newest if value is None else value
            if state == ALARM:
                return Verdict(state=ALARM, level=level, value=newest, dimensions=dimensions)
        return Verdict(state=state, value=newest, dimensions=dimensions)

    def _tell(self, rule: MetricRule, verdict: Verdict, now: float) -> None:
        names = tuple(name.strip() for name in rule.contact_groups.split(",") if name.strip())
        groups = [group for name in names if (group := self._groups.get(name)) is not None]
        contacts = dict.fromkeys(contact for group in groups for contact in group.contacts)
        level = verdict.level or rule.level
        escalation = rule.escalations.get(level) or {}
        expression = " ".join(
            str(escalation.get(name, "")) for name in ("Statistics", "ComparisonOperator", "Threshold")
        )
        self._notices.put(
            AlertNotice(
                id=str(uuid.uuid4()),
                created_at=now,
                rule_id=rule.id,
                rule_name=rule.name,
                namespace=rule.namespace,
                metric=rule.metric,
                state=verdict.state,
                level=level,
                value=verdict.value,
                expression=expression,
                dimensions=verdict.dimensions,
                contact_groups=names,
                contacts=tuple(contacts),
            )
        )
        self._cloud.store.trim(AlertNotice.kind, _MAX_NOTICES)
        _log.info("rule %s is %s: %s", rule.id, verdict.state, verdict.value)


def _is_awake(rule: MetricRule, now: float) -> bool:
    """Tell whether a rule may fire at a time of day."""
    sleeps = bool(rule.no_effective_interval) and is_effective(rule.no_effective_interval, now)
    return not sleeps and is_effective(rule.effective_interval or "00:00-23:59", now)


def _without_data(rule: MetricRule) -> Verdict:
    """Give what is found of a rule of whose metric nothing is known, by its policy for that."""
    if rule.no_data_policy == OK:
        return Verdict(state=OK)
    if rule.no_data_policy == NO_DATA:
        return Verdict(state=NO_DATA)
    return Verdict(state=rule.state, level=rule.level)
