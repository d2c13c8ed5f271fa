"""An instance's end of the cables to its VPC's router."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from steelyard.localcloud.hosts import cable, kernel, nftables
from steelyard.localcloud.hosts.cable import Wire
from steelyard.localcloud.hosts.host import Wiring
from steelyard.localcloud.hosts.leftover import CABLE_PREFIX
from steelyard.localcloud.hosts.packet_filter import PacketFilter

OWN = ""
"""What stands for an instance's own interface, whose id is not asked, beside the ids of the others."""


class Plug:
    """An instance's network namespace, and its cables as they lie; one that is pulled is left alone.

    Args:
        network: Descriptor of the namespace, closed by `pull`.
        address: The first address of the instance's own interface.
        router: Descriptor of the router's namespace.
        numbers: Numbers that no cable of the router has had.
    """

    def __init__(self, *, network: int, address: str, router: int, numbers: Iterator[int]) -> None:
        self.network = network
        self.identity = kernel.network_id(network)
        """What tells the namespace from others."""
        self.wires: dict[str, Wire] = {}
        """Its cables by the id of the network interface, that of its own under the empty id."""
        self._address = address
        self._router = router
        self._numbers = numbers
        self._routes: tuple[str, ...] = ()
        # Held while its cables change; taken inside of the router's lock, never around it.
        self._lock = threading.Lock()
        self._is_pulled = False

    def set_up(self) -> None:
        """Make a fresh namespace ready for cables.

        Raises:
            OSError: The kernel refuses it.
        """
        kernel.inside(set_up_loopback, network=self.network)

    def filter(self, packet_filter: PacketFilter) -> None:
        """Put a filter in force.

        Raises:
            OSError: The kernel refuses it.
        """
        with self._lock:
            if self._is_pulled:
                return
            network = os.dup(self.network)
        try:
            kernel.inside(lambda: nftables.install(packet_filter), network=network)
        finally:
            os.close(network)

    def bring(self, wiring: Wiring) -> None:
        """Lay, remove and readdress cables until they are what they are to be.

        Raises:
            OSError: The kernel refuses it.
        """
        wanted = {OWN: (self._address, *wiring.addresses), **wiring.devices}
        with self._lock:
            if self._is_pulled:
                return
            for interface_id in [one for one in self.wires if one not in wanted]:
                self._remove(self.wires.pop(interface_id))
            self._change_routes(wiring.routes)
            for interface_id, addresses in wanted.items():
                before = self.wires.get(interface_id) or self._lay(interface_id)
                self.wires[interface_id] = self._readdress(before, addresses)

    def take_up(self, wiring: Wiring) -> bool:
        """Know the cables again that an earlier cloud laid, and mend them; False where there is none of its own.

        Raises:
            OSError: The kernel refuses it.
        """
        self.wires = self._find_wires(wiring)
        if OWN not in self.wires:
            return False
        for wire in self.wires.values():
            kernel.inside(partial(cable.put_up, wire, wiring.routes), network=self.network)
        self.bring(wiring)
        return True

    def take_down(self) -> None:
        """Take its ends down, so that nothing arrives.

        Raises:
            OSError: The kernel refuses it.
        """
        self._inside(lambda: cable.take_down(wire.device for wire in self.wires.values()))

    def put_up(self) -> None:
        """Put its ends up again.

        Raises:
            OSError: The kernel refuses it.
        """

        def run() -> None:
            for wire in self.wires.values():
                cable.put_up(wire, self._routes)

        self._inside(run)

    def has(self, address: str) -> bool:
        """Tell whether an address is one of the instance's."""
        return any(address in wire.addresses for wire in list(self.wires.values()))

    def pull(self) -> None:
        """Remove its cables and let go of the namespace.

        The cables go first: sockets that nobody holds any more may keep the namespace for minutes.
        """
        with self._lock:
            self._is_pulled = True
            for wire in self.wires.values():
                kernel.inside(partial(cable.cut, wire.cable), network=self._router)
            os.close(self.network)

    def _inside(self, work: Callable[[], None]) -> None:
        with self._lock:
            if not self._is_pulled:
                kernel.inside(work, network=self.network)

    def _lay(self, interface_id: str) -> Wire:
        taken = [wire.device for wire in self.wires.values()]
        wire = Wire(
            device=cable.OWN_DEVICE if interface_id == OWN else cable.free_device(taken),
            cable=f"{CABLE_PREFIX}{next(self._numbers)}",
            addresses=(),
        )
        try:
            kernel.inside(lambda: cable.lay(wire.cable, wire.device, self.network), network=self._router)
            kernel.inside(lambda: cable.put_up(wire, self._routes), network=self.network)
        except BaseException:
            kernel.inside(lambda: cable.cut(wire.cable), network=self._router)
            raise
        self.wires[interface_id] = wire
        return wire

    def _readdress(self, wire: Wire, addresses: tuple[str, ...]) -> Wire:
        gone = [one for one in wire.addresses if one not in addresses]
        new = [one for one in addresses if one not in wire.addresses]
        if gone:
            kernel.inside(lambda: cable.lead_nowhere(gone), network=self._router)
            kernel.inside(lambda: cable.leave(wire, gone), network=self.network)
        if new:
            kernel.inside(lambda: cable.lead(wire.cable, new), network=self._router)
            kernel.inside(lambda: cable.take(wire, new), network=self.network)
        return replace(wire, addresses=addresses)

    def _remove(self, wire: Wire) -> None:
        kernel.inside(lambda: cable.leave(wire, wire.addresses), network=self.network)
        kernel.inside(lambda: cable.cut(wire.cable), network=self._router)

    def _change_routes(self, routes: tuple[str, ...]) -> None:
        gone = [block for block in self._routes if block not in routes]
        is_new = not set(routes) <= set(self._routes)
        for wire in self.wires.values():
            if is_new:
                kernel.inside(partial(cable.put_up, wire, routes), network=self.network)
            if gone:
                kernel.inside(partial(cable.forget_routes, wire, gone), network=self.network)
        self._routes = routes

    def _find_wires(self, wiring: Wiring) -> dict[str, Wire]:
        """Find the cables as they lie; one of an interface that the instance has no more is under its device.

        An end to which no address is led is of a cable that was about to be laid, and is removed.
        """
        led = kernel.inside(cable.led, network=self._router)
        names = {addresses[0]: interface_id for interface_id, addresses in wiring.devices.items()}
        names[self._address] = OWN
        wires = {}
        for device, addresses in kernel.inside(cable.devices, network=self.network).items():
            ends = {led[address] for address in addresses if address in led}
            if not ends:
                kernel.inside(partial(cable.cut, device), network=self.network)
                continue
            known = next((names[address] for address in addresses if address in names), device)
            wires[known] = Wire(device=device, cable=ends.pop(), addresses=addresses)
        return wires


def set_up_loopback() -> None:
    """Put the calling thread's loopback device up, and switch IPv6 off."""
    with suppress(FileNotFoundError):  # A kernel without IPv6 has nothing to switch off.
        write_setting("ipv6/conf/all/disable_ipv6", "1")
        write_setting("ipv6/conf/default/disable_ipv6", "1")
    with cable.links() as links:
        links.link("set", index=1, state="up")


def write_setting(name: str, value: str) -> None:
    """Change a network setting of the calling thread's namespace."""
    Path("/proc/sys/net", name).write_text(value, encoding="ascii")
