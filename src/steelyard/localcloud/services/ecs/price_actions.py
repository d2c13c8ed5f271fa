from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS
from steelyard.spec.price import (
    CURRENCY,
    ESTIMATE_NOTE,
    FEES,
    Price,
    disk_price,
    instance_price,
    spot_price,
)

_HOUR_S = 3600
_MAX_HOURS = 30 * 24
_PAGE = 1000
_SPOT = ("NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo")


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One part of a price: what it is, what it costs, and what is really paid for it."""

    resource: str
    list_price: Price
    paid: float


class PriceActions(EcsState):
    """What instances and disks cost, by the dated table of `steelyard.spec.price`."""

    @action("DescribePrice")
    def describe_price(self, request: Request) -> dict[str, object]:
        """Tell what instances with their disks, or a disk, cost by the hour.

        A rule whose description is `ESTIMATE_NOTE` says that the figures are estimates.
        """
        kind = request.text("ResourceType") or "instance"
        if request.text("PriceUnit", "Hour") != "Hour":
            raise not_served(f"the price by {request.text('PriceUnit')}, of which nothing is known")
        if kind == "instance":
            items = self._instance_items(request)
        elif kind == "disk":
            items = _disk_items(request.records("DataDisk"), "DataDisk")
            if not items:
                raise missing_parameter("DataDisk.1.Category")
        elif kind == "bandwidth":
            items = [_item("bandwidth", FEES["traffic_gib"])]
        else:
            raise errors.value_not_supported("ResourceType", kind)
        amount = request.number("Amount", 1)
        if not 1 <= amount <= 1000:
            raise invalid_parameter("Amount", amount, "from 1 to 1000")
        return {"PriceInfo": _price_info(items, amount)}

    @action("DescribeSpotPriceHistory")
    def describe_spot_price_history(self, request: Request) -> dict[str, object]:
        """List a spot instance's price by zone and hour, the newest first."""
        name, zone_id = request.text("InstanceType"), request.text("ZoneId")
        list_price = _instance_price(name)
        zones = REGIONS[request.region_id]
        if zone_id and zone_id not in zones:
            raise errors.zone_not_found()
        now = int(self.cloud.clock()) // _HOUR_S
        last = _read_hour(request, "EndTime", now)
        first = _read_hour(request, "StartTime", last - 3)
        if not 0 <= last - first <= _MAX_HOURS:
            raise invalid_parameter(
                "StartTime", request.text("StartTime"), "before EndTime by 30 days at most"
            )
        rows = [
            _spot_row(name, zone, hour, list_price)
            for hour in range(min(last, now), first - 1, -1)
            for zone in zones
            if zone_id in ("", zone)
        ]
        offset = request.number("Offset", 0)
        page = rows[offset : offset + _PAGE]
        return {
            "Currency": CURRENCY,
            "NextOffset": offset + len(page) if offset + len(page) < len(rows) else 0,
            "SpotPrices": {"SpotPriceType": page},
        }

    def _instance_items(self, request: Request) -> list[_Item]:
        name = request.text("InstanceType")
        if not name:
            raise missing_parameter("InstanceType")
        list_price = _instance_price(name)
        item = _item("instanceType", list_price)
        if check.read_choice(request, "SpotStrategy", _SPOT, "NoSpot") != "NoSpot":
            zone_id = request.text("ZoneId") or REGIONS[request.region_id][0]
            spot = spot_price(name, zone_id, int(self.cloud.clock()) // _HOUR_S)
            assert spot is not None
            item = _Item(resource="instanceType", list_price=list_price, paid=spot.amount)
        system = request.params.get("SystemDisk")
        systems = [system] if isinstance(system, dict) and system else []
        return [
            item,
            *_disk_items(systems, "SystemDisk", "systemDisk", default_gib=40),
            *_disk_items(request.records("DataDisk"), "DataDisk"),
        ]


def _instance_price(name: str) -> Price:
    price = instance_price(name)
    if price is None:
        raise errors.instance_type_not_supported(name)
    return price


def _item(resource: str, price: Price) -> _Item:
    return _Item(resource=resource, list_price=price, paid=price.amount)


def _disk_items(
    disks: list[dict[str, object]], name: str, resource: str = "dataDisk", default_gib: int = 0
) -> list[_Item]:
    items = []
    for disk in disks:
        category, size = str(disk.get("Category") or "cloud_essd"), disk.get("Size") or default_gib
        if not size:
            raise missing_parameter(f"{name}.Size")
        price = disk_price(category, int(str(size)), str(disk.get("PerformanceLevel") or ""))
        if price is None:
            raise errors.value_not_supported(f"{name}.Category", category)
        items.append(_item(resource, price))
    return items


def _price_info(items: list[_Item], amount: int) -> dict[str, object]:
    def figures(original: float, trade: float) -> dict[str, object]:
        original, trade = round(original * amount, 4), round(trade * amount, 4)
        return {
            "OriginalPrice": original,
            "TradePrice": trade,
            "DiscountPrice": round(original - trade, 4),
        }

    details = [
        {
            "Resource": item.resource,
            **figures(item.list_price.amount, item.paid),
            "SubRules": {"Rule": []},
        }
        for item in items
    ]
    total = figures(sum(item.list_price.amount for item in items), sum(item.paid for item in items))
    are_estimates = any(item.list_price.is_estimate for item in items)
    rules = [{"RuleId": 0, "Description": ESTIMATE_NOTE}] if are_estimates else []
    return {
        "Price": {"Currency": CURRENCY, **total, "DetailInfos": {"DetailInfo": details}},
        "Rules": {"Rule": rules},
    }


def _spot_row(name: str, zone_id: str, hour: int, list_price: Price) -> Mapping[str, object]:
    spot = spot_price(name, zone_id, hour)
    assert spot is not None
    return {
        "InstanceType": name,
        "ZoneId": zone_id,
        "NetworkType": "vpc",
        "IoOptimized": "optimized",
        "Timestamp": utc_text(hour * _HOUR_S),
        "OriginPrice": list_price.amount,
        "SpotPrice": spot.amount,
    }


def _read_hour(request: Request, name: str, default: int) -> int:
    text = request.text(name)
    if not text:
        return default
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) // _HOUR_S
    except ValueError:
        raise invalid_parameter(name, text, "of the form yyyy-MM-ddTHH:mm:ssZ") from None
