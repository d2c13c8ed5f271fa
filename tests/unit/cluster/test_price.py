"""What a cluster costs by the hour, as the price API tells it, and the budget that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from steelyard.cluster.price import HourlyPrice, PriceLine, Unpriced, ask_price
from steelyard.deploy import Planned
from steelyard.deploy.provider.api import BSS
from steelyard.deploy.values import UNKNOWN
from steelyard.errors import ResourceError, UsageError
from steelyard.product import Product

INSTANCE = "alicloud:ecs/instance:Instance"
PRICES = {"big": 10.0, "small": 1.0}


class PriceApi:
    """Answers as the price API does, and keeps what it was asked."""

    region_id = "cn-hangzhou"

    def __init__(self, refused: Mapping[str, str] | None = None) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self._refused = refused or {}

    def call(self, product: Product, action: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(params)
        if action in self._refused:
            raise ResourceError(f"{action} was refused", code=self._refused[action])
        if product is BSS:
            module = {"CostAfterDiscount": 0.5}
            return {"Data": {"Currency": "CNY", "ModuleDetails": {"ModuleDetail": [module]}}}
        amount = PRICES[params["InstanceType"]] * params["Amount"]
        return {"PriceInfo": {"Price": {"TradePrice": amount, "Currency": "CNY"}}}


def node(name: str, kind: str, **more: Any) -> Planned:
    inputs = {"instanceName": name, "instanceType": kind, "vswitchId": UNKNOWN, **more}
    return Planned(urn=f"urn::{name}", type=INSTANCE, name=name, inputs=inputs)


def thing(kind: str) -> Planned:
    return Planned(urn=f"urn::{kind}", type=kind, name="thing", inputs={})


def test_nodes_are_priced_by_group_and_the_rest_by_kind() -> None:
    api = PriceApi()
    nodes = [
        node(f"demo-fast-{i}", "big", systemDiskCategory="cloud_essd", systemDiskSize=100) for i in range(3)
    ]
    rest = [thing("alicloud:vpc/natGateway:NatGateway"), thing("alicloud:vpc/network:Network")]

    price = ask_price(api, [*nodes, node("demo-slow-0", "small"), *rest], cluster="demo")  # type: ignore[arg-type]

    assert {(line.name, line.count, line.amount) for line in price.lines} == {
        ("fast", 3, 30.0),
        ("slow", 1, 1.0),
        ("NAT gateway", 1, 0.5),
    }
    assert (price.total, price.currency) == (31.5, "CNY")
    assert api.asked[0]["SystemDisk"] == {"Category": "cloud_essd", "Size": 100, "PerformanceLevel": None}
    assert api.asked[0]["Amount"] == 3


def test_a_spot_group_is_asked_for_in_each_of_its_zones_and_is_one_line() -> None:
    api = PriceApi()
    spot = {"spotStrategy": "SpotAsPriceGo"}
    nodes = [node(f"demo-spot-{i}", "small", availabilityZone=f"zone-{i % 2}", **spot) for i in range(5)]

    price = ask_price(api, nodes, cluster="demo")  # type: ignore[arg-type]

    assert sorted((asked["ZoneId"], asked["Amount"]) for asked in api.asked) == [("zone-0", 3), ("zone-1", 2)]
    assert price.lines == (PriceLine(name="spot", count=5, amount=5.0),)


def test_a_scaling_group_costs_from_its_least_to_its_most_and_is_held_by_its_most() -> None:
    template = Planned(
        urn="urn::template",
        type="alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate",
        name="demo-spare-template",
        inputs={
            "instanceType": "small",
            "spotStrategy": "SpotAsPriceGo",
            "systemDisk": {"category": "cloud_essd", "size": 40},
        },
    )
    group = Planned(
        urn="urn::group",
        type="alicloud:ess/scalingGroup:ScalingGroup",
        name="demo-spare-group",
        inputs={
            "minSize": 3,
            "maxSize": 4,
            "launchTemplateId": UNKNOWN,
            "scalingGroupName": "demo-spare",
            "capacityOptionsOnDemandBaseCapacity": 1,
        },
    )
    api = PriceApi()
    price = ask_price(api, [node("demo-fast-0", "big"), template, group], cluster="demo")  # type: ignore[arg-type]

    assert price.lines[1] == PriceLine(name="spare, scaled", count=3, amount=3.0, max_count=4, max_amount=4.0)
    assert api.asked[1]["SystemDisk"] == {"Category": "cloud_essd", "Size": 40, "PerformanceLevel": None}
    asked_for = [(asked["SpotStrategy"], asked["Amount"]) for asked in api.asked[1:]]
    assert asked_for == [(None, 1), (None, 4), ("SpotAsPriceGo", 2)]
    assert (price.total, price.ceiling) == (13.0, 14.0)
    price.require_within(14.0)
    with pytest.raises(UsageError, match=r"scaled to its largest, would cost 14\.00"):
        price.require_within(13.0)


def test_more_nodes_than_one_question_takes_are_asked_for_in_parts() -> None:
    api = PriceApi()
    price = ask_price(api, [node(f"demo-all-{i}", "small") for i in range(1500)], cluster="demo")  # type: ignore[arg-type]

    assert [asked["Amount"] for asked in api.asked] == [1000, 500]
    assert price.total == 1500.0


def test_what_has_no_price_is_told_and_nodes_without_one_cannot_be_held_against_a_budget() -> None:
    balancer = thing("alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer")
    price = ask_price(
        PriceApi({"GetPayAsYouGoPrice": "NotAuthorized"}),  # type: ignore[arg-type]
        [node("demo-fast-0", "big"), balancer],
        cluster="demo",
    )
    assert price.unpriced == (Unpriced(name="load balancer", reason="NotAuthorized", is_nodes=False),)
    price.require_within(10.0)

    blind = ask_price(
        PriceApi({"DescribePrice": "Forbidden.RAM"}), [node("demo-fast-0", "big")], cluster="demo"
    )  # type: ignore[arg-type]
    blind.require_within(None)
    with pytest.raises(UsageError, match="no price for fast"):
        blind.require_within(1000.0)


def test_a_budget_holds_to_the_cent() -> None:
    price = HourlyPrice(lines=(PriceLine(name="fast", count=3, amount=30.01),), currency="CNY")

    price.require_within(30.01)
    with pytest.raises(UsageError, match=r"30\.01 CNY an hour, more than the budget's 30\.00") as refused:
        price.require_within(30.0)
    assert refused.value.exit_code == 2
