"""What a cluster costs by the hour, asked of the cloud's price API for what a preview says would stand."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.deploy import Planned, values
from steelyard.deploy.provider.api import BSS, ECS, Api
from steelyard.errors import ResourceError, UsageError

_INSTANCE = "alicloud:ecs/instance:Instance"
_FEES: Mapping[str, tuple[str, str]] = {
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": ("load balancer", "slb"),
    "alicloud:nlb/loadBalancer:LoadBalancer": ("load balancer", "nlb"),
    "alicloud:alb/loadBalancer:LoadBalancer": ("load balancer", "alb"),
    "alicloud:vpc/natGateway:NatGateway": ("NAT gateway", "nat_gw"),
    "alicloud:ecs/eipAddress:EipAddress": ("public address", "eip"),
}
"""What stands by the hour besides nodes: its name for people, and its product code in the price API.

The codes other than `slb` and `eip` are from memory; what the API does not know by them is told as not priced."""
_MAX_AMOUNT = 1000
"""How many instances DescribePrice prices at once (`Amount`)."""
_SCALING_GROUP = "alicloud:ess/scalingGroup:ScalingGroup"
_TEMPLATE = "alicloud:ecs/ecsLaunchTemplate:EcsLaunchTemplate"


@dataclass(frozen=True, kw_only=True)
class PriceLine:
    """One kind of thing that a cluster is made of.

    Attributes:
        name: A node group's name, or what the thing is.
        count: How many there are; of a scaling group, how many there are at least.
        amount: What all of them cost by the hour.
        max_count: How many a scaling group may grow to; 0 for what does not scale.
        max_amount: What those would cost, as no spot instances; 0 for what does not scale.
    """

    name: str
    count: int
    amount: float
    max_count: int = 0
    max_amount: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Unpriced:
    """Something of which the price API told no price.

    Attributes:
        name: A node group's name, or what the thing is.
        reason: What the API said.
        is_nodes: Whether it is nodes, which are most of what a cluster costs.
    """

    name: str
    reason: str
    is_nodes: bool


@dataclass(frozen=True, kw_only=True)
class HourlyPrice:
    """What a cluster costs by the hour, without traffic and storage.

    Attributes:
        lines: Its parts: the node groups, then the rest.
        currency: Such as `CNY`.
        note: What the API says of its own figures; the local cloud says that they are estimates.
        unpriced: What is not in the figures.
    """

    lines: tuple[PriceLine, ...]
    currency: str
    note: str = ""
    unpriced: tuple[Unpriced, ...] = ()

    @property
    def total(self) -> float:
        """What all of it costs by the hour."""
        return round(sum(line.amount for line in self.lines), 4)

    @property
    def ceiling(self) -> float:
        """What all of it costs by the hour once every scaling group has grown to its largest."""
        return round(sum(line.max_amount or line.amount for line in self.lines), 4)

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "per_hour": self.total,
            "max_per_hour": self.ceiling,
            "currency": self.currency,
            "lines": [_line(line) for line in self.lines],
            "note": self.note,
            "unpriced": {one.name: one.reason for one in self.unpriced},
        }

    def require_within(self, max_hourly_cost: float | None) -> None:
        """Hold it against a budget.

        Raises:
            UsageError: It is more, or nodes have no price.
        """
        if max_hourly_cost is None:
            return
        unknown = [one for one in self.unpriced if one.is_nodes]
        if unknown:
            raise UsageError(
                f"the budget cannot be held: no price for {unknown[0].name} ({unknown[0].reason})",
                "take `budget.max_hourly_cost` out, or let the key call ecs:DescribePrice",
            )
        if self.ceiling > max_hourly_cost:
            grown = "" if self.ceiling == self.total else ", scaled to its largest,"
            raise UsageError(
                f"the cluster{grown} would cost {self.ceiling:.2f} {self.currency} an hour, more than the budget's "
                f"{max_hourly_cost:.2f}; nothing was created",
                "take fewer or smaller nodes, or raise `budget.max_hourly_cost`",
            )


def _line(line: PriceLine) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": line.name, "count": line.count, "per_hour": line.amount}
    if line.max_count:
        shown |= {"max_count": line.max_count, "max_per_hour": line.max_amount}
    return shown


def ask_price(api: Api, planned: Sequence[Planned], *, cluster: str) -> HourlyPrice:
    """Ask what a preview's resources cost: nodes by group, then what else is paid by the hour.

    Args:
        api: Sends the calls.
        planned: What would stand.
        cluster: The cluster's name, which its nodes' names begin with.

    Raises:
        ResourceError: The cloud does not answer.
    """
    pricer = _Pricer(api)
    for order in [*_node_orders(planned, cluster), *_scaled_orders(planned, cluster), *_fee_orders(planned)]:
        pricer.add(order)
    return HourlyPrice(
        lines=_merged(pricer.lines),
        currency=", ".join(sorted(pricer.currencies)),
        note=" ".join(sorted(pricer.notes)),
        unpriced=tuple(pricer.unpriced),
    )


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What a price is asked of.

    Attributes:
        name: Name of its line.
        count: How many.
        max_count: How many a scaling group may grow to; 0 for what does not scale.
        params: What it is, as the API takes it.
        is_nodes: Whether it is nodes, which DescribePrice prices.
    """

    name: str
    count: int
    max_count: int = 0
    params: Mapping[str, Any]
    is_nodes: bool


class _Pricer:
    """Asks for prices, and keeps what it is told.

    Args:
        api: Sends the calls.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.lines: list[PriceLine] = []
        self.unpriced: list[Unpriced] = []
        self.currencies: set[str] = set()
        self.notes: set[str] = set()

    def add(self, order: _Order) -> None:
        """Price one order; what has no price is told."""
        try:
            amount = self._amount(order, order.params, order.count)
            grown = self._amount(order, order.params, order.max_count)
        except ResourceError as err:
            if not err.code:
                raise
            self.unpriced.append(Unpriced(name=order.name, reason=err.code, is_nodes=order.is_nodes))
            return
        self.lines.append(
            PriceLine(
                name=order.name,
                count=order.count,
                amount=round(amount, 4),
                max_count=order.max_count,
                max_amount=round(grown, 4),
            )
        )

    def _amount(self, order: _Order, params: Mapping[str, Any], count: int) -> float:
        if not count:
            return 0.0
        ask = _ask_nodes if order.is_nodes else _ask_fee
        amount, currency, note = ask(self._api, params, count)
        self.currencies.add(currency)
        self.notes.update({note} - {""})
        return amount


def _node_orders(planned: Sequence[Planned], cluster: str) -> Iterator[_Order]:
    """Give each kind of node of each group: name, count, what it is made of."""
    kinds: Counter[tuple[str, str]] = Counter()
    for item in planned:
        if item.type == _INSTANCE:
            name = str(item.inputs.get("instanceName") or item.name)
            group = name.removeprefix(f"{cluster}-").rpartition("-")[0] or name
            kinds[group, json.dumps(_node(item.inputs, _flat_disk(item.inputs)), sort_keys=True)] += 1
    for (group, params), count in kinds.items():
        yield _Order(name=group, count=count, params=json.loads(params), is_nodes=True)


def _scaled_orders(planned: Sequence[Planned], cluster: str) -> Iterator[_Order]:
    """Give each scaling group's nodes, which are made by a launch template that is planned beside it.

    Its least are spot instances as far as it says; its most is what it may cost where no spot instance is to be had.
    """
    templates = {item.name.rpartition("-")[0]: item for item in planned if item.type == _TEMPLATE}
    for item in planned:
        if item.type != _SCALING_GROUP:
            continue
        template = templates.get(item.name.rpartition("-")[0])
        if template is None and len(templates) == 1:
            (template,) = templates.values()
        inputs: Mapping[str, Any] = template.inputs if template is not None else {}
        name = f"{str(item.inputs.get('scalingGroupName') or item.name).removeprefix(f'{cluster}-')}, scaled"
        node = _node(inputs, inputs.get("systemDisk") or {})
        num_least = int(item.inputs["minSize"])
        num_spot = _num_spot(item.inputs, num_least) if node["SpotStrategy"] not in (None, "NoSpot") else 0
        yield _Order(
            name=name,
            count=num_least - num_spot,
            max_count=int(item.inputs["maxSize"]),
            params={**node, "SpotStrategy": None},
            is_nodes=True,
        )
        if num_spot:
            yield _Order(name=name, count=num_spot, params=node, is_nodes=True)


def _num_spot(group: Mapping[str, Any], num_nodes: int) -> int:
    """Return how many of a scaling group's nodes are spot instances: those above the base, but for a share."""
    base = int(group.get("capacityOptionsOnDemandBaseCapacity") or 0)
    percent = int(group.get("capacityOptionsOnDemandPercentageAboveBaseCapacity") or 0)
    above = max(0, num_nodes - base)
    return above - math.ceil(above * percent / 100)


def _flat_disk(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {
        "category": "systemDiskCategory",
        "size": "systemDiskSize",
        "performanceLevel": "systemDiskPerformanceLevel",
    }
    return {name: inputs.get(flat) for name, flat in names.items()}


def _node(inputs: Mapping[str, Any], system_disk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what DescribePrice asks of an instance; what only the cloud can tell is left out."""
    known = {name: value for name, value in inputs.items() if not values.has_unknown(value)}
    strategy = known.get("spotStrategy")
    is_spot = strategy not in (None, "NoSpot")
    return {
        "InstanceType": known.get("instanceType"),
        "SystemDisk": _disk(system_disk),
        "DataDisk": [_disk(one) for one in known.get("dataDisks") or []],
        "SpotStrategy": strategy,
        "ZoneId": known.get("availabilityZone") if is_spot else None,
    }


def _disk(disk: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {"Category": "category", "Size": "size", "PerformanceLevel": "performanceLevel"}
    return {name: disk.get(own) for name, own in names.items()}


def _fee_orders(planned: Sequence[Planned]) -> Iterator[_Order]:
    for kind, count in Counter(item.type for item in planned if item.type in _FEES).items():
        name, code = _FEES[kind]
        yield _Order(name=name, count=count, params={"ProductCode": code}, is_nodes=False)


def _ask_nodes(api: Api, params: Mapping[str, Any], count: int) -> tuple[float, str, str]:
    amount, currency, note = 0.0, "", ""
    for start in range(0, count, _MAX_AMOUNT):
        asked = {
            **params,
            "ResourceType": "instance",
            "PriceUnit": "Hour",
            "Amount": min(_MAX_AMOUNT, count - start),
        }
        info = api.call(ECS, "DescribePrice", asked)["PriceInfo"]
        amount += float(info["Price"]["TradePrice"])
        currency = info["Price"]["Currency"]
        rules = (info.get("Rules") or {}).get("Rule") or []
        note = " ".join(rule["Description"] for rule in rules)
    return amount, currency, note


def _ask_fee(api: Api, params: Mapping[str, Any], count: int) -> tuple[float, str, str]:
    module = {"ModuleCode": "InstanceRent", "PriceType": "Hour", "Config": f"Region:{api.region_id}"}
    asked = {**params, "SubscriptionType": "PayAsYouGo", "Region": api.region_id, "ModuleList": [module]}
    data = api.call(BSS, "GetPayAsYouGoPrice", asked)["Data"]
    details = (data.get("ModuleDetails") or {}).get("ModuleDetail") or []
    promotions = (data.get("PromotionDetails") or {}).get("PromotionDetail") or []
    note = " ".join(one["PromotionDesc"] for one in promotions if one.get("PromotionName") == "estimate")
    return sum(float(one["CostAfterDiscount"]) for one in details) * count, data["Currency"], note


def _merged(lines: Sequence[PriceLine]) -> tuple[PriceLine, ...]:
    """Put lines of one name together: a group over zones of different prices."""
    names = dict.fromkeys(line.name for line in lines)
    same = {name: [line for line in lines if line.name == name] for name in names}
    return tuple(
        PriceLine(
            name=name,
            count=sum(line.count for line in group),
            amount=round(sum(line.amount for line in group), 4),
            max_count=sum(line.max_count for line in group),
            max_amount=round(sum(line.max_amount for line in group), 4),
        )
        for name, group in same.items()
    )
