"""Scaling groups, what moves them and alarms, through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_alicloud as alicloud
import pytest
from cloud_api import api_of
from scaling_parts import on_reports, told_and_held
from traffic import wait_until

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import ECS, ESS, NLB, Api
from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo

TYPE = "ecs.gn7i-c8g1.2xlarge"
# Once for all programs of a run, which may outlast a month.
NIGHTS_END = time.strftime("%Y-%m-01T00:00Z", time.gmtime(time.time() + 300 * 86400))


def network() -> tuple[list[alicloud.vpc.Switch], alicloud.vpc.Network, alicloud.ecs.SecurityGroup, str]:
    zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
    net = alicloud.vpc.Network("net", cidr_block="10.67.0.0/16")
    switches = [
        alicloud.vpc.Switch(f"switch-{i}", vpc_id=net.id, cidr_block=f"10.67.{i}.0/24", zone_id=zone)
        for i, zone in enumerate(zones)
    ]
    firewall = alicloud.ecs.SecurityGroup("firewall", vpc_id=net.id)
    image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True)
    return switches, net, firewall, image.images[0].id


def by_template(*, desired: int = 1, max_size: int = 3, weight: int = 30) -> Callable[[], None]:
    """Return a program with a group by a launch template, before an NLB and a CLB, and all that can move it."""

    def program() -> None:
        switches, net, firewall, image_id = network()
        template = alicloud.ecs.EcsLaunchTemplate(
            "template",
            launch_template_name="workers",
            image_id=image_id,
            instance_type=TYPE,
            security_group_ids=[firewall.id],
            http_tokens="required",
            user_data=base64.b64encode(b"#!/bin/bash\nexec sleep 1000\n").decode(),
        )
        servers = alicloud.nlb.ServerGroup(
            "servers",
            server_group_name="workers",
            vpc_id=net.id,
            health_check={"health_check_enabled": False},
        )
        balancer = alicloud.slb.ApplicationLoadBalancer(
            "balancer", vswitch_id=switches[0].id, address_type="intranet", instance_charge_type="PayByCLCU"
        )
        classic = alicloud.slb.ServerGroup("classic", load_balancer_id=balancer.id)
        group = alicloud.ess.ScalingGroup(
            "group",
            scaling_group_name="workers",
            min_size=0,
            max_size=max_size,
            desired_capacity=desired,
            default_cooldown=0,
            vswitch_ids=[switch.id for switch in switches],
            multi_az_policy="BALANCE",
            removal_policies=["NewestInstance"],
            launch_template_id=template.id,
            launch_template_version="Latest",
            tags={"team": "a"},
        )
        alicloud.ess.ServerGroupAttachment(
            "attachment",
            scaling_group_id=group.id,
            server_group_id=servers.id,
            type="NLB",
            port=8000,
            weight=weight,
            force_attach=True,
        )
        alicloud.ess.ScalingGroupVServerGroups(
            "classic-attachment",
            scaling_group_id=group.id,
            vserver_groups=[
                {
                    "loadbalancer_id": balancer.id,
                    "vserver_attributes": [{"vserver_group_id": classic.id, "port": 8000, "weight": weight}],
                }
            ],
        )
        triggers(group)
        on_reports(group, monitor_group=f"workers-{max_size}")
        told_and_held(group, ends=["SUCCESS", "ERROR"][: max_size - 2])
        pulumi.export("group", group.id)
        pulumi.export("servers", servers.id)

    return program


def triggers(group: alicloud.ess.ScalingGroup) -> None:
    alicloud.ess.LifecycleHook(
        "drain",
        scaling_group_id=group.id,
        name="drain",
        lifecycle_transition="SCALE_IN",
        heartbeat_timeout=30,
        default_result="CONTINUE",
    )
    rule = alicloud.ess.ScalingRule(
        "steps",
        scaling_group_id=group.id,
        scaling_rule_type="StepScalingRule",
        adjustment_type="QuantityChangeInCapacity",
        step_adjustments=[
            {"metric_interval_lower_bound": "0", "scaling_adjustment": 1},
        ],
    )
    alicloud.ess.ScalingRule(
        "target",
        scaling_group_id=group.id,
        scaling_rule_type="TargetTrackingScalingRule",
        metric_name="CpuUtilization",
        target_value=60.0,
    )
    alicloud.ess.Alarm(
        "busy",
        scaling_group_id=group.id,
        alarm_actions=[rule.ari],
        metric_type="system",
        metric_name="CpuUtilization",
        period=60,
        statistics="Average",
        comparison_operator=">=",
        threshold="70.5",
        evaluation_count=15,  # More minutes than a test takes, so that its state stays as it is.
    )
    alicloud.ess.ScheduledTask(
        "night",
        scaling_group_id=group.id,
        desired_capacity=0,
        recurrence_type="Cron",
        recurrence_value="0 22 * * *",
        recurrence_end_time=NIGHTS_END,
    )
    contact = alicloud.cms.AlarmContact(
        "contact", alarm_contact_name="on-call", describe="on call", channels_mail="a@example.com"
    )
    contacts = alicloud.cms.AlarmContactGroup(
        "contacts", alarm_contact_group_name="on-call", contacts=[contact.id]
    )
    alicloud.cms.Alarm(
        "hot",
        name="hot",
        project="acs_ecs_dashboard",
        metric="CPUUtilization",
        contact_groups=[contacts.id],
        metric_dimensions='[{"resource":"_ALL"}]',
        period=60,
        escalations_critical={
            "comparison_operator": ">",
            "statistics": "Average",
            "threshold": "90",
            "times": 15,
        },
    )


def members(api: Api, group_id: str) -> dict[str, str]:
    answer = api.call(ESS, "DescribeScalingInstances", {"ScalingGroupId": group_id, "PageSize": 50})
    rows = answer["ScalingInstances"]["ScalingInstance"]
    return {row["InstanceId"]: row["LifecycleState"] for row in rows}


def settled(api: Api, group_id: str, count: int) -> dict[str, str]:
    return wait_until(
        lambda: members(api, group_id),
        lambda found: len(found) == count and set(found.values()) <= {"InService"},
    )


def test_a_group_by_a_template_comes_up_changes_and_goes(
    stack: Stack, provider: AlicloudProvider, api: Api
) -> None:
    up = stack.up(by_template(desired=2), provider)
    assert set(up.num_by_op) == {"create"}
    group_id = str(stack.outputs()["group"].value)
    settled(api, group_id, 2)
    assert set(stack.up(by_template(desired=2), provider).num_by_op) == {"same"}
    assert set(stack.refresh(provider).num_by_op) == {"same"}

    changed = stack.up(by_template(desired=3, max_size=4, weight=40), provider)
    assert changed.num_by_op["update"] == 4
    assert changed.num_by_op["replace"] == 1
    found = settled(api, group_id, 3)
    resources = {resource.type: resource for resource in stack.resources()}
    listed = api.call(NLB, "ListServerGroupServers", {"ServerGroupId": stack.outputs()["servers"].value})
    assert {row["ServerId"]: row["Weight"] for row in listed["Servers"]} == dict.fromkeys(found, 40)
    queue, busy = (one.outputs for one in stack.resources() if one.type == "alicloud:ess/alarm:Alarm")
    if busy["metricType"] == "custom":
        queue, busy = busy, queue
    assert (busy["threshold"], busy["state"]) == ("70.5", "INSUFFICIENT_DATA")
    told = resources["alicloud:ess/notification:Notification"].outputs
    assert sorted(told["notificationTypes"]) == [
        "AUTOSCALING:SCALE_OUT_ERROR",
        "AUTOSCALING:SCALE_OUT_SUCCESS",
    ]
    metrics = resources["alicloud:cms/monitorGroup:MonitorGroup"]
    assert metrics.outputs["monitorGroupName"] == "workers-4"
    assert (queue["cloudMonitorGroupId"], queue["dimensions"]) == (int(metrics.id), {"cluster": "demo"})
    assert resources["alicloud:cms/alarm:Alarm"].outputs["escalationsCritical"]["comparisonOperator"] == ">"

    stack.destroy(provider)
    assert not stack.resources()
    for kind in (
        "alicloud:ess/scalingGroup:ScalingGroup",
        "alicloud:cms/alarm:Alarm",
        "alicloud:cms/monitorGroup:MonitorGroup",
        "alicloud:ess/notification:Notification",
        "alicloud:ess/suspendProcess:SuspendProcess",
    ):
        assert provider.read(kind, resources[kind].id, Operation(urn="")) is None


def by_configuration(*, name: str = "worker", is_enabled: bool = True) -> Callable[[], None]:
    """Return a program with a group by a scaling configuration."""

    def program() -> None:
        switches, _, firewall, image_id = network()
        group = alicloud.ess.ScalingGroup(
            "group", min_size=1, max_size=2, vswitch_ids=[switches[0].id], default_cooldown=0
        )
        alicloud.ess.ScalingConfiguration(
            "configuration",
            scaling_group_id=group.id,
            image_id=image_id,
            instance_types=[TYPE],
            security_group_ids=[firewall.id],
            instance_name=name,
            system_disk_category="cloud_essd",
            system_disk_size=60,
            user_data="#!/bin/bash\nexec sleep 1000\n",
            spot_strategy="SpotWithPriceLimit",
            spot_price_limits=[{"instance_type": TYPE, "price_limit": 9.5}],
            tags={"role": "worker"},
            active=True,
            enable=is_enabled,
            force_delete=True,
        )
        pulumi.export("group", group.id)

    return program


@pytest.mark.slow
def test_a_group_by_a_configuration_comes_up_changes_and_goes(
    stack: Stack, provider: AlicloudProvider, api: Api
) -> None:
    stack.up(by_configuration(), provider)
    group_id = str(stack.outputs()["group"].value)
    settled(api, group_id, 1)
    assert set(stack.up(by_configuration(), provider).num_by_op) == {"same"}
    changed = stack.up(by_configuration(name="other", is_enabled=False), provider)
    assert changed.num_by_op["update"] == 1
    outputs = {one.type: one.outputs for one in stack.resources()}
    configuration = outputs["alicloud:ess/scalingConfiguration:ScalingConfiguration"]
    assert (configuration["instanceName"], configuration["enable"]) == ("other", False)
    assert configuration["spotPriceLimits"] == [{"instanceType": TYPE, "priceLimit": 9.5}]
    stack.destroy(provider)
    assert not stack.resources()


def with_attached(*, count: int) -> Callable[[], None]:
    """Return a program with instances of its own in a group."""

    def program() -> None:
        switches, _, firewall, image_id = network()
        group = alicloud.ess.ScalingGroup("group", min_size=0, max_size=3, vswitch_ids=[switches[0].id])
        configuration = alicloud.ess.ScalingConfiguration(
            "configuration",
            scaling_group_id=group.id,
            image_id=image_id,
            instance_types=[TYPE],
            security_group_ids=[firewall.id],
            active=True,
            enable=True,
            force_delete=True,
        )
        instances = [
            alicloud.ecs.Instance(
                f"own-{i}",
                image_id=image_id,
                instance_type=TYPE,
                security_groups=[firewall.id],
                vswitch_id=switches[0].id,
            )
            for i in range(2)
        ]
        alicloud.ess.Attachment(
            "attachment",
            scaling_group_id=group.id,
            instance_ids=[instance.id for instance in instances[:count]],
            opts=pulumi.ResourceOptions(depends_on=[configuration]),
        )
        pulumi.export("group", group.id)
        pulumi.export("own", [instance.id for instance in instances])

    return program


@pytest.mark.slow
def test_instances_of_ones_own_are_attached_and_let_go(
    stack: Stack, provider: AlicloudProvider, api: Api
) -> None:
    stack.up(with_attached(count=2), provider)
    group_id = str(stack.outputs()["group"].value)
    first, second = stack.outputs()["own"].value
    assert members(api, group_id) == dict.fromkeys((first, second), "InService")
    assert set(stack.refresh(provider).num_by_op) == {"same"}
    assert stack.up(with_attached(count=1), provider).num_by_op["update"] == 1
    assert members(api, group_id) == {first: "InService"}
    # What was attached and not entrusted is let go, never released.
    assert provider.read("alicloud:ecs/instance:Instance", second, Operation(urn="")) is not None


@pytest.mark.slow  # A cloud of its own, started twice.
def test_a_killed_cloud_finds_its_members_again_and_keeps_the_number(tmp_path: Path) -> None:
    data_dir = tmp_path / "cloud"
    data_dir.mkdir()
    stack = Stack(tmp_path / "stack", project="steelyard", name="scaling")

    def connect(info: CloudInfo) -> tuple[AlicloudProvider, Api]:
        key = {
            "endpoint": info.endpoint,
            "access_key_id": info.access_key_id,
            "access_key_secret": info.access_key_secret,
            "region_id": info.region_id,
        }
        return AlicloudProvider(**key, timeout_s=60), api_of(info, timeout_s=30)

    info = daemon.start(data_dir)
    try:
        provider, api = connect(info)
        stack.up(by_template(desired=2), provider)
        group_id = str(stack.outputs()["group"].value)
        before = settled(api, group_id, 2)
        os.kill(info.pid, signal.SIGKILL)
        wait_until(lambda: daemon.status(data_dir) is None)
        provider, api = connect(daemon.start(data_dir))
        assert settled(api, group_id, 2) == before
        first = next(iter(before))
        api.call(
            ECS, "StopInstance", {"InstanceId": first, "ForceStop": True}, retry_on=("IncorrectInstance",)
        )
        found = wait_until(
            lambda: members(api, group_id),
            lambda now: first not in now and len(now) == 2 and set(now.values()) == {"InService"},
            deadline_s=90,
        )
        assert set(found) - set(before)
        stack.destroy(provider)
    finally:
        assert daemon.stop(data_dir).left == ()
        daemon.purge(data_dir)
