from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms import dimension, errors
from steelyard.localcloud.services.cms.rule_actions import RuleActions, escalation, seconds_of
from steelyard.localcloud.services.cms.series import Key
from steelyard.localcloud.services.cms.state import DONE

_COMPARISONS: Final[Mapping[str, str]] = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
    "!=": "NotEqualToThreshold",
    "=": "EqualToThreshold",
}
_LEVELS: Final[Mapping[str, str]] = {"CRITICAL": "Critical", "WARN": "Warn", "INFO": "Info"}
_PERIOD_S = 60


class CustomMetricActions(RuleActions):
    """Metrics that the account puts, listed and deleted, and the alarm rules that are for them alone."""

    @action("DescribeCustomMetricList")
    def describe_custom_metric_list(self, request: Request) -> dict[str, object]:
        """List series by group, name, a part of their dimensions, and MD5; the form of `Result` is from memory."""
        keys = self.stored.keys()
        found = [
            self._series_answer(key)
            for key in keys
            if request.text("MetricName") in ("", key[1])
            and request.text("GroupId") in ("", _group_of(key))
            and request.text("Dimension") in _dimension_of(key)
            and request.text("Md5") in ("", _md5(key))
        ]
        number, size = (
            seconds_of(request, name, default) for name, default in (("PageNumber", 1), ("PageSize", 10))
        )
        page = found[(number - 1) * size : number * size]
        result = {"total": len(found), "pageNumber": number, "pageSize": size, "list": page}
        return {**DONE, "Result": json.dumps(result)}

    @action("DeleteCustomMetric")
    def delete_custom_metric(self, request: Request) -> dict[str, object]:
        """Delete series of a group's metric: that of an MD5, or all."""
        keys = self.stored.keys()
        found = [
            key
            for key in keys
            if key[1] == request.text("MetricName")
            and _group_of(key) == request.text("GroupId")
            and request.text("Md5") in ("", _md5(key))
        ]
        if not found:
            raise errors.metric_not_found(request.text("MetricName"))
        for key in found:
            self.stored.delete(key)
        return dict(DONE)

    @action("PutCustomMetricRule")
    def put_custom_metric_rule(self, request: Request) -> dict[str, object]:
        """Create an alarm rule over metrics of one's own, or change it; it has one level."""
        level = _LEVELS.get(request.text("Level").upper())
        if level is None:
            raise errors.parameter_invalid(
                f"Level is not valid: {request.text('Level')!r} is not one of {', '.join(_LEVELS)}."
            )
        sign = request.text("ComparisonOperator")
        when = escalation(
            {
                "ComparisonOperator": _COMPARISONS.get(sign, sign),
                "Statistics": request.text("Statistics"),
                "Threshold": request.text("Threshold"),
                "Times": request.number("EvaluationCount", 3),
            }
        )
        dimension.read(request.text("Resources"))
        period_s = seconds_of(request, "Period", _PERIOD_S)
        if period_s <= 0 or period_s % _PERIOD_S:
            raise errors.parameter_invalid(f"Period is not valid: {period_s} is no multiple of {_PERIOD_S}.")
        self.rules.put(
            replace(
                self.rule_before(request),
                namespace=self.custom_namespace(),
                resources=request.text("Resources"),
                period_s=period_s,
                interval_s=period_s,
                escalations={level: when},
            )
        )
        return dict(DONE)

    def _series_answer(self, key: Key) -> dict[str, object]:
        return {
            "userId": self.cloud.identity.account_id,
            "groupId": _group_of(key),
            "metricName": key[1],
            "dimension": _dimension_of(key),
            "md5": _md5(key),
        }


def _group_of(key: Key) -> str:
    return str(json.loads(key[2])["groupId"])


def _dimension_of(key: Key) -> str:
    """Give a series' dimensions as `name=value,name=value`, without its group."""
    pairs = json.loads(key[2]).items()
    return ",".join(f"{name}={value}" for name, value in sorted(pairs) if name != "groupId")


def _md5(key: Key) -> str:
    """Give what tells a series from others of its name; the API calls it a digest, and it keeps no secret."""
    return hashlib.md5("|".join(key).encode(), usedforsecurity=False).hexdigest()
