"""The network of one VPC: a router namespace and, for each instance, a namespace on a virtual cable to it."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from steelyard.localcloud.hosts import cable, kernel
from steelyard.localcloud.hosts.cable import SERVICE_ADDRESS
from steelyard.localcloud.hosts.host import Wiring
from steelyard.localcloud.hosts.packet_filter import PacketFilter
from steelyard.localcloud.hosts.plug import Plug, set_up_loopback, write_setting

METADATA_ADDRESS = "100.100.100.200"


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
        plug = self._new_plug(kernel.new_network(), address)
        try:
            if packet_filter is not None:
                plug.filter(packet_filter)
            plug.set_up()
            plug.bring(wiring)
        except BaseException:
            plug.pull()
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
            plug = self._new_plug(network, address)
            if packet_filter is not None:
                plug.filter(packet_filter)
            if not plug.take_up(wiring):
                raise OSError(errno.ENODEV, f"no cable leads to {address}")
        except BaseException:
            os.close(network)
            raise
        with self._lock:
            self._plugs[instance_id] = plug
        return plug

    def _new_plug(self, network: int, address: str) -> Plug:
        return Plug(network=network, address=address, router=self.network, numbers=self._numbers)

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        """Bring an instance's cables to what they are to be; one that is not plugged in is fine.

        Raises:
            OSError: The kernel refuses it.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
        if plug is not None:
            plug.bring(wiring)

    def unplug(self, instance_id: str, only: Plug | None = None) -> None:
        """Remove an instance's cables and let go of its namespace; one that is not plugged in is fine.

        Args:
            instance_id: The instance.
            only: The end that is meant; a later one is left alone. Any where it is None.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
            if plug is None or (only is not None and plug is not only):
                return
            del self._plugs[instance_id]
            plug.pull()

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        """Put another filter in force; an instance that is not plugged in is fine.

        Raises:
            OSError: The kernel refuses it.
        """
        with self._lock:
            plug = self._plugs.get(instance_id)
        if plug is not None:
            plug.filter(packet_filter)

    def cut(self, instance_id: str) -> bool:
        """Take an instance's ends of its cables down, so that nothing arrives; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(instance_id, Plug.take_down)

    def mend(self, instance_id: str) -> bool:
        """Put an instance's ends of its cables up again; False for one that is not plugged in.

        Raises:
            OSError: The kernel refuses it.
        """
        return self._at_plug(instance_id, Plug.put_up)

    def _at_plug(self, instance_id: str, work: Callable[[Plug], None]) -> bool:
        with self._lock:
            plug = self._plugs.get(instance_id)
            if plug is None:
                return False
            work(plug)
            return True

    def instance_at(self, address: str) -> str | None:
        """Name the instance of an address, None where none is plugged in."""
        with self._lock:
            for name, plug in self._plugs.items():
                if plug.has(address):
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
    write_setting("ipv4/ip_forward", "1")
    # An instance cannot speak from another's address, by which the metadata service would know it.
    write_setting("ipv4/conf/all/rp_filter", "1")
    set_up_loopback()
    for address in (SERVICE_ADDRESS, METADATA_ADDRESS):
        _add_address(address)


def _add_address(address: str) -> None:
    with cable.links() as links:
        if not list(links.get_addr(index=1, address=address)):
            links.addr("add", index=1, address=address, prefixlen=32)


def _remove_address(address: str) -> None:
    with cable.links() as links:
        links.addr("del", index=1, address=address, prefixlen=32)
