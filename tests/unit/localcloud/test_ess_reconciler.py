from __future__ import annotations

from collections import Counter

import pytest
from fake_host import FakeHost
from scaling_cloud import ScalingCloud

from steelyard.localcloud.services.ecs import state as ecs_state
from steelyard.localcloud.wire.error import ApiError


@pytest.fixture
def host():
    return FakeHost()


@pytest.fixture
def cloud(tmp_path, host, monkeypatch):
    monkeypatch.setattr(ecs_state, "make_host", lambda data_dir: host)
    cloud = ScalingCloud(tmp_path, host)
    cloud.make_network()
    yield cloud
    cloud.close()


ATTACHED = [{"ServerGroupId": "sgp-1", "Type": "NLB", "Port": 8000, "Weight": 30}]


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


def hook(transition: str, **changes: object) -> dict[str, object]:
    return {
        "LifecycleHookName": "drain",
        "LifecycleTransition": transition,
        "HeartbeatTimeout": 100,
        **changes,
    }


def waiting(cloud: ScalingCloud, group_id: str):
    found = [one for one in cloud.ess.lifecycle_actions.list() if one.status == "Pending"]
    return [one for one in found if one.group_id == group_id]


def complete(cloud: ScalingCloud, one, result: str = "CONTINUE") -> None:
    params = {"LifecycleHookId": one.hook_id, "LifecycleActionToken": one.id}
    cloud.call("ess", "CompleteLifecycleAction", {**params, "LifecycleActionResult": result})


class TestHook:
    def test_a_newcomer_waits_until_it_is_let_in(self, cloud):
        group_id = cloud.make_group(
            DesiredCapacity=1, ServerGroups=ATTACHED, LifecycleHooks=[hook("SCALE_OUT")]
        )
        cloud.look(3)
        (newcomer,) = cloud.ids(group_id, "Pending:Wait")
        assert cloud.balancer.servers == {}
        complete(cloud, waiting(cloud, group_id)[0])
        cloud.look()
        assert cloud.ids(group_id) == [newcomer]
        assert cloud.balancer.servers == {newcomer: 30}

    def test_one_that_leaves_gets_no_traffic_and_stands_until_it_has_drained(self, cloud):
        group_id = cloud.make_group(
            DesiredCapacity=1, ServerGroups=ATTACHED, LifecycleHooks=[hook("SCALE_IN")]
        )
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        cloud.modify(group_id, DesiredCapacity=0)
        cloud.look(3)
        assert cloud.ids(group_id, "Removing:Wait") == [leaver]
        assert cloud.balancer.servers == {}
        assert cloud.ecs.find_instance(leaver).status == "Running"
        complete(cloud, waiting(cloud, group_id)[0])
        cloud.look(2)
        assert cloud.ecs.find_instance(leaver) is None
        assert cloud.activities(group_id)[-1].status == "Successful"

    def test_time_decides_where_nobody_answers(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, LifecycleHooks=[hook("SCALE_OUT")])
        cloud.look(2)
        cloud.now += 99
        cloud.look()
        assert len(cloud.ids(group_id, "Pending:Wait")) == 1
        cloud.now += 2
        cloud.look()
        assert len(cloud.ids(group_id)) == 1

    def test_a_heartbeat_gives_more_time(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, LifecycleHooks=[hook("SCALE_OUT")])
        cloud.look(2)
        (one,) = waiting(cloud, group_id)
        cloud.now += 90
        params = {"lifecycleHookId": one.hook_id, "lifecycleActionToken": one.id, "heartbeatTimeout": 200}
        cloud.call("ess", "RecordLifecycleActionHeartbeat", params)
        cloud.now += 190
        cloud.look()
        assert cloud.ids(group_id) == []
        cloud.now += 20
        cloud.look()
        assert len(cloud.ids(group_id)) == 1

    def test_an_abandoned_newcomer_is_released_and_another_comes(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, LifecycleHooks=[hook("SCALE_OUT")])
        cloud.look(2)
        (first,) = cloud.ids(group_id, "Pending:Wait")
        complete(cloud, waiting(cloud, group_id)[0], "ABANDON")
        cloud.look(3)
        assert cloud.ecs.find_instance(first) is None
        cloud.now += 60
        cloud.look(2)
        assert cloud.ids(group_id, "Pending:Wait") not in ([], [first])

    def test_rolled_back_a_leaver_is_in_service_again(self, cloud):
        group_id = cloud.make_group(
            DesiredCapacity=1, ServerGroups=ATTACHED, LifecycleHooks=[hook("SCALE_IN")]
        )
        cloud.look(2)
        cloud.modify(group_id, DesiredCapacity=0)
        cloud.look(2)
        (one,) = waiting(cloud, group_id)
        cloud.modify(group_id, DesiredCapacity=1)
        complete(cloud, one, "ROLLBACK")
        cloud.look()
        assert one.instance_id in cloud.ids(group_id)
        assert one.instance_id in cloud.balancer.servers

    @pytest.mark.parametrize("is_removed", [True, False])
    def test_once_rolled_back_it_is_not_asked_to_leave_again(self, cloud, is_removed):
        group_id = cloud.make_group(DesiredCapacity=2, LifecycleHooks=[hook("SCALE_IN")])
        cloud.look(2)
        before = cloud.ids(group_id)
        if is_removed:
            cloud.call("ess", "RemoveInstances", {"ScalingGroupId": group_id, "InstanceIds": before[:1]})
        else:
            cloud.modify(group_id, DesiredCapacity=1)
        cloud.look(2)
        (one,) = waiting(cloud, group_id)
        complete(cloud, one, "ROLLBACK")
        cloud.look(4)
        assert cloud.ids(group_id) == before
        assert cloud.group(group_id).desired == 2
        assert cloud.activities(group_id)[-1].status == "Failed"
        assert waiting(cloud, group_id) == []

    def test_a_dead_leaver_is_not_waited_for(self, cloud, host):
        group_id = cloud.make_group(DesiredCapacity=1, LifecycleHooks=[hook("SCALE_IN")])
        cloud.look(2)
        (leaver,) = cloud.ids(group_id)
        host.die(leaver)
        cloud.look(3)
        assert cloud.ecs.find_instance(leaver) is None

    def test_a_token_is_good_once(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, LifecycleHooks=[hook("SCALE_OUT")])
        cloud.look(2)
        (one,) = waiting(cloud, group_id)
        complete(cloud, one)
        with pytest.raises(ApiError, match="token"):
            complete(cloud, one)


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


class TestSpot:
    def test_members_above_the_base_are_spot_instances(self, cloud):
        group_id = cloud.make_group(
            DesiredCapacity=5,
            MultiAZPolicy="COST_OPTIMIZED",
            OnDemandBaseCapacity=1,
            OnDemandPercentageAboveBaseCapacity=25,
            configuration={"SpotStrategy": "SpotAsPriceGo"},
        )
        cloud.look(2)
        assert Counter(one.is_spot for one in cloud.members(group_id)) == {True: 3, False: 2}

    def test_a_price_limit_goes_with_its_type(self, cloud):
        group_id = cloud.make_group(
            DesiredCapacity=1,
            configuration={
                "SpotStrategy": "SpotWithPriceLimit",
                "SpotPriceLimits": [{"InstanceType": "ecs.gn7i-c8g1.2xlarge", "PriceLimit": 3.5}],
            },
        )
        cloud.look(2)
        instance = cloud.ecs.find_instance(cloud.ids(group_id)[0])
        assert (instance.spot_strategy, instance.spot_price_limit) == ("SpotWithPriceLimit", 3.5)

    def test_without_any_to_be_had_the_policy_says_whether_others_stand_in(self, cloud, monkeypatch):
        real = cloud.ecs.start_instances

        def short(settings, *, region_id):
            if settings["SpotStrategy"] != "NoSpot":
                raise ApiError("OperationDenied.NoStock", "The requested resource is sold out.", 403)
            return real(settings, region_id=region_id)

        monkeypatch.setattr(cloud.ecs, "start_instances", short)
        made = {
            policy: cloud.make_group(
                DesiredCapacity=1,
                MultiAZPolicy=policy,
                OnDemandPercentageAboveBaseCapacity=0,
                configuration={"SpotStrategy": "SpotAsPriceGo"},
            )
            for policy in ("PRIORITY", "BALANCE", "COST_OPTIMIZED", "COMPOSABLE")
        }
        cloud.look(2)
        numbers = {policy: len(cloud.ids(group_id)) for policy, group_id in made.items()}
        assert numbers == {"PRIORITY": 0, "BALANCE": 0, "COST_OPTIMIZED": 1, "COMPOSABLE": 1}

    def test_they_are_spread_over_as_many_of_the_cheapest_types_as_are_asked_for(self, cloud):
        types = ["ecs.gn7i-c16g1.4xlarge", "ecs.g7.xlarge", "ecs.gn7i-c8g1.2xlarge"]
        group_id = cloud.make_group(
            DesiredCapacity=5,
            MultiAZPolicy="COST_OPTIMIZED",
            SpotInstancePools=2,
            configuration={
                "SpotStrategy": "SpotAsPriceGo",
                "InstanceType": "",
                "InstanceTypes": types,
            },
        )
        cloud.look(2)
        numbers = Counter(one.instance_type for one in cloud.members(group_id))
        assert sorted(numbers.values()) == [2, 3]
        assert numbers["ecs.g7.xlarge"] == 3


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


class TestPrice:
    TYPES = ("ecs.gn7i-c16g1.4xlarge", "ecs.gn7i-c8g1.2xlarge", "ecs.g7.xlarge")

    @pytest.mark.parametrize(
        ("policy", "strategy", "wanted"),
        [
            ("PRIORITY", "priority", "ecs.gn7i-c16g1.4xlarge"),
            ("COMPOSABLE", "priority", "ecs.gn7i-c16g1.4xlarge"),
            ("COMPOSABLE", "lowestPrice", "ecs.g7.xlarge"),
            ("COST_OPTIMIZED", "priority", "ecs.g7.xlarge"),
        ],
    )
    def test_the_policy_says_which_type_is_tried_first(self, cloud, policy, strategy, wanted):
        group_id = cloud.make_group(
            DesiredCapacity=1,
            MultiAZPolicy=policy,
            AllocationStrategy=strategy,
            configuration={"InstanceType": "", "InstanceTypes": list(self.TYPES)},
        )
        cloud.look(2)
        (member,) = cloud.members(group_id)
        assert member.instance_type == wanted

    @pytest.mark.parametrize(
        ("mode", "wanted"),
        [("PricePerVCpu", "ecs.gn7i-c16g1.4xlarge"), ("PricePerUnit", "ecs.gn7i-c8g1.2xlarge")],
    )
    def test_a_price_is_that_of_a_processor_or_of_an_instance(self, cloud, mode, wanted):
        # The larger type has the same GPU, and twice as many processors to share its price.
        group_id = cloud.make_group(
            DesiredCapacity=1,
            MultiAZPolicy="COST_OPTIMIZED",
            CapacityOptions={"PriceComparisonMode": mode},
            configuration={"InstanceType": "", "InstanceTypes": list(self.TYPES[:2])},
        )
        cloud.look(2)
        assert [member.instance_type for member in cloud.members(group_id)] == [wanted]

    def test_without_stock_the_next_type_is_taken(self, cloud, monkeypatch):
        real = cloud.ecs.start_instances

        def short(settings, *, region_id):
            if settings["InstanceType"] == self.TYPES[0]:
                raise ApiError("OperationDenied.NoStock", "The requested resource is sold out.", 403)
            return real(settings, region_id=region_id)

        monkeypatch.setattr(cloud.ecs, "start_instances", short)
        group_id = cloud.make_group(
            DesiredCapacity=1, configuration={"InstanceType": "", "InstanceTypes": list(self.TYPES)}
        )
        cloud.look(2)
        assert [member.instance_type for member in cloud.members(group_id)] == [self.TYPES[1]]
