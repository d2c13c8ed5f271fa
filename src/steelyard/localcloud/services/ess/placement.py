"""Which members come and which go: rules of scaling groups, without any of their state."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.localcloud.services.ess.models import Member, Settings, capacity_of
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.spec.price import instance_price, spot_price

_COMPOSED = ("COST_OPTIMIZED", "COMPOSABLE")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A VSwitch and its zone."""

    vswitch_id: str
    zone_id: str


def is_balanced(settings: Settings) -> bool:
    """Tell whether a group's members are spread evenly over its zones; `AzBalance` counts for `COMPOSABLE` alone."""
    policy = settings["MultiAZPolicy"]
    return policy == "BALANCE" or (policy == "COMPOSABLE" and bool(settings["AzBalance"]))


def compensates(settings: Settings) -> bool:
    """Tell whether other instances stand in for spot instances that cannot be had.

    A group whose policy knows no such thing makes what its configuration says and nothing else (help page of
    CreateScalingGroup).
    """
    return settings["MultiAZPolicy"] in _COMPOSED and bool(option(settings, "CompensateWithOnDemand", True))


def places_by_turn(places: Sequence[Place], settings: Settings, members: Sequence[Member]) -> list[Place]:
    """Give the places to try for one more member: the emptiest zone first where zones are balanced, else as listed.

    With `BalancedOnly` no zone is tried but the emptiest ones, whatever becomes of it (help page of
    CreateScalingGroup).
    """
    if not is_balanced(settings):
        return list(places)
    num_in_zone = Counter(member.zone_id for member in members)
    by_turn = sorted(places, key=lambda place: num_in_zone[place.zone_id])
    if settings["BalanceMode"] != "BalancedOnly":
        return by_turn
    return [place for place in by_turn if num_in_zone[place.zone_id] == num_in_zone[by_turn[0].zone_id]]


def offers_by_turn(
    places: Sequence[Place],
    types: Sequence[str],
    settings: Settings,
    members: Sequence[Member],
    weights: Mapping[str, int],
    *,
    is_spot: bool,
    hour: int,
) -> list[tuple[Place, str]]:
    """Give the instance types to try in each place, the best first.

    `COST_OPTIMIZED` takes the cheapest CPU first, wherever it is, and of spot instances the cheapest
    `SpotInstancePools` types by turns; `COMPOSABLE` with the strategy `lowestPrice` takes the cheapest CPU of each
    place; else types come in their order (help page of CreateScalingGroup). Prices are those of the local cloud's
    table.

    Args:
        places: Where, in the order to try.
        types: The instance types; none where a launch template names its own.
        settings: The group's.
        members: Who is there.
        weights: For how much of the group's capacity an instance of a type counts, where that is not 1.
        is_spot: Whether a spot instance is to be made.
        hour: Hours since 1970, for the price of spot instances.
    """
    pairs = [(place, name) for place in places for name in types or ("",)]

    def price(pair: tuple[Place, str]) -> float:
        place, name = pair
        return _price(name, place.zone_id, settings, weights.get(name, 1), is_spot=is_spot, hour=hour)

    if settings["MultiAZPolicy"] == "COST_OPTIMIZED":
        pairs.sort(key=price)
        return _pooled(pairs, settings, members) if is_spot else pairs
    strategy = settings["SpotAllocationStrategy" if is_spot else "AllocationStrategy"]
    if settings["MultiAZPolicy"] == "COMPOSABLE" and strategy == "lowestPrice":
        order = {place: i for i, place in enumerate(places)}
        return sorted(pairs, key=lambda pair: (order[pair[0]], price(pair)))
    return pairs


def _pooled(
    pairs: Sequence[tuple[Place, str]], settings: Settings, members: Sequence[Member]
) -> list[tuple[Place, str]]:
    """Give offers of spot instances, the cheapest first, with the first `SpotInstancePools` types by turns before."""
    pools = list(dict.fromkeys(name for _, name in pairs))[: int(str(settings["SpotInstancePools"] or 0))]
    num_of_type = Counter(member.instance_type for member in members if member.is_spot)
    return sorted(
        pairs, key=lambda pair: (pair[1] not in pools, num_of_type[pair[1]] if pair[1] in pools else 0)
    )


def _price(name: str, zone_id: str, settings: Settings, weight: int, *, is_spot: bool, hour: int) -> float:
    """Give what a CPU of an instance type costs an hour, or with `PricePerUnit` what it counts for; else infinite."""
    found = spot_price(name, zone_id, hour) if is_spot else instance_price(name)
    per_unit = option(settings, "PriceComparisonMode", "PricePerVCpu") == "PricePerUnit"
    return math.inf if found is None else found.amount / (weight if per_unit else _num_cpus(name))


def _num_cpus(name: str) -> int:
    known = INSTANCE_TYPES.get(name)
    return known.vcpus if known is not None else 1


def num_on_demand(settings: Settings, capacity: int) -> int:
    """Give how much of a group's capacity is not to be spot instances.

    Args:
        settings: The group's.
        capacity: What there is in all.
    """
    if settings["MultiAZPolicy"] not in _COMPOSED:
        return 0
    base = int(option(settings, "OnDemandBaseCapacity", 0))
    usual = 100 if settings["MultiAZPolicy"] == "COMPOSABLE" else 0
    percent = int(option(settings, "OnDemandPercentageAboveBaseCapacity", usual))
    above = max(0, capacity - base)
    return min(capacity, base) + math.ceil(above * percent / 100)


def option(settings: Settings, name: str, default: Any) -> Any:
    """Give one of the settings that have a newer place, in `CapacityOptions`, and an older one of their own."""
    newer = settings.get("CapacityOptions")
    if isinstance(newer, Mapping) and newer.get(name) is not None:
        return newer[name]
    return default if settings.get(name) is None else settings[name]


def to_remove(
    members: Sequence[Member],
    count: int,
    settings: Settings,
    made_at: Mapping[str, float],
    hour: int,
    *,
    others: Sequence[Member] = (),
) -> list[Member]:
    """Choose the members that go when a group is to shrink.

    Args:
        members: Those that may go.
        count: How much capacity goes; members that count for more than is left of it stay.
        settings: The group's: zones stay balanced where they are to be, of `COST_OPTIMIZED` the dearest CPUs go first,
            then its removal policies choose.
        made_at: When each scaling configuration was made, by id.
        hour: Hours since 1970, for the price of spot instances.
        others: Those that stay in any case, and make up their zones as well.
    """
    left, gone = list(members), list[Member]()
    policies = settings["RemovalPolicies"]
    assert isinstance(policies, list | tuple)
    while choice := [one for one in left if one.capacity <= count - capacity_of(gone)]:
        if is_balanced(settings):
            num_in_zone = Counter(member.zone_id for member in (*left, *others))
            most = max(num_in_zone[member.zone_id] for member in choice)
            choice = [member for member in choice if num_in_zone[member.zone_id] == most]
        if settings["MultiAZPolicy"] == "COST_OPTIMIZED":
            choice = _dearest(choice, settings, hour)
        for policy in policies:
            choice = _preferred(choice, str(policy), made_at)
        gone.append(choice[0])
        left.remove(choice[0])
    return gone


def _dearest(members: list[Member], settings: Settings, hour: int) -> list[Member]:
    def price(member: Member) -> float:
        name, zone_id, weight = member.instance_type, member.zone_id, member.capacity
        return _price(name, zone_id, settings, weight, is_spot=member.is_spot, hour=hour)

    highest = max(map(price, members))
    return [member for member in members if price(member) == highest]


def to_move(
    members: Sequence[Member],
    movable: Sequence[Member],
    zone_ids: Sequence[str],
    settings: Settings,
    made_at: Mapping[str, float],
    hour: int,
) -> list[Member]:
    """Choose the members whose places are to be taken by new ones, so that no two zones differ by more than one.

    Args:
        members: All that count.
        movable: Those of them that may go.
        zone_ids: The group's zones.
        settings: The group's: its removal policies choose.
        made_at: When each scaling configuration was made, by id.
        hour: Hours since 1970, for the price of spot instances.
    """
    left, gone = list(movable), list[Member]()
    num_in_zone = Counter(dict.fromkeys(zone_ids, 0))
    num_in_zone.update(member.zone_id for member in members)
    while True:
        fullest = max(num_in_zone, key=lambda zone_id: num_in_zone[zone_id])
        emptiest = min(num_in_zone, key=lambda zone_id: num_in_zone[zone_id])
        choice = [member for member in left if member.zone_id == fullest]
        if num_in_zone[fullest] - num_in_zone[emptiest] < 2 or not choice:
            return gone
        heaviest = max(member.capacity for member in choice)
        gone += to_remove(choice, heaviest, settings, made_at, hour)[:1]
        left.remove(gone[-1])
        num_in_zone[fullest] -= 1
        num_in_zone[emptiest] += 1


def _preferred(members: list[Member], policy: str, made_at: Mapping[str, float]) -> list[Member]:
    def age(member: Member) -> float:
        if policy == "OldestScalingConfiguration":
            return made_at.get(member.configuration_id, 0.0)
        return -member.created_at if policy == "NewestInstance" else member.created_at

    oldest = min(map(age, members))
    return [member for member in members if age(member) == oldest]
