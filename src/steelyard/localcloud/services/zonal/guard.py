"""The security groups of a load balancer: which clients its listeners take by their rules. Pure.

A group's own rules go by priority. Behind them the cloud lets everybody in: it puts each load balancer into a managed
group whose last rule does (help page "Add an NLB instance to a security group", and ALB's of the same name). So a
group without a rule of `Drop` keeps nobody out, and what it says of the way out has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import dropwhile
from typing import Literal

from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.traffic.gate import EVERYBODY, ClientRule, Gate


def guarded(config: ProxyConfig, packet_filter: PacketFilter) -> ProxyConfig:
    """Give what a load balancer does with a gate before each listener.

    Args:
        config: What it does.
        packet_filter: What its security groups let pass.
    """
    listeners = (
        replace(one, gates=(*one.gates, *_gates(packet_filter, "tcp", one.port))) for one in config.listeners
    )
    datagrams = (
        replace(one, gates=(*one.gates, *_gates(packet_filter, "udp", one.port))) for one in config.datagrams
    )
    return replace(config, listeners=tuple(listeners), datagrams=tuple(datagrams))


def _gates(packet_filter: PacketFilter, protocol: Literal["tcp", "udp"], port: int) -> tuple[Gate, ...]:
    rules = [
        ClientRule(accepts=rule.accepts, cidrs=cidrs, source_ports=rule.source_ports)
        for rule in packet_filter.ingress
        if rule.protocol in ("", protocol) and _is_of_port(rule, port)
        for cidrs in _sources(rule, packet_filter)
    ]
    # What is let in by the last rules is let in without them.
    needed = list(dropwhile(lambda rule: rule.accepts, reversed(rules)))[::-1]
    return (Gate(tuple(needed)),) if needed else ()


def _is_of_port(rule: FilterRule, port: int) -> bool:
    return rule.ports is None or rule.ports[0] <= port <= rule.ports[1]


def _sources(rule: FilterRule, packet_filter: PacketFilter) -> Iterator[tuple[str, ...]]:
    """Give the clients that a rule is about; nothing for a group without members."""
    if not rule.set_name:
        yield (str(rule.network) if rule.network is not None else EVERYBODY,)
    elif members := packet_filter.sets[rule.set_name]:
        yield tuple(sorted(members))
