from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Final

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.cms import errors
from steelyard.localcloud.services.cms.meter import CPU, ECS_NAMESPACE, Meter
from steelyard.localcloud.services.cms.models import (
    AlertNotice,
    Contact,
    ContactGroup,
    MetricRule,
    MonitorGroup,
    SystemEvent,
)
from steelyard.localcloud.services.cms.series import (
    BUCKET_S,
    Bucket,
    Key,
    MeasuredSeries,
    StoredSeries,
    by_periods,
)
from steelyard.localcloud.services.cms.watch import RuleWatch
from steelyard.localcloud.services.ecs.state import EcsState

_log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
_JOIN_TIMEOUT_S = 10.0

DONE: Final[Mapping[str, object]] = {
    "Code": "200",
    "Success": True,
    "Message": "The specified request succeeds.",
}
DONE_IN_NUMBERS: Final[Mapping[str, object]] = {**DONE, "Code": 200}
"""What answers the actions whose `Code` is a number."""


class CmsState(Service):
    """What the parts of CloudMonitor share: records, series, and a thread that measures and watches."""

    code, version = "cms", "2019-01-01"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.rules = Records(cloud.store, MetricRule)
        self.notices = Records(cloud.store, AlertNotice)
        self.contacts = Records(cloud.store, Contact)
        self.contact_groups = Records(cloud.store, ContactGroup)
        self.monitor_groups = Records(cloud.store, MonitorGroup)
        self.events = Records(cloud.store, SystemEvent)
        self.stored = StoredSeries(cloud.store)
        self.measured = MeasuredSeries()
        self._meter = Meter(self.measured)
        self._watch = RuleWatch(
            cloud, rules=self.rules, notices=self.notices, groups=self.contact_groups, periods=self.periods
        )
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._measured_at = 0.0

    def start(self) -> None:
        """Begin to measure and to watch."""
        self._thread = threading.Thread(target=self._run, name="cms-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Measure and watch no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    def look(self) -> None:
        """Measure if it is time, and evaluate the rules that are due."""
        now = self.cloud.clock()
        ecs = self.cloud.services.get("ecs")
        # Once in each bucket of its series: alarms take one without a sample for one of which nothing is known.
        is_time = now // BUCKET_S != self._measured_at // BUCKET_S
        if isinstance(ecs, EcsState) and is_time:
            self._measured_at = now
            instances = ecs.instances.list()
            if instances:
                self._meter.measure(now, instances, ecs.host.process_ids())
        self._watch.look(now)

    def named_contact_groups(self, request: Request) -> tuple[str, ...]:
        """Give the contact groups that a call names, with commas between them.

        Raises:
            ApiError: `ResourceNotFound`.
        """
        names = request.texts("ContactGroups")
        for name in names:
            if self.contact_groups.get(name) is None:
                raise errors.contact_group_not_found(name)
        return tuple(names)

    def custom_namespace(self) -> str:
        """Name the namespace of the metrics that the account puts itself."""
        return f"acs_customMetric_{self.cloud.identity.account_id}"

    def periods(
        self, namespace: str, metric: str, wanted: Mapping[str, str], period_s: int, start: float, end: float
    ) -> Iterator[tuple[dict[str, str], list[Bucket]]]:
        """Give the series of a metric that have all wanted dimensions, each by periods; other services ask this, too.

        Args:
            namespace: E.g. `acs_ecs_dashboard`; any that begins with `acs_customMetric` for the account's own metrics.
            metric: Its name.
            wanted: Dimensions that a series must have; none for all series.
            period_s: Length of a period in seconds.
            start: Unix time from which on samples count.
            end: Unix time before which they count.
        """
        if namespace.startswith("acs_customMetric"):
            namespace = self.custom_namespace()
        for source in (self.stored, self.measured):
            for key in _matching(source.keys(), namespace, metric, wanted):
                buckets = by_periods(source.read(key, start, end), period_s)
                yield json.loads(key[2]), buckets

    def cpu_of(
        self, instance_id: str, period_s: int, start: float, end: float
    ) -> Iterator[tuple[float, float]]:
        """Give how much of its CPUs an instance used, by periods; ECS asks this.

        Args:
            instance_id: The instance.
            period_s: Length of a period in seconds.
            start: Unix time from which on samples count.
            end: Unix time before which they count.

        Returns:
            Of each period its start, a Unix time, and the average in percent.
        """
        for _, buckets in self.periods(ECS_NAMESPACE, CPU, {"instanceId": instance_id}, period_s, start, end):
            for bucket in buckets:
                yield bucket.start, bucket.statistic("Average")

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a bug in one look, or a full disk, must not end all further ones
                _log.exception("a look at metrics and alarm rules failed")


def _matching(keys: list[Key], namespace: str, metric: str, wanted: Mapping[str, str]) -> Iterator[Key]:
    for key in keys:
        if key[:2] == (namespace, metric):
            dimensions = json.loads(key[2])
            if all(dimensions.get(name) == value for name, value in wanted.items()):
                yield key
