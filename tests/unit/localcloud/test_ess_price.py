"""What the members of scaling groups cost: spot instances, price limits, the order of types."""

from __future__ import annotations

from collections import Counter

import pytest

from steelyard.localcloud.wire.error import ApiError


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
