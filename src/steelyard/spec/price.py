"""What things cost by the hour on the local cloud: one dated table, of assumptions.

Alibaba Cloud publishes its prices on pages and in a price API that need a network, and no list of them could be had
where this table was made (2026-11). All of it is an estimate (`Price.is_estimate`): good for telling a cluster of
2 nodes from one of 200, and no quotation. On the cloud, ask DescribePrice.

- vCPU and memory: the tariff of Elastic Container Instance, 0.000049 CNY per vCPU and second and 0.00000613 CNY per GiB
  and second (help page "Billing of elastic container instances", read 2026-11), taken for ECS.
- GPUs: set so that ecs.gn7i-c8g1.2xlarge, ecs.gn6v-c8g1.2xlarge and ecs.gn7e-c16g1.4xlarge come to about 8, 12 and 35
  CNY, which a user's notes on PAI give for them (a public repository, read 2026-11); the other models by their speed.
- Disks, load balancers, gateways, addresses, storage: from memory of the price pages of the region China (Hangzhou).
- Spot: a share of the price that changes a little by zone and hour.

All regions cost the same here, which they do not on the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from steelyard.spec.catalogue import INSTANCE_TYPES

AS_OF = "2026-11"
CURRENCY = "CNY"
ESTIMATE_NOTE = f"An estimate by the local cloud's own table of {AS_OF}, which holds no list price."
"""What an answer's `PriceInfo.Rules.Rule[].Description` says where its figures are estimates."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What something costs by the hour.

    Attributes:
        amount: In `CURRENCY` per hour.
        is_estimate: Whether it is an assumption, and no published price.
        source: Where it is from.
    """

    amount: float
    is_estimate: bool
    source: str


_CONTAINER_TARIFF = "tariff of Elastic Container Instance, help page, read 2026-11"
_PAI_NOTES = "about 8, 12 and 35 CNY for A10, V100 and A100 in a user's notes on PAI, read 2026-11"
_MEMORY = "from memory of the price pages of China (Hangzhou)"
_BY_SPEED = "by its speed beside an A10's"

VCPU = Price(amount=0.1764, is_estimate=True, source=_CONTAINER_TARIFF)
MEMORY_GIB = Price(amount=0.0221, is_estimate=True, source=_CONTAINER_TARIFF)
GPUS: Mapping[str, Price] = MappingProxyType(
    {
        model: Price(amount=amount, is_estimate=True, source=source)
        for model, amount, source in (
            ("NVIDIA T4", 4.0, _BY_SPEED),
            ("NVIDIA V100", 9.9, _PAI_NOTES),
            ("NVIDIA A10", 6.0, _PAI_NOTES),
            ("NVIDIA A30", 8.0, _BY_SPEED),
            ("NVIDIA A100 40 GB", 22.0, _BY_SPEED),
            ("NVIDIA A100 80 GB", 29.4, _PAI_NOTES),
            ("NVIDIA L20", 8.0, _BY_SPEED),
            ("96 GB HBM3", 32.0, _BY_SPEED),
            ("Blackwell 48 GB", 18.0, _BY_SPEED),
            ("Blackwell 72 GB", 24.0, _BY_SPEED),
        )
    }
)
"""One GPU, by its model in the catalogue."""

DISK_GIB: Mapping[tuple[str, str], Price] = MappingProxyType(
    {
        (category, level): Price(amount=amount, is_estimate=True, source=_MEMORY)
        for category, level, amount in (
            ("cloud_essd", "PL0", 0.00105),
            ("cloud_essd", "PL1", 0.0021),
            ("cloud_essd", "PL2", 0.0042),
            ("cloud_essd", "PL3", 0.0084),
            ("cloud_auto", "", 0.00105),
            ("cloud_essd_entry", "", 0.00075),
            ("cloud_ssd", "", 0.0021),
            ("cloud_efficiency", "", 0.00073),
        )
    }
)
"""A GiB of a disk, by category and performance level."""

FEES: Mapping[str, Price] = MappingProxyType(
    {
        name: Price(amount=amount, is_estimate=True, source=_MEMORY)
        for name, amount in (
            ("slb", 0.147),
            ("nlb", 0.147),
            ("alb", 0.147),
            ("nat", 0.195),
            ("eip", 0.02),
            ("traffic_gib", 0.8),
            ("oss_gib", 0.000164),
            ("nas_gib", 0.00257),
        )
    }
)
"""What stands by the hour: a load balancer or gateway without its traffic (its capacity units come on top), an elastic
address; a GiB that is stored for an hour; and `traffic_gib`, a GiB that leaves for the Internet, once."""

SPOT_SHARE = 0.3
"""What a spot instance costs at least, as a share of the price: an assumption."""


def instance_price(instance_type: str) -> Price | None:
    """Give what an instance costs without its disks; None where the catalogue has no such type."""
    found = INSTANCE_TYPES.get(instance_type)
    if found is None:
        return None
    amount = found.vcpus * VCPU.amount + found.memory_gib * MEMORY_GIB.amount
    source = _CONTAINER_TARIFF
    if found.num_gpus:
        gpu = GPUS[found.gpu]
        amount += found.num_gpus * gpu.amount
        source = f"{source}; GPU {gpu.source}"
    return Price(amount=round(amount, 4), is_estimate=True, source=source)


def disk_price(category: str, size_gib: int, performance_level: str = "") -> Price | None:
    """Give what a disk costs; None where the table has none of the category.

    Args:
        category: The API's category, such as `cloud_essd`.
        size_gib: Its size.
        performance_level: Level of an ESSD, `PL1` where it is not given.
    """
    level = (performance_level or "PL1") if category == "cloud_essd" else ""
    price = DISK_GIB.get((category, level))
    if price is None:
        return None
    return Price(amount=round(price.amount * size_gib, 4), is_estimate=price.is_estimate, source=price.source)


def spot_price(instance_type: str, zone_id: str, hour: int) -> Price | None:
    """Give what a spot instance costs in a zone in an hour.

    Args:
        instance_type: Its type.
        zone_id: Its zone.
        hour: The hour, counted from 1970-01-01 UTC; the price is the same whenever it is asked for.
    """
    price = instance_price(instance_type)
    if price is None:
        return None
    # A wave of eleven hours that each zone and type enters at another point: up to a third above the least.
    phase = (hour + sum(map(ord, zone_id + instance_type))) % 11
    share = SPOT_SHARE * (1 + min(phase, 11 - phase) / 15)
    return Price(
        amount=round(price.amount * share, 4), is_estimate=True, source="an assumed share of the price"
    )
