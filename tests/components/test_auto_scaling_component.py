from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from recording_monitor import Recording, record

from steelyard.components import AutoScaling, AutoScalingArgs
from steelyard.components.node_group import NodeGroupArgs
from steelyard.components.program import declare
from steelyard.components.scaling_trigger import recurrence_end
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, DiskSpec
from steelyard.spec.node_group import SpotSpec
from steelyard.spec.scaling import ScalingSpec


def nodes(**changes: object) -> NodeGroupArgs:
    wanted = {
        "cluster": "demo",
        "group": "workers",
        "count": 1,
        "instance_type": "ecs.gn7i-c8g1.2xlarge",
        "image_id": "m-1",
        "disk": DiskSpec(),
        "weight": 70,
        "vswitch_ids": ("vsw-a", "vsw-b"),
        "security_group_id": "sg-1",
        "server_group_id": "rsp-1",
        "gateway_port": 8000,
        "token": "t0ken",
        "head_address": "10.64.0.10",
        "role_name": "demo-node",
    }
    return NodeGroupArgs(**{**wanted, **changes})


def declared(scaling: dict | None = None, **changes: object) -> Recording:
    args = AutoScalingArgs(
        nodes=nodes(**changes),
        scaling=ScalingSpec(**{"max": 4, **(scaling or {})}),
        load_balancer_id="lb-1",
        region="cn-hangzhou",
        account_id="1234567890123456",
        watched_ids=("i-1", "i-2"),
    )
    return record(lambda: AutoScaling("demo-workers-scaling", args))


def test_a_scaled_node_is_hardened_and_boots_as_an_elastic_worker() -> None:
    template = declared().the(":EcsLaunchTemplate")
    inputs = dict(template.inputs)
    script = base64.b64decode(inputs.pop("userData")).decode()
    assert "--role worker" in script
    assert "--head-address 10.64.0.10" in script
    assert "--elastic" in script
    assert inputs == {
        "launchTemplateName": "demo-workers",
        "instanceName": "demo-workers-scaled",
        "instanceType": "ecs.gn7i-c8g1.2xlarge",
        "instanceChargeType": "PostPaid",
        "spotStrategy": "NoSpot",
        "imageId": "m-1",
        "securityGroupIds": ["sg-1"],
        "internetMaxBandwidthOut": 0,
        "systemDisk": {"category": "cloud_essd", "size": 100, "encrypted": True, "deleteWithInstance": True},
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "ramRoleName": "demo-node",
        "tags": {
            "steelyard:cluster": "demo",
            "steelyard:group": "workers",
            "steelyard:role": "worker",
        },
        "templateTags": {"steelyard:cluster": "demo"},
    }
    assert "userData" in template.secret_inputs
    assert "user_data" in template.secret_outputs or "userData" in template.secret_outputs
    assert template.deletes_before_replace


def test_the_group_spans_the_zones_and_leaves_the_wish_to_scaling() -> None:
    group = declared({"min": 1, "cooldown_s": 60}).the(":ScalingGroup")
    assert group.inputs == {
        "scalingGroupName": "demo-workers",
        "minSize": 1,
        "maxSize": 4,
        "desiredCapacity": 1,
        "defaultCooldown": 60,
        "vswitchIds": ["vsw-a", "vsw-b"],
        "multiAzPolicy": "BALANCE",
        "removalPolicies": ["NewestInstance"],
        "healthCheckType": "ECS",
        "launchTemplateId": "demo-workers-scaling-template-id",
        "launchTemplateVersion": "Latest",
        "tags": {"steelyard:cluster": "demo"},
    }
    assert group.ignored == {"desiredCapacity"}


def test_members_are_in_no_list_of_the_program() -> None:
    classic = declared()
    assert classic.the(":ScalingGroupVServerGroups").inputs == {
        "scalingGroupId": "demo-workers-scaling-group-id",
        "vserverGroups": [
            {
                "loadbalancerId": "lb-1",
                "vserverAttributes": [{"vserverGroupId": "rsp-1", "port": 8000, "weight": 70}],
            }
        ],
    }
    network = declared(balancer_kind="network", server_group_id="sgp-1")
    assert network.the(":ServerGroupAttachment").inputs == {
        "scalingGroupId": "demo-workers-scaling-group-id",
        "serverGroupId": "sgp-1",
        "type": "NLB",
        "port": 8000,
        "weight": 70,
        "forceAttach": True,
    }
    for recording in (classic, network):
        assert not recording.of_type("alb/serverGroup:ServerGroup")
        assert not recording.of_type("slb/backendServer:BackendServer")


def test_a_leaving_node_has_time_to_drain_and_the_right_to_say_that_it_has() -> None:
    recording = declared({"drain_timeout_s": 120})
    assert recording.the(":LifecycleHook").inputs == {
        "scalingGroupId": "demo-workers-scaling-group-id",
        "name": "drain",
        "lifecycleTransition": "SCALE_IN",
        "heartbeatTimeout": 120,
        "defaultResult": "CONTINUE",
    }
    (own,) = json.loads(recording.the("ram/policy:Policy").inputs["policyDocument"])["Statement"]
    assert own["Resource"] == [
        "acs:ess:cn-hangzhou:1234567890123456:scalinggroup/demo-workers-scaling-group-id"
    ]
    assert "ess:CompleteLifecycleAction" in own["Action"]
    assert recording.the(":RolePolicyAttachment").inputs["roleName"] == "demo-node"
    assert not declared(role_name=None).of_type("ram/policy:Policy")


def test_rules_by_target_steps_and_time() -> None:
    recording = declared(
        {
            "target_cpu_percent": 60,
            "steps": [{"cpu_above_percent": 90, "add": 3}, {"cpu_above_percent": 70, "add": 1}],
            "schedules": [{"at": "07:05", "nodes": 4}, {"at": "20:00", "nodes": 0}],
        }
    )
    steps, target = recording.of_type(":ScalingRule")
    assert target.inputs["targetValue"] == 60.0
    assert steps.inputs["stepAdjustments"] == [
        {"metricIntervalLowerBound": "0", "metricIntervalUpperBound": "20", "scalingAdjustment": 1},
        {"metricIntervalLowerBound": "20", "scalingAdjustment": 3},
    ]
    alarm = recording.the("ess/alarm:Alarm").inputs
    assert (alarm["metricName"], alarm["comparisonOperator"], alarm["threshold"]) == (
        "CpuUtilization",
        ">=",
        "70",
    )
    early, late = recording.of_type(":ScheduledTask")
    assert (early.inputs["recurrenceValue"], early.inputs["desiredCapacity"]) == ("5 7 * * *", 4)
    assert (late.inputs["recurrenceValue"], late.inputs["desiredCapacity"]) == ("0 20 * * *", 0)


def test_a_schedule_ends_within_a_year_and_moves_on_by_months() -> None:
    assert recurrence_end(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-12-01T00:00Z"
    assert recurrence_end(datetime(2026, 11, 24, tzinfo=UTC)) == "2027-10-01T00:00Z"
    assert recurrence_end(datetime(2028, 2, 29, tzinfo=UTC)) == "2029-01-01T00:00Z"


def test_an_overload_of_the_fixed_nodes_is_told() -> None:
    recording = declared({"alarm_mails": ["ops@example.com"]})
    assert recording.the(":AlarmContact").inputs["channelsMail"] == "ops@example.com"
    assert recording.the(":AlarmContactGroup").inputs["contacts"] == ["demo-workers-scaling-contact-0-id"]
    alarm = recording.the("cms/alarm:Alarm").inputs
    assert json.loads(alarm["metricDimensions"]) == [{"instanceId": "i-1"}, {"instanceId": "i-2"}]
    assert alarm["contactGroups"] == ["demo-workers-scaling-contacts-id"]
    assert not declared().of_type("cms/alarm:Alarm")


@pytest.mark.parametrize(
    ("scaling", "spot", "wanted"),
    [
        ({}, SpotSpec(enabled=True), ("SpotAsPriceGo", None, 0, 0)),
        ({"on_demand_base": 2, "on_demand_percent": 25}, SpotSpec(), ("SpotAsPriceGo", None, 2, 25)),
        ({"on_demand_base": 1}, SpotSpec(enabled=True, max_price=3.5), ("SpotWithPriceLimit", 3.5, 1, 0)),
    ],
)
def test_spot_instances_stand_on_a_base_that_is_none(scaling, spot, wanted) -> None:
    recording = declared(scaling, spot=spot)
    template, group = recording.the(":EcsLaunchTemplate").inputs, recording.the(":ScalingGroup").inputs
    assert (
        template["spotStrategy"],
        template.get("spotPriceLimit"),
        group["capacityOptionsOnDemandBaseCapacity"],
        group["capacityOptionsOnDemandPercentageAboveBaseCapacity"],
    ) == wanted
    assert (group["multiAzPolicy"], group["azBalance"]) == ("COMPOSABLE", True)
    assert group["spotInstanceRemedy"] is True


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"head_address": None}, "head"),
        ({"balancer_kind": "application"}, "application"),
        ({"has_rdma": True}, "RDMA"),
    ],
)
def test_what_cannot_be_scaled_is_refused(changes, text) -> None:
    with pytest.raises(UsageError, match=text):
        declared(**changes)
    with pytest.raises(UsageError, match="max"):
        declared({"max": 0})


def test_a_cluster_scales_the_groups_that_ask_for_it_and_no_other() -> None:
    spec = ClusterSpec(
        name="demo",
        node_groups=[
            {"name": "fixed"},
            {"name": "workers", "count": 1, "scaling": {"max": 3, "target_cpu_percent": 50}},
        ],
    )
    recording = record(lambda: declare(spec, "f" * 64))
    scaling = recording.the(":AutoScaling")
    assert scaling.name == "demo-workers-scaling"
    assert recording.parent_of(scaling).type == "steelyard:index:TrainingCluster"
    assert {recording.parent_of(one).name for one in recording.of_type("ess/scalingRule:ScalingRule")} == {
        "demo-workers-scaling"
    }
    group = recording.the(":ScalingGroup")
    attached = {recording.resources[urn].type for urn in group.dependencies}
    assert "alicloud:ecs/securityGroupRule:SecurityGroupRule" in attached
    assert not recording.warnings


def test_by_default_nothing_is_scaled(demo: Recording) -> None:
    assert not [one for one in demo.resources.values() if ":ess/" in one.type or ":cms/" in one.type]


def test_no_two_groups_nor_clusters_share_the_name_of_a_rule_or_a_task() -> None:
    scaling = {"target_cpu_percent": 60, "schedules": [{"at": "07:30", "nodes": 4}]}
    recording = declared(scaling)
    assert recording.the(":ScalingRule").inputs["scalingRuleName"] == "demo-workers-target"
    assert recording.the(":ScheduledTask").inputs["scheduledTaskName"] == "demo-workers-0730"
