from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms import dimension, errors
from steelyard.localcloud.services.cms.moment import read_moment
from steelyard.localcloud.services.cms.series import STATISTICS, Bucket, sample
from steelyard.localcloud.services.cms.state import DONE, CmsState
from steelyard.localcloud.text import whole_number

MAX_METRICS_A_CALL = 100
_MAX_POINTS = 1440
"""Figures of a page at most; where nobody says, it has as many as the next two (parameter descriptions of `Length`)."""
_PAGE_POINTS = 1000
_TOP_POINTS = 10
_SPAN_S = 3600.0
_PERIODS_S = (15, 60, 300, 900, 3600)


class MetricActions(CmsState):
    """Metrics: those that the account puts, and those that the cloud measures on instances."""

    @action("PutCustomMetric")
    def put_custom_metric(self, request: Request) -> dict[str, object]:
        """Keep samples (`Type` 0), or what a client gathered of a period (`Type` 1)."""
        metrics = request.records("MetricList")
        if len(metrics) > MAX_METRICS_A_CALL:
            raise errors.parameter_invalid(
                f"A call takes {MAX_METRICS_A_CALL} metrics at most, not {len(metrics)}."
            )
        for metric in metrics:
            dimensions = {"groupId": str(metric["GroupId"]), **dimension.flat(str(metric["Dimensions"]))}
            key = (self.custom_namespace(), str(metric["MetricName"]), dimension.text_of(dimensions))
            self.stored.put(key, self._bucket(metric))
        return dict(DONE)

    @action("DescribeMetricList")
    def describe_metric_list(self, request: Request) -> dict[str, object]:
        """Give a metric's figures by periods, of all series that have the call's dimensions."""
        period_s = _period_s(request)
        return _paged(request, self._points(request, period_s), period_s)

    @action("DescribeMetricData")
    def describe_metric_data(self, request: Request) -> dict[str, object]:
        """Give what DescribeMetricList does, in one page: the newest figures, where there are too many for it."""
        period_s, length = _period_s(request), _length(request, _PAGE_POINTS)
        points = self._points(request, period_s)[-length:]
        return {**DONE, "Datapoints": json.dumps(points), "Period": str(period_s)}

    @action("DescribeMetricLast")
    def describe_metric_last(self, request: Request) -> dict[str, object]:
        """Give the newest figure of each series."""
        period_s = _period_s(request)
        newest: dict[str, dict[str, object]] = {}
        for point in self._points(request, period_s):
            own = {name: value for name, value in point.items() if name not in (*STATISTICS, "timestamp")}
            newest[json.dumps(own, sort_keys=True)] = point
        return _paged(request, list(newest.values()), period_s)

    @action("DescribeMetricTop")
    def describe_metric_top(self, request: Request) -> dict[str, object]:
        """Give the series of the last period by one figure, the greatest first."""
        period_s = _period_s(request)
        figure = request.text("Orderby")
        if figure not in STATISTICS:
            raise errors.parameter_invalid(
                f"Orderby is not valid: {figure!r} is not one of {', '.join(STATISTICS)}."
            )
        points = self._points(request, period_s)
        last = max((point["timestamp"] for point in points), key=str, default=0)
        found = sorted(
            (point for point in points if point["timestamp"] == last),
            key=lambda point: float(str(point[figure])),
            reverse=request.text("OrderDesc").lower() != "true",
        )[: _length(request, _TOP_POINTS)]
        ranked = [{"order": i, **point} for i, point in enumerate(found, 1)]
        return {**DONE, "Datapoints": json.dumps(ranked), "Period": str(period_s)}

    def _points(self, request: Request, period_s: int) -> list[dict[str, object]]:
        end = read_moment(request.text("EndTime"), "EndTime", self.cloud.clock())
        start = read_moment(request.text("StartTime"), "StartTime", end - _SPAN_S)
        if start >= end:
            raise errors.parameter_invalid("StartTime is to be before EndTime.")
        points = []
        for wanted in dimension.read(request.text("Dimensions")):
            for dimensions, buckets in self.periods(
                request.text("Namespace"), request.text("MetricName"), wanted, period_s, start, end
            ):
                points += [self._point(dimensions, bucket) for bucket in buckets]
        return sorted(points, key=lambda point: float(str(point["timestamp"])))

    def _point(self, dimensions: Mapping[str, str], bucket: Bucket) -> dict[str, object]:
        return {
            "timestamp": int(bucket.start * 1000),
            "userId": self.cloud.identity.account_id,
            **dimensions,
            **{name: round(bucket.statistic(name), 6) for name in STATISTICS},
        }

    def _bucket(self, metric: Mapping[str, object]) -> Bucket:
        at = read_moment(str(metric.get("Time") or ""), "MetricList.Time", self.cloud.clock())
        values = _values(str(metric["Values"]))
        kind = str(metric["Type"])
        if kind == "0":
            return sample(at, _figure(values, "value"))
        if kind != "1":
            raise errors.parameter_invalid(f"MetricList.Type is not valid: {kind!r} is not 0 or 1.")
        return _gathered(at, values)


def _paged(request: Request, points: Sequence[Mapping[str, object]], period_s: int) -> dict[str, object]:
    sized = request.with_params({"Length": _length(request, _PAGE_POINTS)})
    page, token = token_page(sized, points, size_name="Length")
    return {**DONE, "Datapoints": json.dumps(list(page)), "Period": str(period_s), "NextToken": token}


def _length(request: Request, default: int) -> int:
    text = request.text("Length")
    length = whole_number(text) if text else default
    if length is None or not 1 <= length <= _MAX_POINTS:
        raise errors.parameter_invalid(f"Length is not valid: {text!r} is not from 1 to {_MAX_POINTS}.")
    return length


def _gathered(at: float, values: Mapping[str, Any]) -> Bucket:
    num = int(_figure(values, "SampleCount", 1))
    average = _figure(values, "Average", values.get("Sum", 0) / max(1, num))
    return Bucket(
        start=at,
        num=max(1, num),
        sum=_figure(values, "Sum", average * max(1, num)),
        low=_figure(values, "Minimum", average),
        high=_figure(values, "Maximum", average),
        last=_figure(values, "LastValue", average),
    )


def _values(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise errors.parameter_invalid(f"MetricList.Values is not valid: {text!r} is no JSON object.")
    return values


def _figure(values: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise errors.parameter_invalid(f"MetricList.Values has no number {name!r}: {dict(values)!r}.")
    return float(value)


def _period_s(request: Request) -> int:
    text = request.text("Period") or "60"
    period_s = whole_number(text)
    if period_s is None or period_s not in _PERIODS_S:
        raise errors.parameter_invalid(f"Period is not valid: {text!r} is not one of {list(_PERIODS_S)}.")
    return period_s
