"""Reports a node's figures to CloudMonitor, as metrics of the account's own, for alarms to act on."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from steelyard.errors import GatewayError, NodeError
from steelyard.node.cloud_api import Api
from steelyard.node.figures import OwnFigures, cluster_figures
from steelyard.node.repeat import Queue, repeat
from steelyard.product import Product
from steelyard.spec.monitoring import METRIC_PREFIX, OF_CLUSTER, dimensions_of

logger = logging.getLogger(__name__)

_CMS = Product(code="cms", version="2019-01-01")
_OF_NODE = "node_"
_SINGLE_SAMPLE = "0"


@dataclass(frozen=True, kw_only=True)
class ReportTarget:
    """Where figures go.

    Attributes:
        cluster: The cluster's name.
        group: The node group's name.
        node_id: This instance.
        monitor_group_id: The application group that the metrics belong to.
        every_s: Seconds from one report to the next.
    """

    cluster: str
    group: str
    node_id: str
    monitor_group_id: str
    every_s: int


class MetricReporter:
    """Puts a node's figures again and again; what fails is told once and tried again, and no job knows of it.

    A node puts its CPU and memory into two series each: its group's, of which CloudMonitor makes the mean over the
    nodes, and its own (`steelyard_node_...`). The head puts the cluster's as well.

    Args:
        api: Calls the cloud as the node's role.
        target: Where the figures go.
        own: Measures this node.
        queue: The way to the job queue; None where another node reports the cluster's figures.
        clock: Gives the Unix time.
    """

    def __init__(
        self,
        api: Api,
        *,
        target: ReportTarget,
        own: OwnFigures,
        queue: Queue | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._target = target
        self._own = own
        self._queue = queue
        self._clock = clock
        self._is_quiet = False

    async def run(self) -> None:
        """Go on for ever."""
        await repeat(self.turn, every_s=self._target.every_s, what="the figures")

    async def turn(self) -> None:
        """Report once."""
        own = await asyncio.to_thread(self._own)
        cluster = await self._of_cluster()
        params = _wire([*self._rows(own, cluster)])
        try:
            await asyncio.to_thread(self._api.call, _CMS, "PutCustomMetric", params)
        except NodeError as error:
            if not self._is_quiet:
                logger.warning("the node's figures are not reported for now: %s", error.message)
            self._is_quiet = True
        else:
            self._is_quiet = False

    async def _of_cluster(self) -> Mapping[str, float]:
        if self._queue is None:
            return {}
        try:
            jobs, nodes = await self._queue.call("jobs"), await self._queue.call("nodes")
        except GatewayError:
            return {}  # the node is not ready, which its health says
        return cluster_figures(jobs, nodes)

    def _rows(self, own: Mapping[str, float], cluster: Mapping[str, float]) -> Iterator[dict[str, str]]:
        target = self._target
        for metric in (*own, *(one for one in OF_CLUSTER if one in cluster)):
            value = own[metric] if metric in own else cluster[metric]
            yield self._row(metric, value, dimensions_of(metric, cluster=target.cluster, group=target.group))
        for metric, value in own.items():
            place = {"cluster": target.cluster, "group": target.group, "instanceId": target.node_id}
            yield self._row(f"{_OF_NODE}{metric}", value, place)

    def _row(self, metric: str, value: float, dimensions: Mapping[str, str]) -> dict[str, str]:
        return {
            "GroupId": self._target.monitor_group_id,
            "MetricName": f"{METRIC_PREFIX}{metric}",
            "Dimensions": json.dumps(dict(dimensions), sort_keys=True),
            "Time": str(int(self._clock() * 1000)),
            "Type": _SINGLE_SAMPLE,
            "Values": json.dumps({"value": round(value, 3)}),
        }


def _wire(rows: list[dict[str, str]]) -> dict[str, str]:
    """Write rows as the wire has a list of records."""
    return {f"MetricList.{i}.{name}": value for i, row in enumerate(rows, 1) for name, value in row.items()}
