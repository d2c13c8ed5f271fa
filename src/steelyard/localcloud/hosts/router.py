"""The network of one VPC: a router namespace and, for each instance, a namespace on a virtual cable to it."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

from steelyard.localcloud.hosts import cable, kernel, nftables
from steelyard.localcloud.hosts.cable import SERVICE_ADDRESS, Wire
from steelyard.localcloud.hosts.host import Wiring
from steelyard.localcloud.hosts.leftover import CABLE_PREFIX
from steelyard.localcloud.hosts.packet_filter import PacketFilter

METADATA_ADDRESS = "100.100.100.200"
_OWN = ""
"""What stands for an instance's own interface, whose id is not asked, beside the ids of the others."""


@dataclass(kw_only=True, eq=False)
class Plug:
    """An instance's end of its cables, as they lie; changed by its router alone.

    Attributes:
        network: Descriptor of the instance's network namespace; open until the instance is unplugged.
        identity: What tells the namespace from others.
        address: The first address of its own interface.
        wires: Its cables by the id of the network interface, that of its own under the empty id.
        routes: Blocks to which the instance has a way.
        lock: Held while its cables change; taken inside of the router's lock, never around it.
        is_pulled: Whether it has been unplugged.
    """

    network: int
    identity: kernel.NetworkId
    address: str
    wires: dict[str, Wire] = field(default_factory=dict)
    routes: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_pulled: bool = False


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
        self._numbers = itertools.count(1)
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
            router._numbers = itertools.count(kernel.inside(cable.highest, network=network) + 1)
            routers.append(router)
        return routers

    def plug(
        self, instance_id: str, address: str, wiring: Wiring, packet_filter: PacketFilter | None
    ) -> Plug:
        """Give an instance a namespace with its addresses, its filter in force before its cables.

        Args:
            instance_id: The instance; one that is plugged in already gets a new namespace.
            address: The first address of its own interface.
            wiring: What else there is. There is no way anywhere but to the VPC's blocks, and the instance's kernel says
                so at once, where with a default route a look-up of a name would wait for a resolver that is not there.
            packet_filter: What may pass; everything where it is None.

        Raises:
            OSError: The kernel refuses it.
        """
        self.unplug(instance_id)
        network = kernel.new_network()
        plug = Plug(network=network, identity=kernel.network_id(network), address=address)
        try:
            if packet_filter is not None:
                kernel.inside(lambda: nftables.install(packet_filter), network=network)
            kernel.inside(_set_up_loopback, network=network)
            self._bring(plug, wiring)
        except BaseException:
            self._pull(plug)
            raise
        with self._lock:
            self._plugs[instance_id] = plug
        return plug

    def take_up(
        self,
        instance_id: str,
        address: str,
        wiring: Wiring,
        keeper: int,
        packet_filter: PacketFilter | None,
    ) -> Plug:
        """Know an instance again that an earlier cloud plugged in, and mend its cables.

        Args:
            instance_id: The instance.
            address: The first address of its own interface.
            wiring: What else there is to be.
            keeper: Process id of its supervisor, by which its namespace is found.
            packet_filter: What may pass from now on; as before where it is None.

        Raises:
            OSError: It has no namespace of its own or no cable here, or the kernel refuses it.
        """
        network = os.open(f"/proc/{keeper}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            plug = Plug(network=network, identity=kernel.network_id(network), address=address)
            plug.wires = self._find_wires(network, {_OWN: address} | _first_addresses(wiring))
            if _OWN not in plug.wires:
                raise OSError(errno.ENODEV, f"no cable leads to {address}")
            if packet_filter is not None:
                kernel.inside(lambda: nftables.install(packet_filter), network=network)
            for wire in plug.wires.values():
                kernel.inside(partial(cable.put_up, wire, wiring.routes), network=network)
            self._bring(plug, wiring)
        except BaseException:
            os.close(network)
            raise
        with self._lock:
            self._plugs[instance_id] = plug
        return plug

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        """Bring an instance's cables to what they are to be; one that is not plugged in is fine.

        Raises:
            OSError: The kernel refuses it.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
        if plug is not None:
            self._bring(plug, wiring)

    def _bring(self, plug: Plug, wiring: Wiring) -> None:
        """Lay, remove and readdress cables until they are what they are to be."""
        wanted = {_OWN: (plug.address, *wiring.addresses), **wiring.devices}
        with plug.lock:
            if plug.is_pulled:
                return
            for interface_id in [one for one in plug.wires if one not in wanted]:
                self._remove(plug, plug.wires.pop(interface_id))
            self._change_routes(plug, wiring.routes)
            for interface_id, addresses in wanted.items():
                before = plug.wires.get(interface_id) or self._lay(plug, interface_id)
                plug.wires[interface_id] = self._readdress(plug, before, addresses)

    def _lay(self, plug: Plug, interface_id: str) -> Wire:
        taken = [wire.device for wire in plug.wires.values()]
        wire = Wire(
            device=cable.OWN_DEVICE if interface_id == _OWN else cable.free_device(taken),
            cable=f"{CABLE_PREFIX}{next(self._numbers)}",
            addresses=(),
        )
        try:
            kernel.inside(lambda: cable.lay(wire.cable, wire.device, plug.network), network=self.network)
            kernel.inside(lambda: cable.put_up(wire, plug.routes), network=plug.network)
        except BaseException:
            kernel.inside(lambda: cable.cut(wire.cable), network=self.network)
            raise
        plug.wires[interface_id] = wire
        return wire

    def _readdress(self, plug: Plug, wire: Wire, addresses: tuple[str, ...]) -> Wire:
        gone = [one for one in wire.addresses if one not in addresses]
        new = [one for one in addresses if one not in wire.addresses]
        if gone:
            kernel.inside(lambda: cable.lead_nowhere(gone), network=self.network)
            kernel.inside(lambda: cable.leave(wire, gone), network=plug.network)
        if new:
            kernel.inside(lambda: cable.lead(wire.cable, new), network=self.network)
            kernel.inside(lambda: cable.take(wire, new), network=plug.network)
        return replace(wire, addresses=addresses)

    def _remove(self, plug: Plug, wire: Wire) -> None:
        kernel.inside(lambda: cable.leave(wire, wire.addresses), network=plug.network)
        kernel.inside(lambda: cable.cut(wire.cable), network=self.network)

    def _change_routes(self, plug: Plug, routes: tuple[str, ...]) -> None:
        gone = [block for block in plug.routes if block not in routes]
        is_new = not set(routes) <= set(plug.routes)
        for wire in plug.wires.values():
            if is_new:
                kernel.inside(partial(cable.put_up, wire, routes), network=plug.network)
            if gone:
                kernel.inside(partial(cable.forget_routes, wire, gone), network=plug.network)
        plug.routes = routes

    def _find_wires(self, network: int, first_addresses: Mapping[str, str]) -> dict[str, Wire]:
        """Find the cables of an instance as they lie; one of an interface that it has no more is under its device.

        An end to which no address is led is of a cable that was about to be laid, and is removed.
        """
        led = kernel.inside(cable.led, network=self.network)
        names = {address: interface_id for interface_id, address in first_addresses.items()}
        wires = {}
        for device, addresses in kernel.inside(cable.devices, network=network).items():
            ends = {led[address] for address in addresses if address in led}
            if not ends:
                kernel.inside(partial(cable.cut, device), network=network)
                continue
            known = next((names[address] for address in addresses if address in names), device)
            wires[known] = Wire(device=device, cable=ends.pop(), addresses=addresses)
        return wires

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
            self._pull(plug)

    def _pull(self, plug: Plug) -> None:
        with plug.lock:
            plug.is_pulled = True
            for wire in plug.wires.values():
                kernel.inside(partial(cable.cut, wire.cable), network=self.network)
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
        """Take an instance's ends of its cables down, so that nothing arrives; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(
            instance_id, lambda plug: cable.take_down(wire.device for wire in plug.wires.values())
        )

    def mend(self, instance_id: str) -> bool:
        """Put an instance's ends of its cables up again; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(instance_id, _put_up)

    def _at_plug(self, instance_id: str, work: Callable[[Plug], None]) -> bool:
        with self._lock:
            plug = self._plugs.get(instance_id)
            if plug is None:
                return False
            with plug.lock:
                kernel.inside(lambda: work(plug), network=plug.network)
            return True

    def instance_at(self, address: str) -> str | None:
        """Name the instance of an address, None where none is plugged in."""
        with self._lock:
            for name, plug in self._plugs.items():
                if any(address in wire.addresses for wire in list(plug.wires.values())):
                    return name
        return None

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


def _set_up_router() -> None:
    _write_setting("ipv4/ip_forward", "1")
    # An instance cannot speak from another's address, by which the metadata service would know it.
    _write_setting("ipv4/conf/all/rp_filter", "1")
    _set_up_loopback()
    for address in (SERVICE_ADDRESS, METADATA_ADDRESS):
        _add_address(address)


def _put_up(plug: Plug) -> None:
    for wire in plug.wires.values():
        cable.put_up(wire, plug.routes)


def _first_addresses(wiring: Wiring) -> dict[str, str]:
    return {interface_id: addresses[0] for interface_id, addresses in wiring.devices.items()}


def _set_up_loopback() -> None:
    with suppress(FileNotFoundError):  # A kernel without IPv6 has nothing to switch off.
        _write_setting("ipv6/conf/all/disable_ipv6", "1")
        _write_setting("ipv6/conf/default/disable_ipv6", "1")
    with cable.links() as links:
        links.link("set", index=1, state="up")


def _add_address(address: str) -> None:
    with cable.links() as links:
        if not list(links.get_addr(index=1, address=address)):
            links.addr("add", index=1, address=address, prefixlen=32)


def _remove_address(address: str) -> None:
    with cable.links() as links:
        links.addr("del", index=1, address=address, prefixlen=32)


def _write_setting(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value, encoding="ascii")
