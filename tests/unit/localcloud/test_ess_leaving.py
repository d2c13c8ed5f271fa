"""Who leaves a scaling group, and how its instance ends."""

from __future__ import annotations

import pytest
from fake_host import FakeHost
from scaling_cloud import IMAGE, TYPE, ScalingCloud

from steelyard.localcloud.wire.error import ApiError


class CountingHost(FakeHost):
    """A host that keeps how long its machines may take to end."""

    def __init__(self) -> None:
        super().__init__()
        self.graces: dict[str, float] = {}

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        self.graces.setdefault(instance_id, grace_s)
        super().shut_down(instance_id, grace_s)


@pytest.fixture
def host():
    return CountingHost()


class TestStop:
    """An instance is stopped before it is released (help page of CreateScalingGroup, `StopInstanceTimeout`)."""

    @pytest.mark.parametrize(
        ("settings", "grace_s"),
        [
            ({}, 10),
            ({"StopInstanceTimeout": 60}, 60),
            ({"ScalingPolicy": "forceRelease"}, 0),
            ({"ScalingPolicy": "forcerelease"}, 0),
        ],
    )
    def test_it_has_the_time_that_its_group_gives(self, cloud, settings, grace_s):
        group_id = cloud.make_group(DesiredCapacity=1, **settings)
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        cloud.modify(group_id, DesiredCapacity=0)
        cloud.look(4)
        assert cloud.ecs.find_instance(leaver) is None
        assert cloud.host.graces[leaver] == grace_s
        assert cloud.activities(group_id)[-1].status == "Successful"

    def test_a_call_may_give_it_another_time(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, StopInstanceTimeout=60)
        cloud.look(2)
        params = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)}
        with pytest.raises(ApiError, match="StopInstanceTimeout"):
            cloud.call("ess", "RemoveInstances", {**params, "StopInstanceTimeout": 10})
        cloud.call("ess", "RemoveInstances", {**params, "StopInstanceTimeout": 90})
        cloud.look(4)
        assert cloud.host.graces[params["InstanceIds"][0]] == 90

    def test_it_is_told_as_being_removed_until_it_has_ended(self, cloud, monkeypatch):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        monkeypatch.setattr(cloud.ecs.life, "shut_down", lambda instance_id, grace_s: None)
        cloud.modify(group_id, DesiredCapacity=0)
        for _ in range(3):
            cloud.ess.reconciler.look()
        assert cloud.ids(group_id, "Removing") == [leaver]
        assert cloud.ecs.find_instance(leaver).status == "Stopping"
        assert cloud.activities(group_id)[-1].status == "InProgress"

    def test_the_members_of_a_group_that_is_deleted_go_at_once(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        cloud.call("ess", "DeleteScalingGroup", {"ScalingGroupId": group_id, "ForceDelete": True})
        cloud.look(3)
        assert cloud.host.graces[leaver] == 0

    def test_an_instance_that_is_paid_for_in_advance_runs_on(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        change = {"InstanceIds": f'["{leaver}"]', "InstanceChargeType": "PrePaid", "Period": 1}
        cloud.call("ecs", "ModifyInstanceChargeType", change)
        cloud.modify(group_id, DesiredCapacity=0)
        cloud.look(4)
        assert cloud.ids(group_id) == []
        assert cloud.activities(group_id)[-1].status == "Successful"
        assert cloud.ecs.find_instance(leaver).status == "Running"

    def test_an_instance_that_is_let_go_runs_on(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        cloud.call("ess", "DetachInstances", {"ScalingGroupId": group_id, "InstanceIds": [leaver]})
        cloud.look(3)
        assert cloud.ecs.find_instance(leaver).status == "Running"


class TestCost:
    def test_the_dearest_processors_go_first(self, cloud, monkeypatch):
        types = ["ecs.g7.xlarge", "ecs.gn7i-c8g1.2xlarge"]
        group_id = cloud.make_group(
            MultiAZPolicy="COST_OPTIMIZED",
            RemovalPolicies=["NewestInstance"],
            configuration={"InstanceType": "", "InstanceTypes": types},
        )
        for wanted, size in ((types[1], 1), (types[0], 3)):
            real = cloud.ecs.start_instances
            with monkeypatch.context() as patch:
                patch.setattr(
                    cloud.ecs,
                    "start_instances",
                    lambda settings, *, region_id, real=real, wanted=wanted: real(
                        {**settings, "InstanceType": wanted}, region_id=region_id
                    ),
                )
                cloud.modify(group_id, DesiredCapacity=size)
                cloud.look(2)
        dear, cheap, _ = cloud.members(group_id)
        assert (dear.instance_type, cheap.instance_type) == (types[1], types[0])
        cloud.modify(group_id, DesiredCapacity=2)
        cloud.look(3)
        assert {one.instance_type for one in cloud.members(group_id)} == {types[0]}


HOOKS = [
    {"LifecycleHookName": "in", "LifecycleTransition": "SCALE_OUT", "HeartbeatTimeout": 100},
    {"LifecycleHookName": "out", "LifecycleTransition": "SCALE_IN", "HeartbeatTimeout": 100},
]
ATTACHED = [{"ServerGroupId": "sgp-1", "Type": "NLB", "Port": 8000, "Weight": 30}]


class TestHooksOfCalls:
    """Which hooks a user's own calls ask (help pages of AttachInstances, DetachInstances and RemoveInstances)."""

    def stand_alone(self, cloud: ScalingCloud) -> str:
        settings = {
            "ImageId": IMAGE,
            "InstanceType": TYPE,
            "SecurityGroupId": cloud.security_group_id,
            "VSwitchId": cloud.vswitch_ids[0],
        }
        made = cloud.call("ecs", "RunInstances", settings)["InstanceIdSets"]["InstanceIdSet"]
        cloud.look()
        return str(made[0])

    @pytest.mark.parametrize(("asks", "state"), [(False, "InService"), (True, "Pending:Wait")])
    def test_who_is_attached_waits_if_the_call_says_so(self, cloud, asks, state):
        group_id = cloud.make_group(LifecycleHooks=HOOKS, ServerGroups=ATTACHED)
        params = {"ScalingGroupId": group_id, "InstanceIds": [self.stand_alone(cloud)]}
        cloud.call("ess", "AttachInstances", {**params, "LifecycleHook": asks, "LoadBalancerWeights": [80]})
        cloud.look(3)
        assert cloud.ids(group_id, state) == params["InstanceIds"]
        if not asks:
            assert cloud.balancer.servers == {params["InstanceIds"][0]: 80}

    @pytest.mark.parametrize(("asks", "waiting"), [(False, 0), (True, 1)])
    def test_who_is_detached_waits_if_the_call_says_so(self, cloud, asks, waiting):
        group_id = cloud.make_group(LifecycleHooks=HOOKS[1:], DesiredCapacity=1)
        cloud.look(3)
        params = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)}
        cloud.call("ess", "DetachInstances", {**params, "LifecycleHook": asks})
        cloud.look(3)
        assert len(cloud.ids(group_id, "Removing:Wait")) == waiting

    @pytest.mark.parametrize(
        ("context", "waiting"),
        [
            (None, 1),
            ({"DisableLifecycleHook": True}, 0),
            ({"IgnoredLifecycleHookIds": ["the hook"]}, 0),
            ({"IgnoredLifecycleHookIds": ["ash-0"]}, 1),
        ],
    )
    def test_a_call_may_pass_hooks_by(self, cloud, context, waiting):
        group_id = cloud.make_group(LifecycleHooks=HOOKS[1:], DesiredCapacity=1)
        cloud.look(3)
        (hook,) = cloud.ess.hooks_of(group_id)
        if context and context.get("IgnoredLifecycleHookIds") == ["the hook"]:
            context = {"IgnoredLifecycleHookIds": [hook.id]}
        params = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)}
        cloud.call("ess", "RemoveInstances", {**params, "LifecycleHookContext": context})
        cloud.look(4)
        assert len(cloud.ids(group_id, "Removing:Wait")) == waiting

    def test_who_is_set_aside_waits_for_nobody(self, cloud):
        group_id = cloud.make_group(LifecycleHooks=HOOKS[1:], DesiredCapacity=1)
        cloud.look(3)
        params = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)}
        cloud.call("ess", "EnterStandby", params)
        cloud.look(3)
        assert cloud.ids(group_id, "Standby") == params["InstanceIds"]


def test_who_is_set_aside_stays_in_the_load_balancer_without_weight(cloud):
    group_id = cloud.make_group(DesiredCapacity=1, ServerGroups=ATTACHED)
    cloud.look(3)
    params = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)}
    (member_id,) = params["InstanceIds"]
    assert cloud.balancer.servers == {member_id: 30}
    cloud.call("ess", "EnterStandby", params)
    cloud.look(3)
    assert (cloud.ids(group_id, "Standby"), cloud.balancer.servers) == ([member_id], {member_id: 0})
    cloud.call("ess", "ExitStandby", params)
    assert cloud.balancer.servers == {member_id: 30}
    cloud.call("ess", "EnterStandby", params)
    cloud.look(3)
    cloud.call("ess", "RemoveInstances", params)
    cloud.look(4)
    assert (cloud.members(group_id), cloud.balancer.servers) == ([], {})
