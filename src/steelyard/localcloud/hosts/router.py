"""The network of one VPC: a router namespace and, for each instance, a namespace on a virtual cable to it."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyroute2 import IPRoute

from steelyard.localcloud.hosts import kernel, nftables
from steelyard.localcloud.hosts.leftover import CABLE_PREFIX
from steelyard.localcloud.hosts.packet_filter import SERVICE_NETWORK, PacketFilter

SERVICE_ADDRESS = "100.64.0.1"
"""The router's own address: gateway of every instance, and where load balancers' traffic comes from, which on the
real cloud comes from the same range."""

METADATA_ADDRESS = "100.100.100.200"
_INTERFACE = "eth0"
_ON_LINK = 4  # RTNH_F_ONLINK, linux/rtnetlink.h
_LINK_SCOPE = 253  # RT_SCOPE_LINK


@dataclass(frozen=True, kw_only=True)
class Plug:
    """An instance's end of its cable.

    Attributes:
        network: Descriptor of the instance's network namespace; open until the instance is unplugged.
        identity: What tells the namespace from others.
        address: The instance's address.
        cable: Name of the cable's other end, in the router.
        routes: Blocks to which the instance has a way.
    """

    network: int
    identity: kernel.NetworkId
    address: str
    cable: str
    routes: tuple[str, ...]


class Router:
    """Routes between the instances of one VPC, and nowhere else: there is no way to the machine's own network.

    Two VPCs may have the same addresses, since each has a router of its own. What it made is gone when it is closed,
    and when this process dies: the kernel removes a namespace with its last holder.

    Args:
        name: Name of its namespace, never used before by a cloud of this folder: HAProxy remembers names.
        network: Descriptor of its namespace, which is set up.
        mounts: Descriptor of the mount namespace in which it has its name.
    """

    def __init__(self, name: str, network: int, mounts: int) -> None:
        self.name = name
        self.network = network
        self._mounts = mounts
        self._identity = kernel.network_id(network)
        self._plugs: dict[str, Plug] = {}
        self._num_cables = 0
        # Held while cables are cut, so that the router's namespace is not closed meanwhile.
        self._lock = threading.RLock()

    @classmethod
    def make(cls, name: str, mounts: int) -> Self:
        """Make a router, and give its namespace its name.

        Raises:
            OSError: The kernel refuses it, or the name is taken.
        """
        network = kernel.new_network()
        try:
            kernel.inside(_set_up_router, network=network)
            kernel.give_name(name, network, mounts)
            return cls(name, network, mounts)
        except BaseException:
            os.close(network)
            raise

    @classmethod
    def find(cls, mounts: int) -> list[Self]:
        """Take up the routers that an earlier cloud made in a mount namespace, with no instance plugged in yet.

        Raises:
            OSError: The kernel refuses it.
        """
        routers = []
        for name, network in kernel.named_networks(mounts).items():
            router = cls(name, network, mounts)
            router._num_cables = kernel.inside(_highest_cable, network=network)
            routers.append(router)
        return routers

    def plug(
        self,
        instance_id: str,
        address: str,
        routes: Sequence[str],
        packet_filter: PacketFilter | None,
    ) -> Plug:
        """Give an instance a namespace with its address, its filter in force before its cable.

        Args:
            instance_id: The instance; one that is plugged in already gets a new namespace.
            address: Its address.
            routes: The VPC's blocks. There is no way anywhere else, and the instance's kernel says so at once, where
                with a default route a look-up of a name would wait for a resolver that is not there.
            packet_filter: What may pass; everything where it is None.

        Raises:
            OSError: The kernel refuses it.
        """
        self.unplug(instance_id)
        with self._lock:
            self._num_cables += 1
            cable = f"{CABLE_PREFIX}{self._num_cables}"
        network = kernel.new_network()
        try:
            if packet_filter is not None:
                kernel.inside(lambda: nftables.install(packet_filter), network=network)
            kernel.inside(lambda: _lay_cable(cable, address, network), network=self.network)
            kernel.inside(lambda: _set_up_instance(address, routes), network=network)
        except BaseException:
            self._cut(cable)
            os.close(network)
            raise
        identity = kernel.network_id(network)
        plug = Plug(network=network, identity=identity, address=address, cable=cable, routes=tuple(routes))
        with self._lock:
            self._plugs[instance_id] = plug
        return plug

    def take_up(
        self,
        instance_id: str,
        address: str,
        routes: Sequence[str],
        keeper: int,
        packet_filter: PacketFilter | None,
    ) -> Plug:
        """Know an instance again that an earlier cloud plugged in, and mend its cable.

        Args:
            instance_id: The instance.
            address: Its address.
            routes: The VPC's blocks.
            keeper: Process id of its supervisor, by which its namespace is found.
            packet_filter: What may pass from now on; as before where it is None.

        Raises:
            OSError: It has no namespace of its own or no cable here, or the kernel refuses it.
        """
        network = os.open(f"/proc/{keeper}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            identity = kernel.network_id(network)
            cable = kernel.inside(lambda: _find_cable(address), network=self.network)
            if packet_filter is not None:
                kernel.inside(lambda: nftables.install(packet_filter), network=network)
            kernel.inside(lambda: _put_up(routes), network=network)
        except BaseException:
            os.close(network)
            raise
        plug = Plug(network=network, identity=identity, address=address, cable=cable, routes=tuple(routes))
        with self._lock:
            self._plugs[instance_id] = plug
        return plug

    def unplug(self, instance_id: str, only: Plug | None = None) -> None:
        """Remove an instance's cable and let go of its namespace; one that is not plugged in is fine.

        The cable goes first: sockets that nobody holds any more may keep the namespace for minutes.

        Args:
            instance_id: The instance.
            only: The end that is meant; a later one is left alone. Any where it is None.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
            if plug is None or (only is not None and plug is not only):
                return
            del self._plugs[instance_id]
            self._cut(plug.cable)
            os.close(plug.network)

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        """Put another filter in force; an instance that is not plugged in is fine.

        Raises:
            OSError: The kernel refuses it.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
            network = os.dup(plug.network) if plug is not None else None
        if network is not None:
            try:
                kernel.inside(lambda: nftables.install(packet_filter), network=network)
            finally:
                os.close(network)

    def cut(self, instance_id: str) -> bool:
        """Take an instance's end of its cable down, so that nothing arrives; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(instance_id, lambda plug: _take_down())

    def mend(self, instance_id: str) -> bool:
        """Put an instance's end of its cable up again; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(instance_id, lambda plug: _put_up(plug.routes))

    def _at_plug(self, instance_id: str, work: Callable[[Plug], None]) -> bool:
        with self._lock:
            plug = self._plugs.get(instance_id)
            if plug is not None:
                kernel.inside(lambda: work(plug), network=plug.network)
            return plug is not None

    def instance_at(self, address: str) -> str | None:
        """Name the instance of an address, None where none is plugged in."""
        with self._lock:
            return next((name for name, plug in self._plugs.items() if plug.address == address), None)

    def serve_address(self, address: str) -> None:
        """Give the router another address of its own, for a load balancer."""
        kernel.inside(lambda: _add_address(address), network=self.network)

    def drop_address(self, address: str) -> None:
        """Take an address away again; one that is not there is fine."""
        with suppress(OSError):
            kernel.inside(lambda: _remove_address(address), network=self.network)

    def listen(self, address: str, port: int) -> socket.socket:
        """Listen on an address of the router."""

        def run() -> socket.socket:
            return socket.create_server((address, port), backlog=128)

        return kernel.inside(run, network=self.network)

    def identities(self) -> list[kernel.NetworkId]:
        """Tell which namespaces it has."""
        with self._lock:
            return [self._identity, *(plug.identity for plug in self._plugs.values())]

    def close(self) -> None:
        """Remove every cable, the name and the namespace."""
        with self._lock:
            for instance_id in list(self._plugs):
                self.unplug(instance_id)
            kernel.take_name(self.name, self._mounts)
            os.close(self.network)

    def _cut(self, cable: str) -> None:
        def run() -> None:
            with _links() as links:
                for index in links.link_lookup(ifname=cable):
                    links.link("del", index=index)

        kernel.inside(run, network=self.network)


def _links() -> closing[IPRoute]:
    return closing(IPRoute())


def _set_up_router() -> None:
    _write_setting("ipv4/ip_forward", "1")
    # An instance cannot speak from another's address, by which the metadata service would know it.
    _write_setting("ipv4/conf/all/rp_filter", "1")
    _set_up_loopback()
    for address in (SERVICE_ADDRESS, METADATA_ADDRESS):
        _add_address(address)


def _lay_cable(cable: str, address: str, network: int) -> None:
    with _links() as links:
        links.link("add", ifname=cable, kind="veth", peer={"ifname": _INTERFACE, "net_ns_fd": network})
        (index,) = links.link_lookup(ifname=cable)
        links.link("set", index=index, state="up")
        links.route("add", dst=f"{address}/32", oif=index, scope=_LINK_SCOPE, prefsrc=SERVICE_ADDRESS)


def _find_cable(address: str) -> str:
    """Name the cable that leads to an address."""
    with _links() as links:
        for route in links.get_routes(family=socket.AF_INET):
            if route.get_attr("RTA_DST") == address:
                (link,) = links.get_links(route.get_attr("RTA_OIF"))
                return str(link.get_attr("IFLA_IFNAME"))
    raise OSError(errno.ENODEV, f"no cable leads to {address}")


def _highest_cable() -> int:
    """Give the highest number of a cable that is there, 0 where none is."""
    with _links() as links:
        names = [str(link.get_attr("IFLA_IFNAME")) for link in links.get_links()]
    return max(
        (int(name.removeprefix(CABLE_PREFIX)) for name in names if name.startswith(CABLE_PREFIX)), default=0
    )


def _set_up_instance(address: str, routes: Sequence[str]) -> None:
    _set_up_loopback()
    with _links() as links:
        (index,) = links.link_lookup(ifname=_INTERFACE)
        links.addr("add", index=index, address=address, prefixlen=32)
    _put_up(routes)


def _put_up(routes: Sequence[str]) -> None:
    """Put the cable up, with the ways that the kernel drops when it goes down; ways that are there are fine."""
    with _links() as links:
        (index,) = links.link_lookup(ifname=_INTERFACE)
        links.link("set", index=index, state="up")
        for block in (str(SERVICE_NETWORK), *routes):
            links.route("replace", dst=block, gateway=SERVICE_ADDRESS, oif=index, flags=_ON_LINK)


def _take_down() -> None:
    with _links() as links:
        (index,) = links.link_lookup(ifname=_INTERFACE)
        links.link("set", index=index, state="down")


def _set_up_loopback() -> None:
    with suppress(FileNotFoundError):  # A kernel without IPv6 has nothing to switch off.
        _write_setting("ipv6/conf/all/disable_ipv6", "1")
        _write_setting("ipv6/conf/default/disable_ipv6", "1")
    with _links() as links:
        links.link("set", index=1, state="up")


def _add_address(address: str) -> None:
    with _links() as links:
        if not list(links.get_addr(index=1, address=address)):
            links.addr("add", index=1, address=address, prefixlen=32)


def _remove_address(address: str) -> None:
    with _links() as links:
        links.addr("del", index=1, address=address, prefixlen=32)


def _write_setting(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value, encoding="ascii")
