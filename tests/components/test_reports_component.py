"""What nodes report, and what rules over that become."""

from __future__ import annotations

import base64

import pytest
from recording_monitor import Recording, record

from steelyard.components import AutoScaling, AutoScalingArgs
from steelyard.components.node_group import NodeGroupArgs
from steelyard.components.program import declare
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, DiskSpec
from steelyard.spec.scaling import ScalingSpec

OPTIONS = "--report-every 30 --monitor-group 424242 --node-group workers"
RULES = [
    {"metric": "queued_jobs", "above": 0, "change": 2},
    {"metric": "cpu_percent", "below": 12.5, "change": -1, "minutes": 10},
]


def reporting(**settings: object) -> Recording:
    group = {"name": "workers", "count": 2, "scaling": {"max": 3, "cooldown_s": 60, **settings}}
    spec = ClusterSpec(name="demo", node_groups=[group], monitoring={"report_every_s": 30})
    return record(lambda: declare(spec, "t0ken"))


def test_every_node_is_told_where_to_report_before_it_stands() -> None:
    recording = reporting()
    group = recording.the(":MonitorGroup")
    assert group.inputs == {"monitorGroupName": "demo"}
    instances = recording.of_type(":Instance")
    assert len(instances) == 2
    for node in instances:
        assert OPTIONS in node.inputs["userData"]
        assert group.urn in node.dependencies
    scaled = base64.b64decode(recording.the(":EcsLaunchTemplate").inputs["userData"]).decode()
    assert OPTIONS in scaled


def test_by_default_nobody_reports(demo: Recording) -> None:
    assert not demo.of_type(":MonitorGroup")
    assert not any("--report" in one.inputs["userData"] for one in demo.of_type(":Instance"))


def test_a_rule_over_a_reported_figure_is_a_scaling_rule_and_an_alarm_of_it() -> None:
    recording = reporting(reported=RULES)
    grow, shrink = recording.of_type(":ScalingRule")
    assert grow.inputs == {
        "scalingGroupId": "demo-workers-scaling-group-id",
        "scalingRuleName": "demo-workers-metric-0",
        "scalingRuleType": "SimpleScalingRule",
        "adjustmentType": "QuantityChangeInCapacity",
        "adjustmentValue": 2,
        "cooldown": 60,
    }
    assert shrink.inputs["adjustmentValue"] == -1
    first, second = (one.inputs for one in recording.of_type("ess/alarm:Alarm"))
    assert first == {
        "scalingGroupId": "demo-workers-scaling-group-id",
        "name": "demo-workers-metric-0",
        "alarmActions": first["alarmActions"],
        "metricType": "custom",
        "metricName": "steelyard_queued_jobs",
        "cloudMonitorGroupId": 424242,
        "dimensions": {"cluster": "demo"},
        "period": 60,
        "statistics": "Average",
        "comparisonOperator": ">",
        "threshold": "0",
        "evaluationCount": 3,
    }
    assert second["dimensions"] == {"cluster": "demo", "group": "workers"}
    assert (second["comparisonOperator"], second["threshold"], second["evaluationCount"]) == ("<", "12.5", 10)


def test_rules_over_figures_need_nodes_that_report() -> None:
    nodes = NodeGroupArgs(
        cluster="demo",
        group="workers",
        count=1,
        instance_type="ecs.gn6i-c4g1.xlarge",
        image_id="m-1",
        disk=DiskSpec(),
        weight=100,
        vswitch_ids=("vsw-a",),
        security_group_id="sg-1",
        server_group_id="rsp-1",
        gateway_port=8000,
        token="t0ken",
        head_address="10.64.0.10",
    )
    args = AutoScalingArgs(
        nodes=nodes,
        scaling=ScalingSpec(max=2, reported=RULES),
        load_balancer_id="lb-1",
        region="cn-hangzhou",
        account_id="1234567890123456",
    )
    with pytest.raises(UsageError, match="the nodes report nothing"):
        record(lambda: AutoScaling("demo-workers-scaling", args))
