"""Virtual cables between a router and an instance, with the addresses and the ways at their ends.

An instance has a cable for each of its network interfaces. Answers to what came by a secondary one go back by it: what
is sent from its addresses is routed by a table of its own, since the router takes packets from an address by that
address's cable alone.

The functions of the router's side are called in the router's namespace, those of the instance's side in the instance's.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from steelyard.localcloud.hosts.leftover import CABLE_PREFIX
from steelyard.localcloud.hosts.packet_filter import SERVICE_NETWORK

SERVICE_ADDRESS = "100.64.0.1"
"""The router's own address: gateway of every instance, and where load balancers' traffic comes from, which on the
real cloud comes from the same range."""
OWN_DEVICE = "eth0"
"""The device of an instance's own interface; those of the others are `eth1`, `eth2`, ..."""

_DEVICE_PREFIX = "eth"
_FIRST_TABLE = 100
_ON_LINK = 4  # RTNH_F_ONLINK, linux/rtnetlink.h
_LINK_SCOPE = 253  # RT_SCOPE_LINK


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A cable as it lies.

    Attributes:
        device: The instance's end.
        cable: The router's end.
        addresses: The instance's addresses at it.
    """

    device: str
    cable: str
    addresses: tuple[str, ...]

    @property
    def table(self) -> int | None:
        """The routing table of what is sent from its addresses; None for the main one."""
        number = int(self.device.removeprefix(_DEVICE_PREFIX))
        return _FIRST_TABLE + number if number else None


def free_device(taken: Iterable[str]) -> str:
    """Give the first of `eth1`, `eth2`, ... that is not taken."""
    names, number = set(taken), 1
    while f"{_DEVICE_PREFIX}{number}" in names:
        number += 1
    return f"{_DEVICE_PREFIX}{number}"


@contextmanager
def links() -> Iterator[IPRoute]:
    """Open the way to the kernel's links, addresses and routes in the calling thread's namespace.

    Raises:
        OSError: The kernel refuses what is asked of it.
    """
    with closing(IPRoute()) as found:
        try:
            yield found
        except NetlinkError as err:
            raise OSError(err.code, str(err)) from err


# The router's side.


def lay(cable: str, device: str, network: int) -> None:
    """Lay a cable to an instance, whose end is down yet.

    Args:
        cable: Name of the end here.
        device: Name of the instance's end.
        network: Descriptor of the instance's namespace.
    """
    with links() as found:
        found.link("add", ifname=cable, kind="veth", peer={"ifname": device, "net_ns_fd": network})
        found.link("set", index=_index(found, cable), state="up")


def lead(cable: str, addresses: Iterable[str]) -> None:
    """Lead addresses to a cable."""
    with links() as found:
        for address in addresses:
            found.route(
                "replace",
                dst=f"{address}/32",
                oif=_index(found, cable),
                scope=_LINK_SCOPE,
                prefsrc=SERVICE_ADDRESS,
            )


def lead_nowhere(addresses: Iterable[str]) -> None:
    """Lead addresses to no cable any more; one that leads to none is fine."""
    with links() as found:
        for address in addresses:
            with suppress(NetlinkError):
                found.route("del", dst=f"{address}/32", scope=_LINK_SCOPE)


def cut(cable: str) -> None:
    """Remove a cable with both of its ends; one that is not there is fine."""
    with links() as found:
        for index in found.link_lookup(ifname=cable):
            found.link("del", index=index)


def led() -> Mapping[str, str]:
    """Give the cable of each address that is led to one."""
    with links() as found:
        names = {link["index"]: str(link.get_attr("IFLA_IFNAME")) for link in found.get_links()}
        routes = [
            (route.get_attr("RTA_DST"), names.get(route.get_attr("RTA_OIF"), ""))
            for route in found.get_routes(family=socket.AF_INET)
        ]
    return {str(address): cable for address, cable in routes if address and cable.startswith(CABLE_PREFIX)}


def highest() -> int:
    """Give the highest number of a cable that is there, 0 where none is."""
    with links() as found:
        names = [str(link.get_attr("IFLA_IFNAME")) for link in found.get_links()]
    numbers = [int(name.removeprefix(CABLE_PREFIX)) for name in names if name.startswith(CABLE_PREFIX)]
    return max(numbers, default=0)


# The instance's side.


def take(wire: Wire, addresses: Iterable[str]) -> None:
    """Give a cable's end addresses; what is sent from them goes by it."""
    with links() as found:
        for address in addresses:
            found.addr("replace", index=_index(found, wire.device), address=address, prefixlen=32)
            if wire.table is not None:
                with suppress(NetlinkError):  # It stayed from an end that was removed.
                    found.rule("del", src=address, src_len=32)
                found.rule("add", src=address, src_len=32, table=wire.table, priority=wire.table)


def leave(wire: Wire, addresses: Iterable[str]) -> None:
    """Take addresses from a cable's end; one that is not there is fine."""
    with links() as found:
        for address in addresses:
            with suppress(NetlinkError, OSError):
                found.addr("del", index=_index(found, wire.device), address=address, prefixlen=32)
            if wire.table is not None:
                with suppress(NetlinkError):
                    found.rule("del", src=address, src_len=32, table=wire.table, priority=wire.table)


def put_up(wire: Wire, routes: Sequence[str]) -> None:
    """Put a cable's end up, with the ways that the kernel drops when it goes down; ways that are there are fine.

    Args:
        wire: The cable.
        routes: The VPC's blocks.
    """
    table = {} if wire.table is None else {"table": wire.table}
    with links() as found:
        index = _index(found, wire.device)
        found.link("set", index=index, state="up")
        for block in (str(SERVICE_NETWORK), *routes):
            found.route("replace", dst=block, gateway=SERVICE_ADDRESS, oif=index, flags=_ON_LINK, **table)


def forget_routes(wire: Wire, routes: Iterable[str]) -> None:
    """Have no way to some blocks any more; one to which there is none is fine."""
    table = {} if wire.table is None else {"table": wire.table}
    with links() as found:
        for block in routes:
            with suppress(NetlinkError):
                found.route("del", dst=block, oif=_index(found, wire.device), **table)


def take_down(devices: Iterable[str]) -> None:
    """Take the ends of cables down, so that nothing arrives."""
    with links() as found:
        for device in devices:
            found.link("set", index=_index(found, device), state="down")


def devices() -> Mapping[str, tuple[str, ...]]:
    """Give the addresses of each end of a cable."""
    with links() as found:
        ends = [
            (link["index"], str(link.get_attr("IFLA_IFNAME")))
            for link in found.get_links()
            if str(link.get_attr("IFLA_IFNAME")).startswith(_DEVICE_PREFIX)
        ]
        return {
            name: tuple(str(one.get_attr("IFA_ADDRESS")) for one in found.get_addr(index=index))
            for index, name in ends
        }


def _index(found: IPRoute, name: str) -> int:
    indices = found.link_lookup(ifname=name)
    if not indices:
        raise OSError(errno.ENODEV, f"there is no link {name}")
    return int(indices[0])
