from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter

PERIODS_S = (60, 600, 3600)
MAX_POINTS = 400
"""Points of one answer (help page of DescribeInstanceMonitorData)."""


@runtime_checkable
class CpuMeter(Protocol):
    """A service that measures instances (cms)."""

    def cpu_of(
        self, instance_id: str, period_s: int, start: float, end: float
    ) -> Iterator[tuple[float, float]]:
        """Give each period's start, a Unix time, and how much of its CPUs an instance used in it, in percent."""


class MonitorActions(EcsState):
    """What instances use, as CloudMonitor measures it on their processes."""

    @action("DescribeInstanceMonitorData")
    def describe_instance_monitor_data(self, request: Request) -> dict[str, object]:
        """List an instance's use of its CPUs by periods; what is not measured here, such as traffic, is left out."""
        instance, period_s = self.instance(request), request.number("Period", 60)
        if period_s not in PERIODS_S:
            raise invalid_parameter("Period", period_s, "60, 600 or 3600")
        start, end = _moment(request, "StartTime"), _moment(request, "EndTime")
        if end <= start:
            raise invalid_parameter("EndTime", request.text("EndTime"), "after StartTime")
        if (end - start) / period_s > MAX_POINTS:
            raise change_errors.too_many_points(MAX_POINTS)
        rows = [
            {
                "InstanceId": instance.id,
                "CPU": round(percent),
                "TimeStamp": utc_text(began),
            }
            for meter in self.cloud.services.values()
            if isinstance(meter, CpuMeter)
            for began, percent in meter.cpu_of(instance.id, period_s, start, end)
        ]
        return {"MonitorData": {"InstanceMonitorData": rows}}


def _moment(request: Request, name: str) -> int:
    """Read a time; one between two minutes counts from the next minute on, as the API's page says."""
    text = request.text(name)
    try:
        moment = calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        raise invalid_parameter(name, text, "a time of UTC, e.g. 2026-11-24T14:00:00Z") from None
    return -(-moment // 60) * 60
