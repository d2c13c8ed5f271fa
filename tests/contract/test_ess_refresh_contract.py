"""Scaling groups whose members are changed to another configuration, through the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from contract_fleet import IMAGE, REGION, TYPE
from contract_scaling import Scaling
from contract_sdk import refused, wait_for


def start(
    scaling: Scaling, group_id: str, desired: dict[str, object] | None = None, **settings: object
) -> str:
    configuration = None
    if desired is not None:
        configuration = ess.StartInstanceRefreshRequestDesiredConfiguration(**desired)
    request = ess.StartInstanceRefreshRequest(
        region_id=REGION, scaling_group_id=group_id, desired_configuration=configuration, **settings
    )
    return scaling.client.start_instance_refresh(request).body.instance_refresh_task_id


def refreshes(scaling: Scaling, group_id: str, **filters: object):
    request = ess.DescribeInstanceRefreshesRequest(region_id=REGION, scaling_group_id=group_id, **filters)
    return scaling.client.describe_instance_refreshes(request).body.instance_refresh_tasks


def wait_status(scaling: Scaling, group_id: str, refresh_id: str, status: str):
    return wait_for(
        lambda: refreshes(scaling, group_id, instance_refresh_task_ids=[refresh_id])[0],
        lambda task: task.status == status,
    )


def wait_for_leavers(scaling: Scaling, group_id: str, count: int) -> None:
    """Wait until a group has no more members than so many; the last to leave may outlast the refresh."""
    wait_for(lambda: len(scaling.members(group_id)), lambda found: found == count)


def call(scaling: Scaling, verb: str, group_id: str, refresh_id: str) -> None:
    request = getattr(ess, f"{verb.capitalize()}InstanceRefreshRequest")(
        region_id=REGION, scaling_group_id=group_id, instance_refresh_task_id=refresh_id
    )
    getattr(scaling.client, f"{verb}_instance_refresh")(request)


def test_all_members_come_to_the_desired_configuration(scaling):
    group_id = scaling.make(desired_capacity=2)
    before = scaling.wait_members(group_id, 2)
    newer = scaling.configure(group_id, instance_name="newer")
    refresh_id = start(scaling, group_id, {"scaling_configuration_id": newer}, min_healthy_percentage=50)
    done = wait_status(scaling, group_id, refresh_id, "Successful")
    assert (done.total_need_update_capacity, done.finished_update_capacity) == (2, 2)
    assert (done.min_healthy_percentage, done.max_healthy_percentage, done.skip_matching) == (50, 120, True)
    assert done.desired_configuration.scaling_configuration_id == newer
    assert done.end_time
    wait_for_leavers(scaling, group_id, 2)
    members = scaling.members(group_id)
    assert {one.scaling_configuration_id for one in members} == {newer}
    assert not {one.instance_id for one in members} & set(before)
    assert scaling.group(group_id).active_scaling_configuration_id == newer
    with refused("InvalidInstance.NoInstanceNeedBeRefreshed"):
        start(scaling, group_id)


def test_members_come_to_a_new_version_of_their_launch_template(scaling, ecs_client):
    def version(name: str) -> dict[str, object]:
        return {"instance_name": name, "image_id": IMAGE, "instance_type": TYPE, "region_id": REGION}

    template_id = ecs_client.create_launch_template(
        ecs.CreateLaunchTemplateRequest(
            launch_template_name="refreshed", security_group_id=scaling.fleet.group_id, **version("one")
        )
    ).body.launch_template_id
    group_id = scaling.make(
        is_enabled=False, desired_capacity=1, launch_template_id=template_id, launch_template_version="Latest"
    )
    scaling.enable(group_id)
    try:
        scaling.wait_members(group_id, 1)
        assert [one.launch_template_version for one in scaling.members(group_id)] == ["1"]
        question = ess.DescribeElasticStrengthRequest(region_id=REGION, scaling_group_id=group_id)
        (pool,) = scaling.client.describe_elastic_strength(question).body.resource_pools
        assert (pool.instance_type, pool.elastic_strength) == (TYPE, "Strong")
        ecs_client.create_launch_template_version(
            ecs.CreateLaunchTemplateVersionRequest(
                launch_template_id=template_id, security_group_id=scaling.fleet.group_id, **version("two")
            )
        )
        refresh_id = start(scaling, group_id)
        wait_status(scaling, group_id, refresh_id, "Successful")
        wait_for_leavers(scaling, group_id, 1)
        (member,) = scaling.members(group_id)
        assert member.launch_template_version == "2"
        assert scaling.fleet.instance(member.instance_id).instance_name == "two"
        refresh_id = start(scaling, group_id, skip_matching=False)
        with refused("InstanceRefreshTask.RollbackNotSupported", text="Latest"):
            call(scaling, "rollback", group_id, refresh_id)
    finally:
        scaling.clear()
        ecs_client.delete_launch_template(
            ecs.DeleteLaunchTemplateRequest(region_id=REGION, launch_template_id=template_id)
        )


def test_it_rests_goes_on_and_is_rolled_back(scaling):
    group_id = scaling.make(desired_capacity=2)
    scaling.wait_members(group_id, 2)
    current = scaling.group(group_id).active_scaling_configuration_id
    newer = {"scaling_configuration_id": scaling.configure(group_id)}
    checkpoints = [ess.StartInstanceRefreshRequestCheckpoints(percentage=one) for one in (50, 100)]
    refresh_id = start(scaling, group_id, newer, checkpoints=checkpoints, checkpoint_pause_time=2880)
    resting = wait_status(scaling, group_id, refresh_id, "CheckpointPause")
    assert (resting.finished_update_capacity, resting.checkpoint_pause_time) == (1, 2880)
    assert [one.percentage for one in resting.checkpoints] == [50, 100]
    with refused("InstanceRefreshInProgress"):
        start(scaling, group_id, newer)
    call(scaling, "suspend", group_id, refresh_id)
    assert refreshes(scaling, group_id)[0].status == "Paused"
    with refused("IncorrectInstanceRefreshTaskStatus", text="Paused"):
        call(scaling, "suspend", group_id, refresh_id)
    call(scaling, "rollback", group_id, refresh_id)
    wait_status(scaling, group_id, refresh_id, "RollbackSuccessful")
    wait_for_leavers(scaling, group_id, 2)
    assert {one.scaling_configuration_id for one in scaling.members(group_id)} == {current}

    refresh_id = start(scaling, group_id, newer, checkpoints=checkpoints)
    wait_status(scaling, group_id, refresh_id, "CheckpointPause")
    call(scaling, "resume", group_id, refresh_id)
    wait_status(scaling, group_id, refresh_id, "Successful")
    assert len(refreshes(scaling, group_id)) == 2


def test_a_cancelled_one_leaves_the_others_as_they_are(scaling):
    group_id = scaling.make(desired_capacity=2)
    scaling.wait_members(group_id, 2)
    newer = scaling.configure(group_id)
    checkpoints = [ess.StartInstanceRefreshRequestCheckpoints(percentage=one) for one in (50, 100)]
    refresh_id = start(scaling, group_id, {"scaling_configuration_id": newer}, checkpoints=checkpoints)
    wait_status(scaling, group_id, refresh_id, "CheckpointPause")
    call(scaling, "cancel", group_id, refresh_id)
    wait_status(scaling, group_id, refresh_id, "Cancelled")
    wait_for_leavers(scaling, group_id, 2)
    assert sorted(one.scaling_configuration_id == newer for one in scaling.members(group_id)) == [False, True]
    assert scaling.group(group_id).active_scaling_configuration_id != newer


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"min_healthy_percentage": 101}, "MinHealthyPercentage"),
        ({"max_healthy_percentage": 99}, "MaxHealthyPercentage"),
        ({"checkpoint_pause_time": 0}, "CheckpointPauseTime"),
        ({"checkpoints": [ess.StartInstanceRefreshRequestCheckpoints(percentage=50)]}, "Checkpoints"),
        ({"desired": {"image_id": IMAGE, "launch_template_id": "lt-1"}}, "DesiredConfiguration"),
    ],
)
def test_malformed_calls_are_refused(scaling, settings, text):
    group_id = scaling.make(desired_capacity=1)
    scaling.wait_members(group_id, 1)
    with refused("InvalidParameter", text=text):
        start(scaling, group_id, **{"skip_matching": False, **settings})


def test_what_is_not_there_is_refused(scaling):
    group_id = scaling.make(desired_capacity=1)
    scaling.wait_members(group_id, 1)
    with refused("InvalidScalingConfigurationId.NotFound", 404):
        start(scaling, group_id, {"scaling_configuration_id": "asc-0"})
    with refused("InvalidInstanceRefreshTaskId.NotFound", 404):
        call(scaling, "cancel", group_id, "ir-0")
    with refused("InvalidScalingGroupId.NotFound", 404):
        start(scaling, "asg-0")
    disabled_id = scaling.make(is_enabled=False)
    with refused("IncorrectScalingGroupStatus"):
        start(scaling, disabled_id)
    assert refreshes(scaling, group_id) == []
