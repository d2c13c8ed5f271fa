"""A cluster that grows and shrinks by what its own nodes report, as a user brings it up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloud_api import api_of
from command_line import CommandLine, wait_for

from steelyard.cluster import Cluster, Home
from steelyard.deploy.provider.api import CMS, ESS, Api
from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.hosts.choice import missing_part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(800)]

COOLDOWN_S = 60
RULES = [
    {"metric": "queued_jobs", "above": 0, "change": 1, "minutes": 1},
    {"metric": "busy_percent", "below": 10, "change": -1, "minutes": 1},
]


def write_cluster(folder: Path) -> None:
    scaling = {"max": 1, "cooldown_s": COOLDOWN_S, "drain_timeout_s": 120, "reported": RULES}
    check = {"interval_s": 1, "timeout_s": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}
    spec = {
        "name": "load",
        "node_groups": [{"name": "workers", "count": 1, "scaling": scaling}],
        "load_balancer": {"health_check": check},
        "monitoring": {"report_every_s": 5},
    }
    (folder / "cluster.yaml").write_text(json.dumps(spec))


class Monitor:
    """Asks CloudMonitor for what the cluster's nodes report."""

    def __init__(self, api: Api, info: CloudInfo) -> None:
        self._api = api
        self.namespace = f"acs_customMetric_{info.account_id}"

    def newest(self, metric: str, **dimensions: str) -> list[dict[str, Any]]:
        params = {
            "Namespace": self.namespace,
            "MetricName": metric,
            "Period": "15",
            "Dimensions": json.dumps([{"cluster": "load", **dimensions}]),
        }
        return list(json.loads(self._api.call(CMS, "DescribeMetricLast", params)["Datapoints"]))

    def watch_queue(self) -> str:
        """Make an alarm rule of CloudMonitor over the queue; returns its id."""
        self._api.call(CMS, "PutContactGroup", {"ContactGroupName": "on-call"})
        params = {
            "RuleId": "queue",
            "RuleName": "queue",
            "Namespace": self.namespace,
            "MetricName": "steelyard_queued_jobs",
            "Resources": '[{"cluster":"load"}]',
            "ContactGroups": "on-call",
            "Period": "15",
            "Escalations": {
                "Warn": {"ComparisonOperator": "GreaterThanThreshold", "Threshold": "0", "Times": 1}
            },
        }
        self._api.call(CMS, "PutResourceMetricRule", params)
        return "queue"

    def alerts(self, rule_id: str) -> list[str]:
        answer = self._api.call(CMS, "DescribeAlertHistoryList", {"RuleId": rule_id})
        return [one["State"] for one in answer["AlarmHistoryList"]["AlarmHistory"]]


def states(api: Api) -> list[str]:
    answer = api.call(ESS, "DescribeScalingInstances", {"PageSize": 50})
    return [row["LifecycleState"] for row in answer["ScalingInstances"]["ScalingInstance"]]


def activities(api: Api) -> list[dict[str, Any]]:
    """Give the changes of capacity, the first one first."""
    rows = api.call(ESS, "DescribeScalingActivities", {})["ScalingActivities"]["ScalingActivity"]
    return [row for row in reversed(rows) if row["ScalingInstanceNumber"]]


def submit_until(line: CommandLine, go: Path) -> Callable[[], str]:
    """Submit a job of one node that runs until a file is there; gives what tells its state."""
    script = line.folder / "job" / "wait.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.2)\n"
    )
    job = line.json("train", "--detach", "--num-nodes", "1", str(script))
    cluster = Cluster.open(Home(root=line.folder / "home"), "load")

    def state() -> str:
        with cluster.gateway(keeps_connections=False) as gateway:
            return str(gateway.job(job["id"])["state"])

    return state


def seconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("host", ["loopback", "namespace"])
def test_a_queue_that_nodes_report_brings_a_node_and_idleness_takes_it_away(
    steelyard: CommandLine, tmp_path: Path, host: str
) -> None:
    if host == "namespace" and (lack := missing_part()):
        pytest.skip(lack)
    write_cluster(steelyard.folder)
    steelyard("cloud", "start", "--host", host)
    (node,) = steelyard.json("up", timeout_s=300)["nodes"]
    info = daemon.status(Home(root=steelyard.folder / "home").cloud_dir)
    assert info is not None
    api = api_of(info, timeout_s=60)
    monitor = Monitor(api, info)

    # Every node tells of itself, and the head of the queue.
    wait_for(
        lambda: bool(monitor.newest("steelyard_node_cpu_percent", instanceId=node["id"])),
        timeout_s=60,
        what="the node reports its CPU",
    )
    (memory,) = monitor.newest("steelyard_memory_percent", group="workers")
    assert 0 < memory["Value"] < 100
    wait_for(
        lambda: [one["Value"] for one in monitor.newest("steelyard_busy_percent")] == [0],
        timeout_s=90,
        what="the head reports that nobody is busy",
    )

    # A job runs, another has no node: the queue is seen, and a node comes for it.
    rule_id = monitor.watch_queue()
    go = tmp_path / "go"
    first, second = submit_until(steelyard, go), submit_until(steelyard, go)
    wait_for(lambda: first() == "running" and second() == "queued", timeout_s=60, what="one runs, one waits")
    wait_for(lambda: "ALARM" in monitor.alerts(rule_id), timeout_s=60, what="the alarm rule fires")
    wait_for(lambda: states(api) == ["InService"], timeout_s=180, what="a node comes")
    wait_for(lambda: second() == "running", timeout_s=120, what="the second job runs on it")

    # Nobody has anything to do: it goes, and not before the cooldown is over.
    go.touch()
    wait_for(lambda: {first(), second()} == {"succeeded"}, timeout_s=60, what="both jobs end")
    wait_for(lambda: states(api) == [], timeout_s=300, what="the node goes")
    came, went = activities(api)[:2]
    assert "load-workers-metric-0" in came["Cause"]
    assert "load-workers-metric-1" in went["Cause"]
    assert seconds_of(went["StartTime"]) - seconds_of(came["EndTime"]) >= COOLDOWN_S - 1
