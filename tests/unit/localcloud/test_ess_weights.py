"""What becomes of a scaling group whose instance types count for more than one, look by look."""

from __future__ import annotations

from collections import Counter

import pytest
from scaling_cloud import TYPE, ScalingCloud

LARGE = "ecs.gn7i-c16g1.4xlarge"


def weighing(**weights: int) -> dict[str, object]:
    """Give what a scaling configuration says of instance types, by the names of their sizes."""
    types = {"small": TYPE, "large": LARGE}
    rows = [{"InstanceType": types[name], "WeightedCapacity": weight} for name, weight in weights.items()]
    return {"InstanceType": "", "InstanceTypeOverrides": rows}


def weights(cloud: ScalingCloud, group_id: str) -> Counter[int]:
    return Counter(one.capacity for one in cloud.members(group_id))


def reconfigure(cloud: ScalingCloud, group_id: str, **said: int) -> None:
    """Let a group make instances of other weights from now on; those that are there keep theirs."""
    made = cloud.call(
        "ess",
        "CreateScalingConfiguration",
        {
            "ScalingGroupId": group_id,
            "ImageId": "ubuntu_24_04_x64_20G_alibase_20260615.vhd",
            "SecurityGroupId": cloud.security_group_id,
            **weighing(**said),
        },
    )
    cloud.modify(group_id, ActiveScalingConfigurationId=made["ScalingConfigurationId"])


def test_none_leaves_that_the_capacity_needs(cloud):
    group_id = cloud.make_group(DesiredCapacity=8, configuration=weighing(small=4))
    cloud.look(2)
    assert weights(cloud, group_id) == {4: 2}
    cloud.modify(group_id, DesiredCapacity=5)
    cloud.look(3)
    assert (weights(cloud, group_id), cloud.group(group_id).desired) == ({4: 2}, 5)
    activities = len(cloud.activities(group_id))
    cloud.look(3)
    assert len(cloud.activities(group_id)) == activities
    cloud.modify(group_id, DesiredCapacity=4)
    cloud.look(3)
    assert weights(cloud, group_id) == {4: 1}


def test_of_several_those_leave_that_are_not_too_heavy(cloud):
    group_id = cloud.make_group(DesiredCapacity=4, configuration=weighing(large=4))
    cloud.look(2)
    reconfigure(cloud, group_id, small=1)
    cloud.modify(group_id, DesiredCapacity=6)
    cloud.look(2)
    assert weights(cloud, group_id) == {4: 1, 1: 2}
    cloud.modify(group_id, DesiredCapacity=3)
    cloud.look(3)
    assert weights(cloud, group_id) == {4: 1}


def test_a_lost_one_is_replaced_by_as_many_as_it_counted_for(cloud):
    group_id = cloud.make_group(DesiredCapacity=4, configuration=weighing(large=4))
    cloud.look(2)
    (lost,) = cloud.ids(group_id)
    reconfigure(cloud, group_id, small=2)
    cloud.call("ess", "SetInstanceHealth", {"InstanceId": lost, "HealthStatus": "Unhealthy"})
    cloud.look(4)
    assert weights(cloud, group_id) == {2: 2}


def test_without_a_wish_the_bounds_are_capacity(cloud):
    group_id = cloud.make_group(MinSize=5, MaxSize=6, configuration=weighing(small=4))
    cloud.look(3)
    assert weights(cloud, group_id) == {4: 2}


def test_who_is_set_aside_takes_the_capacity_along(cloud):
    group_id = cloud.make_group(DesiredCapacity=8, configuration=weighing(small=4))
    cloud.look(2)
    named = {"ScalingGroupId": group_id, "InstanceIds": cloud.ids(group_id)[:1]}
    cloud.call("ess", "EnterStandby", named)
    cloud.look(3)
    assert cloud.group(group_id).desired == 4
    cloud.call("ess", "ExitStandby", named)
    cloud.look(3)
    assert (cloud.group(group_id).desired, weights(cloud, group_id)) == (8, {4: 2})


def test_uneven_zones_are_evened_out(cloud):
    group_id = cloud.make_group(DesiredCapacity=16, MaxSize=20, configuration=weighing(small=4))
    cloud.look(2)
    cloud.modify(group_id, MultiAZPolicy="BALANCE")
    cloud.call("ess", "RebalanceInstances", {"ScalingGroupId": group_id})
    cloud.look(4)
    zones = Counter(one.zone_id for one in cloud.members(group_id))
    assert zones == {"cn-hangzhou-h": 2, "cn-hangzhou-i": 2}


@pytest.mark.parametrize(("weight", "wanted"), [(1, TYPE), (9, LARGE)])
def test_a_price_is_that_of_what_an_instance_counts_for(cloud, weight, wanted):
    group_id = cloud.make_group(
        DesiredCapacity=1,
        MultiAZPolicy="COST_OPTIMIZED",
        CapacityOptions={"PriceComparisonMode": "PricePerUnit"},
        configuration=weighing(small=1, large=weight),
    )
    cloud.look(2)
    (member,) = cloud.members(group_id)
    assert member.instance_type == wanted
