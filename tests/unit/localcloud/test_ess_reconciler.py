"""How scaling groups keep their capacity: members that are made, chosen to go, found dead, and taken up again."""

from __future__ import annotations

from collections import Counter

import pytest
from scaling_cloud import ATTACHED, ScalingCloud, complete, hook, waiting


class TestCapacity:
    def test_a_group_makes_what_is_wanted_and_ends_its_activity(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=3)
        cloud.look(2)
        assert len(cloud.ids(group_id)) == 3
        cloud.look()
        (activity,) = cloud.activities(group_id)
        assert activity.status == "Successful"
        assert sorted(activity.created) == sorted(cloud.ids(group_id))

    @pytest.mark.parametrize("num_members", [0, 2])
    def test_a_group_that_has_gone_leaves_ended_activities_and_nothing_in_memory(self, cloud, num_members):
        group_id = cloud.make_group(DesiredCapacity=num_members)
        cloud.look(2)
        change = {"ScalingGroupId": group_id, "ServerGroups": ATTACHED, "ForceAttach": True}
        cloud.call("ess", "AttachServerGroups", change)
        cloud.call("ess", "DeleteScalingGroup", {"ScalingGroupId": group_id, "ForceDelete": True})
        cloud.look(4)
        assert cloud.group(group_id) is None
        assert {one.status for one in cloud.activities(group_id)} == {"Successful"}
        assert not cloud.ess.busy_groups

    def test_a_disabled_group_stays_as_it_is(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        cloud.call("ess", "DisableScalingGroup", {"ScalingGroupId": group_id})
        cloud.modify(group_id, DesiredCapacity=3)
        cloud.look(3)
        assert len(cloud.members(group_id)) == 1

    def test_without_a_wish_the_bounds_alone_are_kept(self, cloud):
        group_id = cloud.make_group(MinSize=1)
        cloud.look(2)
        assert len(cloud.ids(group_id)) == 1
        cloud.modify(group_id, MinSize=2)
        cloud.look(2)
        assert len(cloud.ids(group_id)) == 2
        cloud.modify(group_id, MinSize=0)
        cloud.look(2)
        assert len(cloud.ids(group_id)) == 2
        cloud.modify(group_id, MaxSize=1)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1

    def test_a_group_that_meets_a_bug_holds_up_no_other_one(self, cloud, monkeypatch):
        broken, whole = (
            cloud.make_group(DesiredCapacity=1, ScalingGroupName=name) for name in ("one", "two")
        )
        real = cloud.ess.launcher.launch

        def launch(group, *arguments):
            if group.id == broken:
                raise KeyError("a bug")
            return real(group, *arguments)

        monkeypatch.setattr(cloud.ess.launcher, "launch", launch)
        for _ in range(2):
            with pytest.raises(ExceptionGroup):
                cloud.look()
        assert (len(cloud.ids(whole)), cloud.members(broken)) == (1, [])

    def test_what_cannot_be_made_is_tried_again_later_each_time(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, configuration={"ImageId": "ubuntu_0.vhd"})
        cloud.look()
        (failed,) = cloud.activities(group_id)
        assert failed.status == "Failed"
        assert failed.error_code.startswith("InvalidImageId")
        cloud.look(3)
        assert len(cloud.activities(group_id)) == 1
        cloud.now += 1
        cloud.look(2)
        assert len(cloud.activities(group_id)) == 2
        cloud.now += 1
        cloud.look()
        assert len(cloud.activities(group_id)) == 2
        cloud.now += 1
        cloud.look()
        assert len(cloud.activities(group_id)) == 3

    def test_a_member_that_cannot_boot_is_replaced_once_it_can(self, cloud, host):
        host.fails_to_boot = True
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(3)
        assert cloud.members(group_id) == []
        assert cloud.activities(group_id)[0].error_code == "InstanceNotRunning"
        assert cloud.activities(group_id)[0].status == "Failed"
        host.fails_to_boot = False
        cloud.now += 60
        cloud.look(2)
        assert len(cloud.ids(group_id)) == 1


class TestZones:
    def test_balanced_zones_get_their_members_by_turns_and_lose_them_so(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=4, MultiAZPolicy="BALANCE")
        cloud.look(2)
        assert Counter(one.zone_id for one in cloud.members(group_id)) == {
            "cn-hangzhou-h": 2,
            "cn-hangzhou-i": 2,
        }
        cloud.modify(group_id, DesiredCapacity=2)
        cloud.look(3)
        assert {one.zone_id for one in cloud.members(group_id)} == {"cn-hangzhou-h", "cn-hangzhou-i"}

    def test_protected_members_count_when_balanced_zones_lose_some(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=6, MultiAZPolicy="BALANCE")
        cloud.look(2)
        here = [one.id for one in cloud.members(group_id) if one.zone_id == "cn-hangzhou-h"]
        named = {"ScalingGroupId": group_id, "InstanceIds": here[:2], "ProtectedFromScaleIn": True}
        cloud.call("ess", "SetInstancesProtection", named)
        cloud.modify(group_id, DesiredCapacity=4)
        cloud.look(3)
        assert Counter(one.zone_id for one in cloud.members(group_id)) == {
            "cn-hangzhou-h": 2,
            "cn-hangzhou-i": 2,
        }

    def test_by_priority_the_first_zone_gets_them_all(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=3)
        cloud.look(2)
        assert {one.zone_id for one in cloud.members(group_id)} == {"cn-hangzhou-h"}


class TestRemovalPolicy:
    @pytest.mark.parametrize(("policy", "kept"), [("OldestInstance", [1, 2]), ("NewestInstance", [0, 1])])
    def test_it_chooses_who_goes(self, cloud, policy, kept):
        group_id = cloud.make_group(DesiredCapacity=0, RemovalPolicies=[policy])
        for size in (1, 2, 3):
            cloud.now += 60
            cloud.modify(group_id, DesiredCapacity=size)
            cloud.look(2)
        before = cloud.ids(group_id)
        cloud.modify(group_id, DesiredCapacity=2)
        cloud.look(3)
        assert cloud.ids(group_id) == [before[i] for i in kept]

    def test_a_protected_member_stays(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=2)
        cloud.look(2)
        first, second = cloud.ids(group_id)
        cloud.call(
            "ess",
            "SetInstancesProtection",
            {"ScalingGroupId": group_id, "InstanceIds": [first], "ProtectedFromScaleIn": True},
        )
        cloud.modify(group_id, DesiredCapacity=0)
        cloud.look(3)
        assert [member.id for member in cloud.members(group_id)] == [first]
        assert cloud.ecs.find_instance(second) is None


class TestHealth:
    def test_a_dead_member_is_replaced_and_leaves_the_load_balancer(self, cloud, host):
        group_id = cloud.make_group(DesiredCapacity=2, ServerGroups=ATTACHED)
        cloud.look(2)
        dead, other = cloud.ids(group_id)
        assert cloud.balancer.servers == {dead: 30, other: 30}
        host.die(dead)
        cloud.look(4)
        alive = cloud.ids(group_id)
        assert dead not in alive
        assert len(alive) == 2
        assert cloud.balancer.servers == dict.fromkeys(alive, 30)

    def test_a_member_that_was_called_unhealthy_is_replaced(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (before,) = cloud.ids(group_id)
        cloud.call("ess", "SetInstanceHealth", {"InstanceId": before, "HealthStatus": "Unhealthy"})
        cloud.look(4)
        assert cloud.ids(group_id) not in ([], [before])

    def test_without_health_checks_a_stopped_member_stays(self, cloud, host):
        group_id = cloud.make_group(DesiredCapacity=1, HealthCheckType="NONE")
        cloud.look(2)
        (only,) = cloud.ids(group_id)
        host.die(only)
        cloud.look(3)
        assert cloud.ids(group_id) == [only]


class TestRestart:
    def test_what_was_under_way_goes_on(self, cloud, tmp_path, host):
        group_id = cloud.make_group(
            DesiredCapacity=2, ServerGroups=ATTACHED, LifecycleHooks=[hook("SCALE_OUT")]
        )
        cloud.look(2)
        first, second = waiting(cloud, group_id)
        complete(cloud, first)
        cloud.close()
        again = ScalingCloud(tmp_path, host)
        again.now = cloud.now
        try:
            again.ecs.start()
            again.look(2)
            assert again.ids(group_id) == [first.instance_id]
            assert again.ids(group_id, "Pending:Wait") == [second.instance_id]
            assert again.balancer.servers == {first.instance_id: 30}
            complete(again, second)
            again.look(2)
            assert len(again.ids(group_id)) == 2
        finally:
            again.close()


class TestConfiguration:
    def test_members_have_its_interfaces_and_its_description(self, cloud):
        interfaces = [
            {"InstanceType": "Primary", "SecurityGroupIds": [cloud.security_group_id]},
            {"SecurityGroupIds": [cloud.security_group_id]},
        ]
        group_id = cloud.make_group(
            DesiredCapacity=1,
            configuration={
                "SecurityGroupId": "",
                "InstanceDescription": "a worker",
                "NetworkInterfaces": interfaces,
            },
        )
        cloud.look(2)
        (member,) = cloud.ids(group_id)
        instance = cloud.ecs.find_instance(member)
        assert instance.description == "a worker"
        assert tuple(instance.security_group_ids) == (cloud.security_group_id,)
        (second,) = cloud.ecs.interfaces_of(member)
        assert second.vswitch_id == instance.vswitch_id
