"""Whose connections a listener takes, and how that is said to HAProxy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Self

EVERYBODY = "0.0.0.0/0"
_RANGES_A_LINE = 20  # HAProxy takes 64 words a line.


@dataclass(frozen=True, kw_only=True)
class ClientRule:
    """One rule about clients.

    Attributes:
        accepts: Whether a client that it fits is let in.
        cidrs: The clients' ranges.
        source_ports: First and last port that the clients call from; any where it is None.
    """

    accepts: bool
    cidrs: tuple[str, ...]
    source_ports: tuple[int, int] | None = None

    def fits(self, address: IPv4Address, port: int) -> bool:
        """Tell whether it is about a client."""
        if self.source_ports is not None and not self.source_ports[0] <= port <= self.source_ports[1]:
            return False
        return any(address in network for network in self._networks)

    @cached_property
    def _networks(self) -> list[IPv4Network]:
        return [IPv4Network(cidr, strict=False) for cidr in self.cidrs]


@dataclass(frozen=True)
class Gate:
    """Rules of which the first that fits a client decides; one that none fits is let in.

    Attributes:
        rules: The rules, in order.
    """

    rules: tuple[ClientRule, ...]

    @classmethod
    def of_list(cls, cidrs: Sequence[str], *, is_white: bool) -> Self:
        """Make the gate of an access control list.

        Args:
            cidrs: The listed ranges, at least one.
            is_white: Whether only the listed clients are let in; else all but them.
        """
        listed = ClientRule(accepts=is_white, cidrs=tuple(cidrs))
        return cls((listed, ClientRule(accepts=False, cidrs=(EVERYBODY,))) if is_white else (listed,))

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read a gate that was written as JSON by its fields."""
        return cls(
            tuple(
                ClientRule(
                    accepts=rule["accepts"],
                    cidrs=tuple(rule["cidrs"]),
                    source_ports=tuple(rule["source_ports"]) if rule["source_ports"] else None,
                )
                for rule in tree["rules"]
            )
        )

    def lets_in(self, address: IPv4Address, port: int) -> bool:
        """Tell whether a client is let in."""
        return next((rule.accepts for rule in self.rules if rule.fits(address, port)), True)


def gate_lines(gates: Sequence[Gate]) -> list[str]:
    """Give the lines of a listener that turn clients away, before a byte of theirs is read.

    Args:
        gates: All of them have to let a client in.
    """
    lines: list[str] = []
    for number, gate in enumerate(gates):
        verdict = f"sess.gate{number}"
        for place, rule in enumerate(gate.rules):
            name = f"gate-{number}-{place}"
            lines += [f"acl {name} src {' '.join(part)}" for part in _parts(rule.cidrs)]
            words = [f"tcp-request connection set-var({verdict}) int({int(rule.accepts)}) if"]
            words += [f"!{{ var({verdict}) -m found }}"] if place else []
            words.append(name)
            if rule.source_ports is not None:
                words.append("{{ src_port {}:{} }}".format(*rule.source_ports))
            lines.append(" ".join(words))
        lines.append(f"tcp-request connection reject if {{ var({verdict}) -m int 0 }}")
    return lines


def _parts(cidrs: Sequence[str]) -> list[Sequence[str]]:
    return [cidrs[start : start + _RANGES_A_LINE] for start in range(0, len(cidrs), _RANGES_A_LINE)]
