"""Addresses of the loopback network, claimed so that no two local clouds on a machine hand out the same."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

CLAIM_PORT = 61999  # Above Linux's default range of ephemeral ports, which ends at 60999.
_FIRST_OFFSET = 10
_SMALL_NETWORK = 64  # From this size on the first addresses are left free.
_RESERVED_TOP = 3  # A VSwitch keeps its last three addresses for itself, as on the cloud.


class AddressExhausted(Exception):
    """No address of the network is free."""


class AddressInUse(Exception):
    """The wanted address is claimed, by this local cloud or by another."""


def served_network(cidr: str) -> ipaddress.IPv4Network:
    """Return the loopback network that stands for a VSwitch's block: a.b.c.d is served as 127.b.c.d.

    Args:
        cidr: The block in CIDR notation, of 8 or more prefix bits.

    Raises:
        ValueError: If the block is malformed or wider than the loopback network.
    """
    network = ipaddress.IPv4Network(cidr)
    if network.prefixlen < 8:
        raise ValueError(f"{cidr} is wider than the loopback network")
    return ipaddress.IPv4Network((_on_loopback(network.network_address), network.prefixlen))


def served_address(address: str) -> str:
    """Return the loopback address that stands for an address; a loopback address stands for itself.

    Raises:
        ValueError: If the address is malformed.
    """
    return str(_on_loopback(ipaddress.IPv4Address(address)))


def _on_loopback(address: ipaddress.IPv4Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address((127 << 24) | (int(address) & 0xFFFFFF))


def candidates(network: ipaddress.IPv4Network) -> Iterator[str]:
    """Give the addresses of a VSwitch's block that may be handed out, lowest first."""
    first = _FIRST_OFFSET if network.num_addresses >= _SMALL_NETWORK else 1
    return (str(network[offset]) for offset in range(first, network.num_addresses - _RESERVED_TOP))


def is_reserved(network: ipaddress.IPv4Network, address: str) -> bool:
    """Tell whether a VSwitch keeps an address for itself: its first and its last three (help page of CreateVSwitch).

    Args:
        network: The VSwitch's block.
        address: The address, or the loopback address that stands for it.

    Raises:
        ValueError: If the address is malformed.
    """
    place = host_part(address) - host_part(str(network.network_address))
    return place == 0 or place >= network.num_addresses - _RESERVED_TOP


def host_part(address: str) -> int:
    """Give an address's last three bytes, which it shares with the loopback address that stands for it."""
    return int(ipaddress.IPv4Address(address)) & 0xFFFFFF


class AddressBook:
    """The addresses that this process holds: each by a socket bound on (address, `CLAIM_PORT`).

    The kernel frees an address when the process has ended, however it ends, and whoever was handed the claim as well
    (`files_of`): supervisors hold those of what they run, so that no other cloud gets them while their own is away.
    """

    def __init__(self) -> None:
        self._claims: dict[str, socket.socket] = {}
        self._left: dict[str, socket.socket] = {}
        """What an earlier cloud left held, until it is claimed."""
        self._lock = threading.Lock()

    def claim_served(
        self, cidr: str, wanted: str | None = None, may_be_used: Callable[[str], bool] = lambda address: True
    ) -> str:
        """Claim the loopback address that stands for one of a VSwitch's block.

        Args:
            cidr: The VSwitch's block.
            wanted: The address that is asked for; the lowest free one where it is None.
            may_be_used: Tells of a loopback address whether it may be handed out.

        Raises:
            ValueError: If the wanted address is malformed or outside the block.
            AddressInUse: If the wanted address is taken.
            AddressExhausted: If no address of the block is free.
        """
        network = served_network(cidr)
        if wanted is None:
            return self.claim(network, may_be_used)
        address = served_address(wanted)
        if ipaddress.IPv4Address(address) not in network:
            raise ValueError(f"{wanted} is outside {cidr}")
        if not may_be_used(address):
            raise AddressInUse(f"{address} is in use")
        self.claim_exactly(address)
        return address

    def claim(
        self, network: ipaddress.IPv4Network, may_be_used: Callable[[str], bool] = lambda address: True
    ) -> str:
        """Claim the lowest free address of a loopback network.

        Args:
            network: The network.
            may_be_used: Tells of an address whether it may be handed out.

        Raises:
            AddressExhausted: If none is free.
        """
        for address in candidates(network):
            if may_be_used(address) and self._hold(address):
                return address
        raise AddressExhausted(f"no address of {network} is free")

    def claim_exactly(self, address: str) -> None:
        """Claim one address.

        Raises:
            AddressInUse: If it is claimed already.
        """
        if not self._hold(address):
            raise AddressInUse(f"{address} is in use")

    def release(self, address: str) -> None:
        """Give an address back; one that is not held is fine."""
        with self._lock:
            claim = self._claims.pop(address, None)
        if claim is not None:
            claim.close()

    def release_all(self) -> None:
        """Give every address back."""
        for address in self.held():
            self.release(address)
        with self._lock:
            left, self._left = self._left, {}
        for claim in left.values():
            claim.close()

    def take_up(self, claim: socket.socket) -> None:
        """Keep a claim that a supervisor of an earlier cloud held, for whoever asks for its address."""
        address = claim.getsockname()[0]
        with self._lock:
            # Whatever runs at an address has a copy of its claim: a load balancer's two processes have one each.
            if address not in self._claims and address not in self._left:
                self._left[address] = claim
                return
        claim.close()

    def files_of(self, addresses: Sequence[str]) -> list[int]:
        """Give descriptors of the claims of addresses, for a supervisor to hold them, too; the caller closes them."""
        with self._lock:
            return [
                os.dup(self._claims[address].fileno()) for address in addresses if address in self._claims
            ]

    def held(self) -> list[str]:
        """Return the addresses that are held."""
        with self._lock:
            return list(self._claims)

    def _hold(self, address: str) -> bool:
        with self._lock:
            if address in self._claims:
                return False
            if address in self._left:
                self._claims[address] = self._left.pop(address)
                return True
            claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                claim.bind((address, CLAIM_PORT))
            except OSError:
                claim.close()
                return False
            self._claims[address] = claim
            return True
