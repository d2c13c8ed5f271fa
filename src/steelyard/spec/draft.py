from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from steelyard.spec.balancer import ABILITIES
from steelyard.spec.catalogue import REGIONS
from steelyard.spec.scaling_check import DraftScaling, read_scaling
from steelyard.spec.subnet import VPC_PREFIXES

_PROTOCOLS = {protocol for ability in ABILITIES.values() for protocol in ability.protocols}
_SCHEDULERS = {scheduler for ability in ABILITIES.values() for scheduler in ability.schedulers}


@dataclass(frozen=True, kw_only=True)
class DraftGroup:
    """A node group of a draft."""

    index: int
    name: str | None
    count: int | None
    instance_type: str | None
    is_head: bool
    has_rdma: bool
    is_spot: bool
    has_max_price: bool
    placement: str | None
    scaling: DraftScaling

    @property
    def scaling_obstacle(self) -> str:
        """Name the setting that lets it not be scaled; empty where there is none."""
        return "rdma" if self.has_rdma else "head" if self.is_head else ""

    def num_in_zone(self, zone: int, num_zones: int) -> int:
        """Return how many of its nodes may stand in a zone: they are placed in turn, or all in the first zone."""
        count = (self.count or 0) + (self.scaling.max or 0)
        if self.placement == "low_latency":
            return count if zone == 0 else 0
        return (count + num_zones - 1 - zone) // num_zones


class Draft:
    """A spec of which some values may be wrong: these are None, or left out of their list.

    Entries of lists carry their index in the spec.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        network, balancer, access = (_part(raw, key) for key in ("network", "load_balancer", "access"))
        zones, vswitches = _list(raw, "zones"), _list(network, "vswitch_cidrs")
        self.target = raw.get("target")
        region = raw.get("region")
        self.region = region if isinstance(region, str) and region in REGIONS else None
        self.has_zone_list = isinstance(raw.get("zones"), list | tuple)
        self.num_zones = len(zones)
        self.zones = [(i, zone) for i, zone in enumerate(zones) if isinstance(zone, str)]
        cidr = _range(network.get("cidr"))
        self.network = cidr if cidr and VPC_PREFIXES[0] <= cidr.prefixlen <= VPC_PREFIXES[1] else None
        self.num_vswitches = len(vswitches)
        self.vswitches = [(i, read) for i, text in enumerate(vswitches) if (read := _range(text))]
        self.is_adopted = network.get("vpc_id") is not None
        self.num_vswitch_ids = len(_list(network, "vswitch_ids"))
        self.egress = _text(network.get("egress"))
        self.checkpoint_kind = _text(_part(raw, "checkpoints").get("kind"))
        self.groups = [_group(i, value) for i, value in enumerate(_list(raw, "node_groups"))]
        self.has_group_list = isinstance(raw.get("node_groups"), list | tuple)
        self.listener_ports = [
            (i, _whole(_mapping(one).get("port"))) for i, one in enumerate(_list(balancer, "listeners"))
        ]
        self.balancer_kind = _known(balancer.get("kind"), ABILITIES)
        self.scheduler = _known(balancer.get("scheduler"), _SCHEDULERS)
        self.drain_timeout_s = _whole(balancer.get("drain_timeout_s"))
        self.listener_protocols = [
            (i, _known(_mapping(one).get("protocol"), _PROTOCOLS))
            for i, one in enumerate(_list(balancer, "listeners"))
        ]
        self.has_key_pair = access.get("key_pair") is not None
        self.has_public_key = access.get("public_key") is not None
        self.has_listener_list = isinstance(balancer.get("listeners"), list | tuple)
        self.admin_ranges = [
            (i, read) for i, text in enumerate(_list(access, "admin_cidrs")) if (read := _range(text))
        ]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _part(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _mapping(raw.get(key))


def _list(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    return list(value) if isinstance(value, list | tuple) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _known(value: Any, choices: Collection[str]) -> str | None:
    return value if isinstance(value, str) and value in choices else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _range(value: Any) -> IPv4Network | None:
    try:
        return IPv4Network(value) if isinstance(value, str) and "/" in value else None
    except ValueError:
        return None


def _group(index: int, value: Any) -> DraftGroup:
    raw = _mapping(value)
    count = _whole(raw.get("count"))
    return DraftGroup(
        index=index,
        name=_text(raw.get("name")),
        count=count if count and count > 0 else None,
        instance_type=_text(raw.get("instance_type")),
        is_head=raw.get("head") is True,
        has_rdma=raw.get("rdma") is True,
        is_spot=_mapping(raw.get("spot")).get("enabled") is True,
        has_max_price=_mapping(raw.get("spot")).get("max_price") is not None,
        placement=_text(raw.get("placement")),
        scaling=read_scaling(_part(raw, "scaling")),
    )
