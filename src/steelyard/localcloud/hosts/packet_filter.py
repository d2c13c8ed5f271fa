"""What may pass into and out of an instance: rules in order, sets of addresses, and a default. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

Protocol = Literal["tcp", "udp", "icmp", "gre", ""]
SERVICE_NETWORK = IPv4Network("100.64.0.0/10")
"""The cloud's own range: health checks, load balancers and the metadata service, which no security group holds up.

Source: localcloud.md §3.5, after the help page "CLB Health Check FAQ"."""


@dataclass(frozen=True, kw_only=True)
class FilterRule:
    """One rule; what it leaves open matches anything.

    Attributes:
        accepts: Whether a packet that matches passes; else it is dropped.
        protocol: The transport protocol; any where it is empty.
        network: The other side's addresses, its source on the way in and its destination on the way out.
        set_name: A set that the other side's address is in.
        ports: First and last destination port, of TCP and UDP only.
        source_ports: First and last source port, of TCP and UDP only.
    """

    accepts: bool
    protocol: Protocol = ""
    network: IPv4Network | None = None
    set_name: str = ""
    ports: tuple[int, int] | None = None
    source_ports: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class PacketFilter:
    """All the rules of one instance. The first that matches decides; replies to what passed always pass.

    Attributes:
        ingress: Rules on the way in, in order.
        egress: Rules on the way out, in order.
        accepts_egress: Whether what no egress rule matches may leave; what no ingress rule matches is dropped.
        sets: IPv4 addresses by the name of their set.
    """

    ingress: tuple[FilterRule, ...] = ()
    egress: tuple[FilterRule, ...] = ()
    accepts_egress: bool = True
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
