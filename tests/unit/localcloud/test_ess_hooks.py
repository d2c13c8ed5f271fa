"""Lifecycle hooks of scaling groups: who waits at one, who decides, and what becomes of it."""

from __future__ import annotations

import pytest
from scaling_cloud import ATTACHED, complete, hook, waiting

from steelyard.localcloud.wire.error import ApiError


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
