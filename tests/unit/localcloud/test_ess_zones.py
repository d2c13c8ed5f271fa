"""Members over the zones of their group, and those that a spot market wants back."""

from __future__ import annotations

from collections import Counter

import pytest
from scaling_cloud import TYPE, ScalingCloud

from steelyard.localcloud.wire.error import ApiError

FIRST, SECOND = "cn-hangzhou-h", "cn-hangzhou-i"


def zones(cloud: ScalingCloud, group_id: str) -> Counter[str]:
    return Counter(one.zone_id for one in cloud.members(group_id, "InService"))


def uneven(cloud: ScalingCloud, count: int = 4, **settings: object) -> str:
    """Make a balanced group whose members all stand in one zone, since the other had none when they were made."""
    cloud.ecs.stock.limit(TYPE, SECOND, 0)
    group_id = cloud.make_group(DesiredCapacity=count, MultiAZPolicy="BALANCE", **settings)
    cloud.look(3)
    assert zones(cloud, group_id) == {FIRST: count}
    cloud.ecs.stock.limit(TYPE, SECOND, None)
    return group_id


def rebalance(cloud: ScalingCloud, group_id: str) -> str:
    return cloud.call("ess", "RebalanceInstances", {"ScalingGroupId": group_id})["ScalingActivityId"]


class TestRebalancing:
    def test_new_members_take_the_places_of_those_that_are_too_many(self, cloud):
        group_id = uneven(cloud)
        before = cloud.ids(group_id)
        activity_id = rebalance(cloud, group_id)
        cloud.look(4)
        assert zones(cloud, group_id) == {FIRST: 2, SECOND: 2}
        assert len(set(cloud.ids(group_id)) & set(before)) == 2
        activity = cloud.ess.activities.get(activity_id)
        assert (activity.status, len(activity.created), len(activity.destroyed)) == ("Successful", 2, 2)

    def test_the_number_stays_also_where_none_is_wanted(self, cloud):
        group_id = uneven(cloud, count=3)
        cloud.modify(group_id, DisableDesiredCapacity=True)
        rebalance(cloud, group_id)
        cloud.look(4)
        assert zones(cloud, group_id) == {FIRST: 2, SECOND: 1}

    def test_protected_members_stay(self, cloud):
        group_id = uneven(cloud, count=3)
        kept = cloud.ids(group_id)
        named = {"ScalingGroupId": group_id, "InstanceIds": kept, "ProtectedFromScaleIn": True}
        cloud.call("ess", "SetInstancesProtection", named)
        with pytest.raises(ApiError, match="NoChange"):
            rebalance(cloud, group_id)
        cloud.look(2)
        assert sorted(cloud.ids(group_id, "Protected")) == sorted(kept)

    def test_even_zones_and_groups_that_are_not_balanced_are_left_alone(self, cloud):
        even = cloud.make_group(DesiredCapacity=3, MultiAZPolicy="BALANCE")
        by_priority = cloud.make_group(DesiredCapacity=3)
        cloud.look(3)
        with pytest.raises(ApiError, match="NoChange"):
            rebalance(cloud, even)
        with pytest.raises(ApiError, match="MultiAZPolicy"):
            rebalance(cloud, by_priority)


class TestBalancedOnly:
    def test_no_other_zone_stands_in_for_one_that_has_nothing(self, cloud):
        cloud.ecs.stock.limit(TYPE, SECOND, 0)
        group_id = cloud.make_group(DesiredCapacity=4, MultiAZPolicy="BALANCE", BalanceMode="BalancedOnly")
        for _ in range(6):
            cloud.look(2)
            cloud.now += 60
        assert zones(cloud, group_id) == {FIRST: 1}
        assert cloud.activities(group_id)[-1].error_code == "OperationDenied.NoStock"
        cloud.ecs.stock.limit(TYPE, SECOND, None)
        cloud.now += 60
        cloud.look(4)
        assert zones(cloud, group_id) == {FIRST: 2, SECOND: 2}

    def test_a_group_may_even_out_by_itself(self, cloud):
        group_id = uneven(cloud)
        cloud.modify(group_id, BalanceMode="BalancedOnly", AutoRebalance=True)
        cloud.look(5)
        assert zones(cloud, group_id) == {FIRST: 2, SECOND: 2}

    @pytest.mark.parametrize("settings", [{"AutoRebalance": True}, {"BalanceMode": "BalancedOnly"}])
    def test_it_takes_both_settings_for_that(self, cloud, settings):
        group_id = uneven(cloud)
        cloud.modify(group_id, **settings)
        cloud.look(4)
        assert zones(cloud, group_id) == {FIRST: 4}


class TestStrength:
    @pytest.mark.parametrize(
        ("first", "second", "wanted"),
        [(None, None, "Strong"), (None, 3, "Medium"), (0, None, "Medium"), (0, 0, "Weak")],
    )
    def test_a_group_can_grow_as_surely_as_its_zones_have_stock(self, cloud, first, second, wanted):
        group_id = cloud.make_group()
        cloud.ecs.stock.limit(TYPE, FIRST, first)
        cloud.ecs.stock.limit(TYPE, SECOND, second)
        told = cloud.call("ess", "DescribeElasticStrength", {"ScalingGroupId": group_id})
        assert told["ElasticStrength"] == wanted
        assert [one["ZoneId"] for one in told["ResourcePools"]] == [FIRST, SECOND]


SPOT = {"SpotStrategy": "SpotAsPriceGo"}


class TestRemedy:
    @pytest.mark.parametrize("is_wanted", [True, False], ids=["a number is wanted", "none is"])
    def test_another_comes_for_one_that_is_about_to_be_reclaimed(self, cloud, is_wanted):
        group_id = cloud.make_group(DesiredCapacity=2, SpotInstanceRemedy=True, configuration=SPOT)
        cloud.look(3)
        first, second = cloud.ids(group_id)
        if not is_wanted:
            cloud.modify(group_id, DisableDesiredCapacity=True)
        cloud.ecs.announce_reclaim(first, 300.0)
        cloud.look(4)
        assert second in cloud.ids(group_id)
        assert first not in cloud.ids(group_id)
        assert len(cloud.ids(group_id)) == 2
        assert f"{first} is about to be reclaimed" in cloud.activities(group_id)[-1].cause

    @pytest.fixture
    def spot_group(self, cloud):
        """Of three spot instances, of which no number is wanted."""
        group_id = cloud.make_group(DesiredCapacity=3, SpotInstanceRemedy=True, configuration=SPOT)
        cloud.look(3)
        cloud.modify(group_id, DisableDesiredCapacity=True)
        return group_id

    @pytest.mark.parametrize("count", [2, 3])
    def test_as_many_come_as_are_about_to_be_reclaimed_at_a_time(self, cloud, spot_group, count):
        for instance_id in cloud.ids(spot_group)[:count]:
            cloud.ecs.announce_reclaim(instance_id, 300.0)
        cloud.look(6)
        assert len(cloud.ids(spot_group)) == 3

    @pytest.mark.parametrize("change", [1, -1])
    def test_one_that_is_about_to_be_reclaimed_takes_nothing_from_what_was_asked_for(
        self, cloud, spot_group, change
    ):
        adjustment = {"AdjustmentType": "QuantityChangeInCapacity", "AdjustmentValue": change}
        cloud.call("ess", "ScaleWithAdjustment", {"ScalingGroupId": spot_group, **adjustment})
        cloud.ecs.announce_reclaim(cloud.ids(spot_group)[0], 300.0)
        cloud.look(6)
        assert len(cloud.ids(spot_group)) == 3 + change

    def test_without_it_the_group_waits_for_the_end(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1, configuration=SPOT)
        cloud.look(3)
        (only,) = cloud.ids(group_id)
        cloud.ecs.announce_reclaim(only, 300.0)
        cloud.look(3)
        assert cloud.ids(group_id) == [only]
