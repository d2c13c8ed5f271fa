"""Calls that come between what the reconciler's thread has read and what it does with that."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from scaling_cloud import START, TYPE, ScalingCloud, alarm

from steelyard.localcloud.services.ess.balancer_health import BalancerHealth


@pytest.fixture
def after_reading(cloud: ScalingCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Let somebody else's call come right after the next time that something is read, or once the lock is free.

    It gives what waits for the end of that call.
    """
    callers: list[threading.Thread] = []

    def arrange(source: Any, name: str, call: Callable[[], object]) -> Callable[[], None]:
        read, caller = getattr(source, name), threading.Thread(target=call)

        def read_and_call(*arguments: Any) -> Any:
            found = read(*arguments)
            if caller not in callers:
                callers.append(caller)
                caller.start()
                # Whoever reads with the lock goes on: the call has to wait for it.
                caller.join(0.5 if cloud.store.is_open else 30)
            return found

        monkeypatch.setattr(source, name, read_and_call)
        return lambda: caller.join(30)

    yield arrange
    assert callers
    for caller in callers:
        caller.join(30)
        assert not caller.is_alive()


def grow_by_one(cloud: ScalingCloud, group_id: str) -> tuple[str, str]:
    rule = {"AdjustmentType": "QuantityChangeInCapacity", "AdjustmentValue": 1}
    made = cloud.call("ess", "CreateScalingRule", {"ScalingGroupId": group_id, **rule})
    return made["ScalingRuleId"], made["ScalingRuleAri"]


class TestSchedule:
    @pytest.fixture
    def group_id(self, cloud):
        return cloud.make_group()

    @pytest.fixture
    def task_id(self, cloud, group_id):
        """One that is due."""
        task = {"ScheduledAction": grow_by_one(cloud, group_id)[1], "LaunchTime": self.moment(cloud, 120)}
        made = cloud.call("ess", "CreateScheduledTask", task)
        cloud.now += 121
        return made["ScheduledTaskId"]

    def moment(self, cloud, after_s):
        then = datetime.datetime.fromtimestamp(cloud.now + after_s, datetime.UTC)
        return then.strftime("%Y-%m-%dT%H:%MZ")

    def test_a_task_that_is_deleted_as_it_is_due_is_not_run_and_stays_deleted(
        self, cloud, group_id, task_id, after_reading
    ):
        named = {"ScheduledTaskId": task_id}
        after_reading(cloud.ess.tasks, "list", lambda: cloud.call("ess", "DeleteScheduledTask", named))
        cloud.look(3)
        assert cloud.ess.tasks.list() == []
        assert cloud.members(group_id) == []

    def test_a_task_that_is_put_off_as_it_is_due_runs_when_it_is_said_to(
        self, cloud, group_id, task_id, after_reading
    ):
        changed = {"ScheduledTaskId": task_id, "LaunchTime": self.moment(cloud, 3600)}
        after_reading(cloud.ess.tasks, "list", lambda: cloud.call("ess", "ModifyScheduledTask", changed))
        cloud.look(3)
        assert cloud.members(group_id) == []
        cloud.now += 3600
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1


class TestAlarm:
    @pytest.fixture
    def group_id(self, cloud):
        cloud.now = START + 600  # At the beginning of a minute.
        return cloud.make_group()

    @pytest.fixture
    def alarm_id(self, cloud, group_id):
        """One that fires."""
        made = alarm(cloud, group_id, grow_by_one(cloud, group_id)[1])
        item = {
            "GroupId": "0",
            "MetricName": "queue",
            "Dimensions": '{"cluster":"demo"}',
            "Type": "0",
            "Values": json.dumps({"value": 50}),
        }
        cloud.call("cms", "PutCustomMetric", {"MetricList": [item]})
        cloud.now += 62
        return made

    def test_an_alarm_that_is_changed_as_it_is_judged_is_judged_by_what_it_is_now(
        self, cloud, group_id, alarm_id, after_reading
    ):
        changed = {"AlarmTaskId": alarm_id, "Threshold": 100.0}
        after_reading(cloud.ess.alarms, "list", lambda: cloud.call("ess", "ModifyAlarm", changed))
        cloud.look(2)
        assert cloud.ess.alarms.get(alarm_id).state == "OK"
        assert cloud.members(group_id) == []

    def test_a_group_that_is_deleted_as_its_alarm_fires_breaks_nothing(
        self, cloud, group_id, alarm_id, after_reading
    ):
        named = {"ScalingGroupId": group_id, "ForceDelete": True}
        wait_for_it = after_reading(
            cloud.ess.rules, "get", lambda: cloud.call("ess", "DeleteScalingGroup", named)
        )
        cloud.look()
        wait_for_it()
        cloud.look(4)
        assert cloud.group(group_id) is None


def test_what_is_asked_for_as_a_change_fails_does_not_fail_with_it(cloud, monkeypatch):
    group_id = cloud.make_group(MinSize=1, configuration={"ImageId": "ubuntu_0.vhd"})
    reconciler = cloud.ess.reconciler
    put_off, asked = reconciler._put_off, []

    def ask_and_put_off(*arguments: object) -> None:
        if not asked:
            change = {"AdjustmentType": "TotalCapacity", "AdjustmentValue": 3}
            made = cloud.call("ess", "ScaleWithAdjustment", {"ScalingGroupId": group_id, **change})
            asked.append(made["ScalingActivityId"])
        put_off(*arguments)

    monkeypatch.setattr(reconciler, "_put_off", ask_and_put_off)
    cloud.look()
    assert cloud.ess.activities.get(asked[0]).status == "InProgress"
    cloud.look()
    assert [one.status for one in cloud.activities(group_id)] == ["InProgress", "Failed"]


def test_a_group_that_is_disabled_as_its_zones_are_found_uneven_stays_as_it_is(cloud, after_reading):
    cloud.ecs.stock.limit(TYPE, "cn-hangzhou-i", 0)
    group_id = cloud.make_group(DesiredCapacity=2, MultiAZPolicy="BALANCE")
    cloud.look(3)
    cloud.ecs.stock.limit(TYPE, "cn-hangzhou-i", None)
    cloud.modify(group_id, AutoRebalance=True, BalanceMode="BalancedOnly")
    named = {"ScalingGroupId": group_id}
    after_reading(cloud.ess.groups, "list", lambda: cloud.call("ess", "DisableScalingGroup", named))
    cloud.ess.rebalance_by_itself()
    assert [one.state for one in cloud.members(group_id)] == ["InService", "InService"]


def test_a_server_that_comes_as_the_load_balancer_is_asked_has_passed_no_check():
    class Balancer:
        """One whose only listener has a second server by the time that it has told of the first."""

        def __init__(self) -> None:
            self.servers = [("i-1", 8000)]

        def listeners_of(self, row: object) -> list[str]:
            return ["lsn-1"]

        def servers_of(self, row: object) -> list[tuple[str, int]]:
            return list(self.servers)

        def call(self, row: object, action: str, params: object) -> dict[str, Any]:
            self.servers.append(("i-2", 8000))
            info = {"ServerGroupId": "sgp-1", "NonNormalServers": []}
            return {"ListenerHealthStatus": [{"ServerGroupInfos": [info]}]}

    group = SimpleNamespace(server_groups=[{"Type": "NLB", "ServerGroupId": "sgp-1"}])
    assert BalancerHealth(Balancer()).verdicts(group) == {"i-1": True}
