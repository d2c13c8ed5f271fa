"""Settings of nodes that come and go."""

from __future__ import annotations

from typing import Annotated

from steelyard.spec import rule
from steelyard.spec.monitoring import REPORTED
from steelyard.spec.part import Part
from steelyard.spec.rule import Number, Text, WholeNumber


class StepSpec(Part):
    """How many nodes come at once above a load.

    Attributes:
        cpu_above_percent: Average CPU of the scaled nodes in percent, over three minutes.
        add: Number of nodes.
    """

    cpu_above_percent: Annotated[WholeNumber, rule.within(1, 99, " %")]
    add: Annotated[WholeNumber, rule.within(1, 1000)]


class ScheduleSpec(Part):
    """A number of nodes from a time of day on, every day.

    Attributes:
        at: Time of day in UTC, `HH:MM`.
        nodes: Number of scaled nodes that is wanted then.
    """

    at: Annotated[Text, rule.matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day in UTC", "07:30")]
    nodes: Annotated[WholeNumber, rule.within(0, 1000)]


class ReportedSpec(Part):
    """How many nodes come or go where a figure that the nodes report stays beyond a bound.

    Attributes:
        metric: The figure: `queued_jobs`, `running_jobs`, `busy_percent` (nodes with a job, of those that take any) and
            `samples_per_s` (of all running jobs) are the whole cluster's; `cpu_percent` and `memory_percent` are the
            mean over the group's nodes, the fixed ones with them.
        above: It acts where the figure is above this; either this or `below` is given.
        below: It acts where the figure is below this.
        change: Number of nodes that come; of those that go, with a minus before it.
        minutes: For how many minutes on end the minute's mean is beyond the bound before it acts.
    """

    metric: Annotated[Text, rule.one_of(*REPORTED)]
    above: Number | None = None
    below: Number | None = None
    change: Annotated[WholeNumber, rule.within(-1000, 1000)]
    minutes: Annotated[WholeNumber, rule.within(1, 60, " minutes")] = 3


class ScalingSpec(Part):
    """Nodes beside a group's fixed ones that come and go: a scaling group of the same kind of nodes.

    Attributes:
        min: Least number of them, which is also what there is at first.
        max: Greatest number of them; 0 for no scaling at all.
        cooldown_s: Seconds after a change in which a load changes nothing more.
        on_demand_base: The first so many are no spot instances, whatever the others are.
        on_demand_percent: Share of the further ones that are no spot instances; 0 where the group's nodes are spot
            instances, 100 where they are not.
        drain_timeout_s: Seconds that a node which is to go is given to end the jobs that run on it.
        target_cpu_percent: Average CPU of the scaled nodes that their number is held at; 0 for none.
        steps: How many nodes come at once above which load; they are rules of their own beside the target.
        reported: How many nodes come or go by what the nodes report; nodes report only with
            `monitoring.report_every_s`.
        schedules: Numbers of nodes by the time of day.
        alarm_mails: Mail addresses that CloudMonitor writes to when fixed nodes of the group are overloaded.
    """

    min: Annotated[WholeNumber, rule.within(0, 1000)] = 0
    max: Annotated[WholeNumber, rule.within(0, 1000)] = 0
    cooldown_s: Annotated[WholeNumber, rule.within(0, 86400, " s")] = 300
    on_demand_base: Annotated[WholeNumber, rule.within(0, 1000)] = 0
    on_demand_percent: Annotated[WholeNumber, rule.within(0, 100, " %")] | None = None
    drain_timeout_s: Annotated[WholeNumber, rule.within(30, 21600, " s")] = 600
    target_cpu_percent: Annotated[WholeNumber, rule.within(0, 99, " %")] = 0
    steps: tuple[StepSpec, ...] = ()
    reported: tuple[ReportedSpec, ...] = ()
    schedules: tuple[ScheduleSpec, ...] = ()
    alarm_mails: tuple[
        Annotated[
            Text, rule.matching(r"[^@\s,]{1,64}@[A-Za-z0-9.-]{3,190}", "a mail address", "ops@example.com")
        ],
        ...,
    ] = ()

    def on_demand_share(self, *, is_spot: bool) -> int:
        """Return the share of the nodes above the base that are no spot instances, in percent.

        Args:
            is_spot: Whether the group's fixed nodes are spot instances.
        """
        if self.on_demand_percent is not None:
            return self.on_demand_percent
        return 0 if is_spot else 100
