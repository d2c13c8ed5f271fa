"""Whose connections and datagrams a listener takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Self

EVERYBODY = "0.0.0.0/0"


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
