"""The refresh of a scaling group's instances, through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_alicloud as alicloud
from traffic import wait_until

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.deploy.provider.api import ESS, Api

KIND = "alicloud:ess/instanceRefresh:InstanceRefresh"


def program(*, image: str, status: str | None = None, rests: bool = False) -> Callable[[], None]:
    """Return a program with a group of one member, and a refresh of it to an image."""

    def declare() -> None:
        zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:1]
        net = alicloud.vpc.Network("net", cidr_block="10.68.0.0/16")
        switch = alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block="10.68.0.0/24", zone_id=zones[0])
        firewall = alicloud.ecs.SecurityGroup("firewall", vpc_id=net.id)
        group = alicloud.ess.ScalingGroup(
            "group",
            min_size=0,
            max_size=2,
            desired_capacity=2,
            default_cooldown=0,
            vswitch_ids=[switch.id],
        )
        configuration = alicloud.ess.ScalingConfiguration(
            "configuration",
            scaling_group_id=group.id,
            image_id=_image("^ubuntu_24_04_x64"),
            instance_types=["ecs.gn7i-c8g1.2xlarge"],
            security_group_ids=[firewall.id],
            active=True,
            enable=True,
            force_delete=True,
            opts=pulumi.ResourceOptions(ignore_changes=["image_id"]),
        )
        alicloud.ess.InstanceRefresh(
            "refresh",
            scaling_group_id=group.id,
            desired_configuration_image_id=_image(image),
            checkpoints=[{"percentage": 50}, {"percentage": 100}] if rests else None,
            min_healthy_percentage=50,
            status=status,
            opts=pulumi.ResourceOptions(depends_on=[configuration]),
        )
        pulumi.export("group", group.id)

    return declare


def _image(pattern: str) -> str:
    found = alicloud.ecs.get_images(owners="system", name_regex=pattern, most_recent=True)
    return str(found.images[0].id)


def test_a_refresh_is_begun_seen_and_rolled_back(stack: Stack, provider: AlicloudProvider, api: Api) -> None:
    stack.up(program(image="^ubuntu_22_04_x64", rests=True), provider)
    (task,) = (one for one in stack.resources() if one.type == KIND)

    def status() -> str:
        seen = provider.read(KIND, task.id, Operation(urn=""))
        assert seen is not None
        return str(seen["status"])

    wait_until(status, lambda now: now == "CheckpointPause")
    back = program(image="^ubuntu_22_04_x64", rests=True, status="RollbackSuccessful")
    assert stack.up(back, provider).num_by_op["update"] == 1
    assert status() == "RollbackSuccessful"
    group_id = str(stack.outputs()["group"].value)
    answer = api.call(ESS, "DescribeScalingInstances", {"ScalingGroupId": group_id})
    assert len(answer["ScalingInstances"]["ScalingInstance"]) == 2
    stack.destroy(provider)
    assert not stack.resources()
