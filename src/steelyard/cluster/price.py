"""What a cluster costs by the hour, asked of the cloud's price API for what a preview says would stand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.deploy import Planned
from steelyard.deploy.engine import values
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

Order = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PriceLine:
    """One kind of thing that a cluster is made of.

    Attributes:
        name: A node group's name, or what the thing is.
        count: How many there are.
        amount: What all of them cost by the hour.
    """

    name: str
    count: int
    amount: float


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

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "per_hour": self.total,
            "currency": self.currency,
            "lines": [
                {"name": line.name, "count": line.count, "per_hour": line.amount} for line in self.lines
            ],
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
        if self.total > max_hourly_cost:
            raise UsageError(
                f"the cluster would cost {self.total:.2f} {self.currency} an hour, more than the budget's "
                f"{max_hourly_cost:.2f}; nothing was created",
                "take fewer or smaller nodes, or raise `budget.max_hourly_cost`",
            )


def ask_price(api: Api, planned: Sequence[Planned], *, cluster: str) -> HourlyPrice:
    """Ask what a preview's resources cost: nodes by group, then what else is paid by the hour.

    Args:
        api: Sends the calls.
        planned: What would stand.
        cluster: The cluster's name, which its nodes' names begin with.

    Raises:
        ResourceError: The cloud does not answer.
    """
    lines: list[PriceLine] = []
    unpriced: list[Unpriced] = []
    currencies, notes = set(), set()
    for name, count, order, is_nodes in [*_node_orders(planned, cluster), *_fee_orders(planned)]:
        try:
            amount, currency, note = (
                _ask_nodes(api, order, count) if is_nodes else _ask_fee(api, order, count)
            )
        except ResourceError as err:
            if not err.code:
                raise
            unpriced.append(Unpriced(name=name, reason=err.code, is_nodes=is_nodes))
            continue
        lines.append(PriceLine(name=name, count=count, amount=round(amount, 4)))
        currencies.add(currency)
        notes.update({note} - {""})
    return HourlyPrice(
        lines=_merged(lines),
        currency=", ".join(sorted(currencies)),
        note=" ".join(sorted(notes)),
        unpriced=tuple(unpriced),
    )


def _node_orders(planned: Sequence[Planned], cluster: str) -> Iterator[tuple[str, int, Order, bool]]:
    """Give each kind of node of each group: name, count, what it is made of."""
    kinds: Counter[tuple[str, str]] = Counter()
    for item in planned:
        if item.type == _INSTANCE:
            name = str(item.inputs.get("instanceName") or item.name)
            group = name.removeprefix(f"{cluster}-").rpartition("-")[0] or name
            kinds[group, json.dumps(_order(item.inputs), sort_keys=True)] += 1
    for (group, order), count in kinds.items():
        yield group, count, json.loads(order), True


def _order(inputs: Mapping[str, Any]) -> Order:
    """Return what DescribePrice asks of an instance; what only the cloud can tell is left out."""
    known = {name: value for name, value in inputs.items() if not values.has_unknown(value)}
    disk = {
        "Category": known.get("systemDiskCategory"),
        "Size": known.get("systemDiskSize"),
        "PerformanceLevel": known.get("systemDiskPerformanceLevel"),
    }
    strategy = known.get("spotStrategy")
    is_spot = strategy not in (None, "NoSpot")
    return {
        "InstanceType": known.get("instanceType"),
        "SystemDisk": disk,
        "DataDisk": [
            {
                "Category": one.get("category"),
                "Size": one.get("size"),
                "PerformanceLevel": one.get("performanceLevel"),
            }
            for one in known.get("dataDisks") or []
        ],
        "SpotStrategy": strategy,
        "ZoneId": known.get("availabilityZone") if is_spot else None,
    }


def _fee_orders(planned: Sequence[Planned]) -> Iterator[tuple[str, int, Order, bool]]:
    for kind, count in Counter(item.type for item in planned if item.type in _FEES).items():
        name, code = _FEES[kind]
        yield name, count, {"ProductCode": code}, False


def _ask_nodes(api: Api, order: Order, count: int) -> tuple[float, str, str]:
    amount, currency, note = 0.0, "", ""
    for start in range(0, count, _MAX_AMOUNT):
        asked = {
            **order,
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


def _ask_fee(api: Api, order: Order, count: int) -> tuple[float, str, str]:
    module = {"ModuleCode": "InstanceRent", "PriceType": "Hour", "Config": f"Region:{api.region_id}"}
    asked = {**order, "SubscriptionType": "PayAsYouGo", "Region": api.region_id, "ModuleList": [module]}
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
        )
        for name, group in same.items()
    )
