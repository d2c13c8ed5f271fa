from __future__ import annotations

from typing import Any

import pytest
from scaling_cloud import IMAGE, TYPE, ScalingCloud

from steelyard.localcloud.services.ess.refresher import MAX_FAILURES
from steelyard.localcloud.wire.error import ApiError

OTHER_IMAGE = "ubuntu_22_04_x64_20G_alibase_20260612.vhd"


def configure(cloud: ScalingCloud, group_id: str, name: str = "newer") -> str:
    params = {
        "ScalingGroupId": group_id,
        "ImageId": IMAGE,
        "InstanceType": TYPE,
        "SecurityGroupId": cloud.security_group_id,
        "InstanceName": name,
    }
    return str(cloud.call("ess", "CreateScalingConfiguration", params)["ScalingConfigurationId"])


def start(cloud: ScalingCloud, group_id: str, **settings: object) -> str:
    params = {"ScalingGroupId": group_id, **settings}
    return str(cloud.call("ess", "StartInstanceRefresh", params)["InstanceRefreshTaskId"])


def to(configuration_id: str) -> dict[str, object]:
    return {"DesiredConfiguration": {"ScalingConfigurationId": configuration_id}}


def call(cloud: ScalingCloud, action: str, group_id: str, refresh_id: str) -> None:
    cloud.call("ess", action, {"ScalingGroupId": group_id, "InstanceRefreshTaskId": refresh_id})


def refresh(cloud: ScalingCloud, refresh_id: str) -> Any:
    return cloud.ess.refreshes.get(refresh_id)


def look_until(cloud: ScalingCloud, refresh_id: str, status: str) -> list[int]:
    """Look until a refresh is in a state; gives how many members served at each look."""
    group_id = refresh(cloud, refresh_id).group_id
    serving = []
    for _ in range(60):
        serving.append(len(cloud.ids(group_id)))
        if refresh(cloud, refresh_id).status == status:
            return serving
        cloud.look()
    raise AssertionError(f"still {refresh(cloud, refresh_id)}")


def configurations(cloud: ScalingCloud, group_id: str) -> list[str]:
    return sorted({one.configuration_id for one in cloud.members(group_id, "InService")})


def standing(cloud: ScalingCloud, count: int, **settings: object) -> tuple[str, str]:
    """Make a group of members in service; gives its id and that of its configuration."""
    group_id = cloud.make_group(DesiredCapacity=count, **settings)
    cloud.look(3)
    assert len(cloud.ids(group_id)) == count
    return group_id, cloud.group(group_id).configuration_id


class TestRefresh:
    def test_all_members_are_replaced_and_enough_stay(self, cloud):
        group_id, _ = standing(cloud, 5)
        newer = configure(cloud, group_id)
        refresh_id = start(cloud, group_id, **to(newer), MinHealthyPercentage=60)
        serving = look_until(cloud, refresh_id, "Successful")
        assert configurations(cloud, group_id) == [newer]
        assert min(serving) == 3
        assert len(cloud.ids(group_id)) == 5
        assert cloud.group(group_id).configuration_id == newer
        done = refresh(cloud, refresh_id)
        assert (done.num_done, done.total) == (5, 5)

        def listed(**filters: object) -> int:
            named = {"ScalingGroupId": group_id, "PageSize": 50, **filters}
            return len(cloud.call("ess", "DescribeScalingActivities", named)["ScalingActivities"])

        assert 0 < listed(InstanceRefreshTaskId=refresh_id) < listed()
        assert listed(InstanceRefreshTaskId="ir-0") == 0
        assert listed(InstanceRefreshTaskId=refresh_id[:-1]) == 0

    def test_one_by_one_where_all_are_to_be_healthy_and_no_more(self, cloud):
        group_id, _ = standing(cloud, 3)
        newer = configure(cloud, group_id)
        full = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 100}
        serving = look_until(cloud, start(cloud, group_id, **to(newer), **full), "Successful")
        assert (min(serving), max(serving)) == (2, 3)

    def test_new_ones_come_first_where_all_are_to_stay_and_more_there_may_be(self, cloud):
        group_id, _ = standing(cloud, 4)
        newer = configure(cloud, group_id)
        full = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150}
        serving = look_until(cloud, start(cloud, group_id, **to(newer), **full), "Successful")
        assert min(serving) == 4
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 4
        assert configurations(cloud, group_id) == [newer]
        assert cloud.group(group_id).surge == 0

    def test_what_is_as_desired_is_skipped_unless_that_is_not_wanted(self, cloud):
        group_id, current = standing(cloud, 2)
        before = cloud.ids(group_id)
        with pytest.raises(ApiError, match="NoInstanceNeedBeRefreshed"):
            start(cloud, group_id)
        look_until(cloud, start(cloud, group_id, SkipMatching=False), "Successful")
        assert not set(before) & set(cloud.ids(group_id))
        assert configurations(cloud, group_id) == [current]

    def test_an_image_may_be_all_that_changes(self, cloud):
        group_id, current = standing(cloud, 2)
        refresh_id = start(cloud, group_id, DesiredConfiguration={"ImageId": OTHER_IMAGE})
        look_until(cloud, refresh_id, "Successful")
        images = {cloud.ecs.find_instance(one).image_id for one in cloud.ids(group_id)}
        assert images == {OTHER_IMAGE}
        assert cloud.ess.configurations.get(current).settings["ImageId"] == OTHER_IMAGE

    def test_the_number_stays_where_none_is_wanted(self, cloud):
        group_id, _ = standing(cloud, 3)
        cloud.modify(group_id, DisableDesiredCapacity=True)
        newer = configure(cloud, group_id)
        look_until(cloud, start(cloud, group_id, **to(newer)), "Successful")
        cloud.look(2)
        assert (len(cloud.ids(group_id)), configurations(cloud, group_id)) == (3, [newer])

    def test_a_member_that_comes_meanwhile_is_new(self, cloud):
        group_id, current = standing(cloud, 1)
        newer = configure(cloud, group_id)
        refresh_id = start(cloud, group_id, **to(newer))
        call(cloud, "SuspendInstanceRefresh", group_id, refresh_id)
        cloud.modify(group_id, DesiredCapacity=2)
        cloud.look(3)
        assert configurations(cloud, group_id) == sorted([current, newer])


class TestCourse:
    def test_it_rests_at_checkpoints(self, cloud):
        group_id, _ = standing(cloud, 4)
        checkpoints = [{"Percentage": 50}, {"Percentage": 100}]
        refresh_id = start(
            cloud,
            group_id,
            **to(configure(cloud, group_id)),
            Checkpoints=checkpoints,
            CheckpointPauseTime=2,
            MinHealthyPercentage=75,
        )
        look_until(cloud, refresh_id, "CheckpointPause")
        cloud.look(5)
        assert refresh(cloud, refresh_id).num_done == 2
        cloud.now += 121
        look_until(cloud, refresh_id, "Successful")

    def test_it_is_paused_and_goes_on(self, cloud):
        group_id, current = standing(cloud, 2)
        refresh_id = start(cloud, group_id, **to(configure(cloud, group_id)))
        call(cloud, "SuspendInstanceRefresh", group_id, refresh_id)
        cloud.look(5)
        assert configurations(cloud, group_id) == [current]
        call(cloud, "ResumeInstanceRefresh", group_id, refresh_id)
        look_until(cloud, refresh_id, "Successful")

    def test_a_paused_one_writes_nothing(self, cloud, monkeypatch):
        group_id, _ = standing(cloud, 2)
        refresh_id = start(cloud, group_id, **to(configure(cloud, group_id)))
        call(cloud, "SuspendInstanceRefresh", group_id, refresh_id)
        cloud.look()
        written: list[object] = []
        monkeypatch.setattr(cloud.store, "put", lambda *body: written.append(body))
        cloud.look(5)
        assert written == []

    def test_a_newcomer_that_is_wanted_no_more_is_waited_for(self, cloud):
        group_id, _ = standing(cloud, 2)
        newer = configure(cloud, group_id)
        refresh_id = start(cloud, group_id, **to(newer), MinHealthyPercentage=0)
        cloud.look()
        cloud.modify(group_id, DesiredCapacity=1)
        look_until(cloud, refresh_id, "Successful")
        cloud.look(3)
        assert (len(cloud.ids(group_id)), configurations(cloud, group_id)) == (1, [newer])

    def test_once_cancelled_the_others_stay_and_the_group_keeps_its_configuration(self, cloud):
        group_id, current = standing(cloud, 3)
        newer = configure(cloud, group_id)
        refresh_id = start(cloud, group_id, **to(newer))
        cloud.look(3)
        call(cloud, "CancelInstanceRefresh", group_id, refresh_id)
        look_until(cloud, refresh_id, "Cancelled")
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 3
        assert current in configurations(cloud, group_id)
        assert cloud.group(group_id).configuration_id == current

    def test_rolled_back_all_are_as_they_were(self, cloud):
        group_id, current = standing(cloud, 3)
        newer = configure(cloud, group_id)
        refresh_id = start(cloud, group_id, **to(newer))
        cloud.look(4)
        assert newer in configurations(cloud, group_id)
        call(cloud, "RollbackInstanceRefresh", group_id, refresh_id)
        look_until(cloud, refresh_id, "RollbackSuccessful")
        assert configurations(cloud, group_id) == [current]
        assert cloud.group(group_id).configuration_id == current

    def test_it_fails_where_no_instance_can_be_made(self, cloud):
        group_id, _ = standing(cloud, 2)
        newer = configure(cloud, group_id)
        for zone in ("h", "i"):
            cloud.ecs.stock.limit(TYPE, f"cn-hangzhou-{zone}", 0)
        refresh_id = start(cloud, group_id, **to(newer))
        for _ in range(3 * MAX_FAILURES):
            cloud.look(2)
            cloud.now += 60
        failed = refresh(cloud, refresh_id)
        assert (failed.status, len(cloud.ids(group_id))) == ("Failed", 1)
        assert "no instance could be made" in failed.detail

    def test_the_oldest_of_many_are_forgotten(self, cloud, monkeypatch):
        monkeypatch.setattr("steelyard.localcloud.services.ess.refresh_actions.MAX_KEPT", 3)
        group_id, _ = standing(cloud, 1)
        made = []
        for number in range(5):
            made.append(start(cloud, group_id, **to(configure(cloud, group_id, f"newer-{number}"))))
            call(cloud, "CancelInstanceRefresh", group_id, made[-1])
            look_until(cloud, made[-1], "Cancelled")
        assert [one.id for one in cloud.ess.refreshes.list()] == made[-3:]

    def test_it_outlives_its_group_no_longer(self, cloud):
        group_id, _ = standing(cloud, 1)
        refresh_id = start(cloud, group_id, **to(configure(cloud, group_id)))
        cloud.call("ess", "DeleteScalingGroup", {"ScalingGroupId": group_id, "ForceDelete": True})
        cloud.look(4)
        assert refresh(cloud, refresh_id) is None
