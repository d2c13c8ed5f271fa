"""Settings of what nodes report to CloudMonitor."""

from __future__ import annotations

from typing import Annotated, Final

from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import WholeNumber

METRIC_PREFIX: Final = "steelyard_"
"""What the names of reported metrics begin with in CloudMonitor, where the account may have others."""

OF_GROUP: Final = ("cpu_percent", "memory_percent")
"""Figures that every node reports for its node group: one series, of which CloudMonitor makes the mean."""

OF_CLUSTER: Final = ("queued_jobs", "running_jobs", "busy_percent", "samples_per_s")
"""Figures of the whole cluster, which its head reports."""

REPORTED: Final = (*OF_CLUSTER, *OF_GROUP)


class MonitoringSpec(Part):
    """What nodes report to CloudMonitor.

    Attributes:
        report_every_s: Seconds from one report of a node's figures to the next; 0 for no reports. CloudMonitor charges
            for them.
    """

    report_every_s: Annotated[WholeNumber, rule.within(0, 60, " s")] = 0


def dimensions_of(metric: str, *, cluster: str, group: str) -> dict[str, str]:
    """Return what a reported series is told from others by.

    Args:
        metric: One of `REPORTED`.
        cluster: The cluster's name.
        group: The node group's.
    """
    return {"cluster": cluster, "group": group} if metric in OF_GROUP else {"cluster": cluster}
