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
        shortest_drain_s: Shortest time that draining takes.
        slow_start_s: Shortest and longest time over which a new node's share of the requests grows; None for at once.
        has_rules: Whether rules send requests by path and host to other ports of the nodes.
        lists_servers: Whether its server groups name their servers themselves: they come after the nodes then, and
            nodes are not attached one by one.
        sticky_session_s: Longest time for which a client is kept on its node, by the listener's protocol; none where it
            is not among them.
        has_access_list: Whether a list of ranges says who may connect.
        layer_4_schedulers: Those that only listeners that pass connections on have.
        num_zones: Zones that it needs at least.
        num_zone_addresses: Addresses that it takes of each zone's VSwitch. A classic one takes one, in its first zone
            alone. The others take one to be called at and up to eight to call the nodes from (parameter
            `Ipv4LocalAddresses` of NLB's CreateLoadBalancer and of ALB's GetLoadBalancerAttribute).
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
    shortest_drain_s: int = 10
    slow_start_s: tuple[int, int] | None = None
    has_rules: bool = False
    lists_servers: bool = False

    @property
    def calls_from_zones(self) -> bool:
        """Whether it calls the nodes from addresses of its VSwitches."""
        return self.num_zones > 1


ABILITIES: Mapping[str, Ability] = {
    "classic": Ability(
        product="CLB",
        protocols=("http", "https", "tcp", "udp"),
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
        protocols=("tcp", "tcpssl", "udp"),
        schedulers=("wrr", "rr", "wlc", "sch"),
        drains=True,
        num_zones=2,
        num_zone_addresses=9,
    ),
    "application": Ability(
        product="ALB",
        protocols=("http", "https"),
        schedulers=("wrr", "wlc", "sch"),
        sticky_session_s={"http": 86400, "https": 86400},
        has_access_list=True,
        drains=True,
        shortest_drain_s=1,
        slow_start_s=(30, 900),
        has_rules=True,
        lists_servers=True,
        num_zones=2,
        num_zone_addresses=9,
    ),
}
"""What there is, by kind."""

SECURE_PROTOCOLS = ("https", "tcpssl")
"""What ends TLS at the load balancer."""

LONGEST_DRAIN_S = 900
"""Longest time that draining takes (NLB's and ALB's `ConnectionDrainTimeout`); 0 is no draining."""


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
            # The gateways speak no UDP: a kind that passes it on is no mend.
            spoken = [one for one in ability.protocols if one != "udp"]
            hint = f"use {listed(spoken)}{mend(able)}"
            yield Finding(path=("load_balancer", "listeners", i, "protocol"), message=message, hint=hint)
    if scheduler is not None and scheduler not in ability.schedulers:
        able = [name for name, other in ABILITIES.items() if scheduler in other.schedulers]
        yield Finding(
            path=("load_balancer", "scheduler"),
            message=f"a {kind} load balancer has no scheduler `{scheduler}`",
            hint=f"use {listed(ability.schedulers)}{mend(able)}",
        )
    yield from _drain_misfits(kind, ability, drain_timeout_s)
    if num_zones and num_zones < ability.num_zones:
        message = (
            f"a {kind} load balancer stands in {ability.num_zones} zones or more, and there is {num_zones}"
        )
        able = [name for name, other in ABILITIES.items() if other.num_zones <= num_zones]
        yield Finding(path=("load_balancer", "kind"), message=message, hint=f"name another zone{mend(able)}")


def _drain_misfits(kind: str, ability: Ability, drain_timeout_s: int | None) -> Iterator[Finding]:
    if not drain_timeout_s:
        return
    path = ("load_balancer", "drain_timeout_s")
    shortest, longest = ability.shortest_drain_s, LONGEST_DRAIN_S
    if not ability.drains:
        able = [name for name, other in ABILITIES.items() if other.drains]
        message = f"a {kind} load balancer gives the connections to a removed node no time to end"
        yield Finding(
            path=path,
            message=message,
            hint=f"use 0{mend(able)}",
        )
    elif not shortest <= drain_timeout_s <= longest:
        message = f"{drain_timeout_s} s is outside {shortest} to {longest} s"
        hint = f"the nearest is {max(shortest, min(longest, drain_timeout_s))}; 0 is no draining"
        yield Finding(path=path, message=message, hint=hint)


def mend(able: Sequence[str]) -> str:
    """Give the end of a hint that names the kinds that can; empty where none can."""
    return f", or take {listed(f'`kind: {kind}`' for kind in able)}" if able else ""
