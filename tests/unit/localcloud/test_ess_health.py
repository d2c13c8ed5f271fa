from __future__ import annotations

import pytest
from scaling_cloud import ScalingCloud

from steelyard.localcloud.services.ess.health_watch import GRACE_S, LOOK_S, HealthWatch


class ImaginedBalancers:
    """Finds of servers what a test says."""

    def __init__(self) -> None:
        self.passing: dict[str, bool] = {}
        self.num_questions = 0

    def verdicts(self, group) -> dict[str, bool]:
        self.num_questions += 1
        return self.passing


class Stage:
    """A scaling group of one member, and the watch over it."""

    def __init__(self, cloud: ScalingCloud, **settings: object) -> None:
        self.cloud = cloud
        self.balancers = ImaginedBalancers()
        self.watch = HealthWatch(cloud.ess, self.balancers)
        self.group_id = cloud.make_group(
            DesiredCapacity=1, **{"HealthCheckType": "LOAD_BALANCER", **settings}
        )
        cloud.look(2)
        (self.first,) = cloud.ids(self.group_id)

    def find(self, passes: bool, *, after_s: float = LOOK_S) -> None:
        """Let the load balancers find the first member so, a while later."""
        self.cloud.now += after_s
        self.balancers.passing = {self.first: passes}
        self.watch.look()
        self.cloud.look(4)

    @property
    def is_kept(self) -> bool:
        return self.cloud.ids(self.group_id) == [self.first]


def test_who_has_passed_once_is_replaced_as_soon_as_it_fails(cloud):
    stage = Stage(cloud)
    stage.find(True)
    stage.find(False)
    assert len(cloud.ids(stage.group_id)) == 1
    assert not stage.is_kept
    assert "it fails the health check of a load balancer" in cloud.activities(stage.group_id)[-2].cause


def test_who_has_not_passed_yet_has_a_time_of_grace(cloud):
    stage = Stage(cloud)
    stage.find(False, after_s=GRACE_S - 1)
    assert stage.is_kept
    stage.find(False)
    assert not stage.is_kept


def test_who_no_check_has_judged_is_kept(cloud):
    stage = Stage(cloud)
    cloud.now += 10 * GRACE_S
    stage.watch.look()
    cloud.look(3)
    assert stage.is_kept


def test_a_newcomer_has_its_own_time_of_grace(cloud):
    stage = Stage(cloud)
    stage.find(True)
    stage.find(False)
    (stage.first,) = cloud.ids(stage.group_id)
    stage.find(False)
    assert stage.is_kept


@pytest.mark.parametrize("method", ["ECS", "NONE"])
def test_other_groups_ask_no_load_balancer(cloud, method):
    stage = Stage(cloud, HealthCheckType=method)
    stage.find(True)
    stage.find(False)
    assert stage.is_kept
    assert stage.balancers.num_questions == 0


def test_both_methods_may_be_asked_for(cloud):
    stage = Stage(cloud, HealthCheckType=None, HealthCheckTypes=["ECS", "LOAD_BALANCER"])
    cloud.host.die(stage.first)
    cloud.look(4)
    assert not stage.is_kept
    (stage.first,) = cloud.ids(stage.group_id)
    stage.find(True)
    stage.find(False)
    assert not stage.is_kept


def test_load_balancers_are_not_asked_all_the_time(cloud):
    stage = Stage(cloud)
    for _ in range(5):
        stage.watch.look()
    assert stage.balancers.num_questions == 1


def test_who_came_back_from_standby_has_a_time_of_grace_anew(cloud):
    stage = Stage(cloud)
    stage.find(True)
    named = {"ScalingGroupId": stage.group_id, "InstanceIds": [stage.first]}
    cloud.call("ess", "EnterStandby", named)
    cloud.look(3)
    cloud.call("ess", "ExitStandby", named)
    stage.find(False)
    assert stage.first in cloud.ids(stage.group_id)


def protect(cloud: ScalingCloud, group_id: str, instance_id: str, *, is_on: bool = True) -> None:
    params = {"ScalingGroupId": group_id, "InstanceIds": [instance_id], "ProtectedFromScaleIn": is_on}
    cloud.call("ess", "SetInstancesProtection", params)


@pytest.mark.parametrize("harm", ["stopped", "called unhealthy", "failing a check", "too old"])
def test_who_is_protected_is_kept_whatever_becomes_of_it(cloud, harm):
    stage = Stage(
        cloud, HealthCheckType="", HealthCheckTypes=["ECS", "LOAD_BALANCER"], MaxInstanceLifetime=86400
    )
    stage.find(True)
    protect(cloud, stage.group_id, stage.first)
    if harm == "stopped":
        cloud.host.die(stage.first)
    elif harm == "called unhealthy":
        cloud.call("ess", "SetInstanceHealth", {"InstanceId": stage.first, "HealthStatus": "Unhealthy"})
    elif harm == "failing a check":
        stage.find(False)
    else:
        cloud.now += 2 * 86400
    cloud.look(4)
    assert cloud.ids(stage.group_id, "Protected") == [stage.first]
    if harm == "failing a check":
        assert cloud.members(stage.group_id)[0].is_healthy
        return
    protect(cloud, stage.group_id, stage.first, is_on=False)
    cloud.look(4)
    assert cloud.ids(stage.group_id) not in ([], [stage.first])


def test_a_protected_instance_that_somebody_released_is_replaced(cloud):
    stage = Stage(cloud)
    protect(cloud, stage.group_id, stage.first)
    cloud.call("ecs", "DeleteInstance", {"InstanceId": stage.first, "Force": True})
    cloud.look(4)
    assert cloud.ids(stage.group_id) not in ([], [stage.first])


@pytest.mark.parametrize("settings", [{"DesiredCapacity": 3}, {"MinSize": 3}])
def test_who_has_stood_too_long_is_replaced_one_after_the_other(cloud, settings):
    group_id = cloud.make_group(MaxInstanceLifetime=86400, **settings)
    cloud.look(3)
    old = set(cloud.ids(group_id))
    cloud.now += 2 * 86400
    fewest = 3
    for _ in range(30):
        cloud.look()
        fewest = min(fewest, len(cloud.ids(group_id)))
    new = set(cloud.ids(group_id))
    assert (len(new), new & old, fewest) == (3, set(), 2)
    causes = [one.cause for one in cloud.activities(group_id)][1:]
    assert all("has stood for as long as it may" in cause for cause in causes)
    assert len(causes) == 3
