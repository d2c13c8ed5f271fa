"""What each kind of load balancer can do: one table for the spec's checks and for the component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from steelyard.spec.mistake import Finding
from steelyard.spec.nearest import listed


@dataclass(frozen=True, kw_only=True)
class Ability:
    """What a kind of load balancer can do, as far as this version makes use of it.

    Attributes:
        product: Alibaba Cloud's name for it.
        protocols: What its listeners speak.
        schedulers: How it chooses a node.
        drains: Whether it gives the connections to a removed node time to end.
        sticky_session_s: Longest time for which a client is kept on its node, by the listener's protocol; none where it
            is not among them.
        has_access_list: Whether a list of ranges says who may connect.
        layer_4_schedulers: Those that only listeners that pass connections on have.
        num_zones: Zones that it needs at least.
        num_zone_addresses: Addresses that it takes of each zone's VSwitch. A classic one takes one, in its first zone
            alone. A network one takes one to be called at and up to eight to call the nodes from (parameter
            `Ipv4LocalAddresses` of NLB's CreateLoadBalancer).
    """

    product: str
    protocols: tuple[str, ...]
    schedulers: tuple[str, ...]
    drains: bool
    num_zones: int
    num_zone_addresses: int
    sticky_session_s: Mapping[str, int] = field(default_factory=dict)
    has_access_list: bool = False
    layer_4_schedulers: tuple[str, ...] = ()


ABILITIES: Mapping[str, Ability] = {
    "classic": Ability(
        product="CLB",
        protocols=("http", "https", "tcp"),
        schedulers=("wrr", "rr", "sch"),
        layer_4_schedulers=("sch",),
        sticky_session_s={"http": 86400, "https": 86400, "tcp": 3600},
        has_access_list=True,
        drains=False,
        num_zones=1,
        num_zone_addresses=1,
    ),
    "network": Ability(
        product="NLB",
        protocols=("tcp", "tcpssl"),
        schedulers=("wrr", "rr", "wlc", "sch"),
        drains=True,
        num_zones=2,
        num_zone_addresses=9,
    ),
}
"""What there is, by kind."""

SECURE_PROTOCOLS = ("https", "tcpssl")
"""What ends TLS at the load balancer."""

DRAIN_TIMES_S = (10, 900)
"""Shortest and longest time that draining takes (the provider's `connection_drain_timeout`); 0 is no draining."""


def misfits(
    kind: str | None,
    *,
    protocols: Sequence[tuple[int, str | None]],
    scheduler: str | None,
    drain_timeout_s: int | None,
    num_zones: int | None,
) -> Iterator[Finding]:
    """Give what is asked of a load balancer and is not what its kind can do, each with the kind that can.

    What is None could not be read, and is passed over.

    Args:
        kind: The kind.
        protocols: The listeners' protocols, with their places in the list.
        scheduler: How it is to choose a node.
        drain_timeout_s: Seconds that connections to a removed node are given; 0 for no draining.
        num_zones: Number of the cluster's zones.
    """
    ability = ABILITIES.get(kind or "")
    if kind is None or ability is None:
        return
    for i, protocol in protocols:
        if protocol is not None and protocol not in ability.protocols:
            message = f"a {kind} load balancer's listener does not speak {protocol}"
            able = [name for name, other in ABILITIES.items() if protocol in other.protocols]
            hint = f"use {listed(ability.protocols)}{_mend(able)}"
            yield Finding(path=("load_balancer", "listeners", i, "protocol"), message=message, hint=hint)
    if scheduler is not None and scheduler not in ability.schedulers:
        able = [name for name, other in ABILITIES.items() if scheduler in other.schedulers]
        yield Finding(
            path=("load_balancer", "scheduler"),
            message=f"a {kind} load balancer has no scheduler `{scheduler}`",
            hint=f"use {listed(ability.schedulers)}{_mend(able)}",
        )
    yield from _drain_misfits(kind, ability, drain_timeout_s)
    if num_zones and num_zones < ability.num_zones:
        message = (
            f"a {kind} load balancer stands in {ability.num_zones} zones or more, and there is {num_zones}"
        )
        able = [name for name, other in ABILITIES.items() if other.num_zones <= num_zones]
        yield Finding(path=("load_balancer", "kind"), message=message, hint=f"name another zone{_mend(able)}")


def _drain_misfits(kind: str, ability: Ability, drain_timeout_s: int | None) -> Iterator[Finding]:
    if not drain_timeout_s:
        return
    path = ("load_balancer", "drain_timeout_s")
    shortest, longest = DRAIN_TIMES_S
    if not ability.drains:
        able = [name for name, other in ABILITIES.items() if other.drains]
        message = f"a {kind} load balancer gives the connections to a removed node no time to end"
        yield Finding(
            path=path,
            message=message,
            hint=f"use 0{_mend(able)}",
        )
    elif not shortest <= drain_timeout_s <= longest:
        message = f"{drain_timeout_s} s is outside {shortest} to {longest} s"
        hint = f"the nearest is {max(shortest, min(longest, drain_timeout_s))}; 0 is no draining"
        yield Finding(path=path, message=message, hint=hint)


def _mend(able: Sequence[str]) -> str:
    """Give the end of a hint that names the kinds that can; empty where none can."""
    return f", or take {listed(f'`kind: {kind}`' for kind in able)}" if able else ""
