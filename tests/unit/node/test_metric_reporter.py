from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil
import pytest

from steelyard.errors import GatewayError, NodeError
from steelyard.node.figures import cluster_figures, own_figures
from steelyard.node.identity import Identity
from steelyard.node.metric_reporter import MetricReporter, ReportTarget
from steelyard.product import Product

TARGET = ReportTarget(cluster="demo", group="workers", node_id="i-1", monitor_group_id="77", every_s=30)
IDENTITY = Identity(
    node_id="i-1",
    private_ip="127.64.0.10",
    instance_type="ecs.gn7i-c8g1.2xlarge",
    region_id="cn-hangzhou",
    zone_id="cn-hangzhou-h",
)


class ImaginedMonitor:
    """Takes metrics as CloudMonitor does, or nobody's."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.is_away = False

    def call(self, product: Product, action: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        assert (product.code, product.version, action) == ("cms", "2019-01-01", "PutCustomMetric")
        if self.is_away:
            raise NodeError("cms:PutCustomMetric was refused or not answered: nobody there")
        rows: dict[str, dict[str, str]] = {}
        for name, value in params.items():
            _, number, field = name.split(".")
            rows.setdefault(number, {})[field] = value
        self.rows += rows.values()
        return {}

    def series(self) -> dict[tuple[str, str], float]:
        """Give the newest figure by metric and dimensions."""
        return {
            (one["MetricName"], one["Dimensions"]): json.loads(one["Values"])["value"] for one in self.rows
        }


class ImaginedQueue:
    """Answers as the job queue does."""

    def __init__(self) -> None:
        self.is_ready = True
        self.jobs: list[dict[str, Any]] = []
        self.nodes = [
            {"node_id": f"i-{i}", "is_alive": True, "takes_work": i > 0, "instance_type": "x"}
            for i in range(3)
        ]

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        if not self.is_ready:
            raise GatewayError("this node is not ready", status=503)
        return {"jobs": self.jobs, "nodes": self.nodes}[method]


def job(state: str, *node_ids: str, **event: Any) -> dict[str, Any]:
    nodes = [{"node_id": one, "rank": rank} for rank, one in enumerate(node_ids)]
    return {"id": "job-1", "state": state, "nodes": nodes, "last_event": event or None}


def reporter(monitor: ImaginedMonitor, queue: ImaginedQueue | None) -> MetricReporter:
    own = {"cpu_percent": 41.23456, "memory_percent": 7.0}
    return MetricReporter(monitor, target=TARGET, own=lambda: own, queue=queue, clock=lambda: 1000.5)


def test_a_node_puts_its_figures_for_its_group_and_for_itself() -> None:
    monitor = ImaginedMonitor()
    asyncio.run(reporter(monitor, None).turn())
    group = '{"cluster": "demo", "group": "workers"}'
    own = '{"cluster": "demo", "group": "workers", "instanceId": "i-1"}'
    assert monitor.series() == {
        ("steelyard_cpu_percent", group): 41.235,
        ("steelyard_memory_percent", group): 7.0,
        ("steelyard_node_cpu_percent", own): 41.235,
        ("steelyard_node_memory_percent", own): 7.0,
    }
    assert {(one["GroupId"], one["Time"], one["Type"]) for one in monitor.rows} == {("77", "1000500", "0")}


def test_the_head_puts_the_clusters_as_well() -> None:
    monitor, queue = ImaginedMonitor(), ImaginedQueue()
    queue.jobs = [job("running", "i-1", samples_per_s=12.5), job("queued"), job("queued"), job("failed")]
    asyncio.run(reporter(monitor, queue).turn())
    cluster = {
        metric: value for (metric, of), value in monitor.series().items() if of == '{"cluster": "demo"}'
    }
    assert cluster == {
        "steelyard_queued_jobs": 2,
        "steelyard_running_jobs": 1,
        "steelyard_busy_percent": 50,
        "steelyard_samples_per_s": 12.5,
    }


def test_a_queue_that_is_not_ready_leaves_the_nodes_own_figures() -> None:
    monitor, queue = ImaginedMonitor(), ImaginedQueue()
    queue.is_ready = False
    asyncio.run(reporter(monitor, queue).turn())
    assert len(monitor.rows) == 4


def test_a_cloud_that_is_away_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    monitor = ImaginedMonitor()
    one = reporter(monitor, None)
    monitor.is_away = True
    with caplog.at_level(logging.WARNING):
        asyncio.run(one.turn())
        asyncio.run(one.turn())
    assert len(caplog.records) == 1
    assert "not reported for now" in caplog.text
    monitor.is_away = False
    asyncio.run(one.turn())
    assert len(monitor.rows) == 4
    monitor.is_away = True
    with caplog.at_level(logging.WARNING):
        asyncio.run(one.turn())
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("jobs", "wanted"),
    [
        ([], {"queued_jobs": 0, "running_jobs": 0, "busy_percent": 0, "samples_per_s": 0}),
        (
            [job("running", "i-1", "i-2", samples_per_s=3), job("running", "i-2", samples_per_s=4)],
            {"queued_jobs": 0, "running_jobs": 2, "busy_percent": 100, "samples_per_s": 7},
        ),
        # A script may write what it likes, and a job has no step at first; a head of its own takes no work.
        (
            [job("running", "i-0", samples_per_s="fast"), job("running", "i-9")],
            {"queued_jobs": 0, "running_jobs": 2, "busy_percent": 0, "samples_per_s": 0},
        ),
    ],
    ids=["nothing to do", "two jobs share a node", "no speed, and nodes that are none"],
)
def test_figures_of_the_cluster(jobs: list[dict[str, Any]], wanted: dict[str, float]) -> None:
    assert cluster_figures(jobs, ImaginedQueue().nodes) == wanted


def test_without_a_node_that_works_there_is_no_share_of_busy_ones() -> None:
    assert "busy_percent" not in cluster_figures([], [])


BUSY = """
import sys, time
while time.process_time() < 0.3: pass
print(time.process_time(), flush=True)
sys.stdin.readline()
"""


def test_on_a_shared_machine_a_node_is_its_own_processes() -> None:
    own = own_figures(IDENTITY, shares_machine=True)
    began = time.monotonic()
    first = own()
    assert "cpu_percent" not in first
    assert 0 < first["memory_percent"] < 100
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        used_s = float(child.stdout.readline())
        percent = own()["cpu_percent"]
        num_cpus = min(8, psutil.cpu_count() or 1)
        assert percent >= 80 * used_s / num_cpus / (time.monotonic() - began)
    finally:
        child.communicate()


def test_on_a_machine_of_its_own_it_is_the_machine() -> None:
    own = own_figures(IDENTITY, shares_machine=False)
    assert own().keys() == {"memory_percent"}
    figures = own()
    assert figures.keys() == {"cpu_percent", "memory_percent"}
    assert 0 <= figures["cpu_percent"] <= 100
    assert abs(figures["memory_percent"] - psutil.virtual_memory().percent) < 20
