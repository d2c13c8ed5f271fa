from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.hosts.host import Entrance, Errand, Fate, Machine, Wiring
from steelyard.localcloud.hosts.packet_filter import PacketFilter
from steelyard.localcloud.hosts.supervised import AT_LARGE


class FakeHost:
    """A `Host` that runs nothing: a test tells what happens to its machines."""

    proxy_placement = AT_LARGE

    def __init__(self, *, enforces_security_groups: bool = False) -> None:
        self.enforces_security_groups = enforces_security_groups
        self.filters: dict[str, PacketFilter] = {}
        self.wirings: dict[str, Wiring] = {}
        self.errands: dict[str, tuple[Errand, Callable[[int | None, bytes], None]]] = {}
        self.running: dict[str, Callable[[], None]] = {}
        self.fates: dict[str, Fate] = {}
        self.booted: list[Machine] = []
        self.discarded: list[str] = []
        self.held: set[str] = set()
        self.taken: set[str] = set()
        self.fails_to_boot = False
        self.fails_to_copy = False
        self.may_boot = threading.Event()
        self.may_boot.set()

    def die(self, instance_id: str) -> None:
        """Let every process of an instance end on its own."""
        self.running.pop(instance_id)()

    def claim_address(self, cidr: str, wanted: str | None = None, *, vpc_id: str = "") -> str:
        address = wanted or f"127.64.0.{10 + len(self.held)}"
        self.hold_address(address)
        return address

    def hold_address(self, address: str, *, vpc_id: str = "") -> None:
        if address in self.taken:
            raise AddressInUse(address)
        self.held.add(address)

    def release_address(self, address: str, *, vpc_id: str = "") -> None:
        self.held.discard(address)

    def inner_entrances(self, address: str, vpc_id: str, blocks: Sequence[str]) -> tuple[Entrance, ...]:
        return ()

    def namespace(self, vpc_id: str) -> str:
        return ""

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        self.wirings[instance_id] = wiring

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        self.filters[instance_id] = packet_filter

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        self.may_boot.wait()
        if self.fails_to_boot:
            raise LocalCloudError("no process can be started")
        self.booted.append(machine)
        self.running[machine.instance_id] = on_end

    def adopt(self, machine: Machine, on_end: Callable[[], None]) -> Fate:
        fate = self.fates.get(machine.instance_id, Fate.ENDED)
        if fate is Fate.LIVES:
            self.running[machine.instance_id] = on_end
        return fate

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        if instance_id in self.running:
            self.die(instance_id)

    def copy_home(self, instance_id: str, folder: Path) -> None:
        if self.fails_to_copy:
            raise OSError("no space left")
        folder.mkdir()

    def discard(self, instance_id: str) -> None:
        self.discarded.append(instance_id)

    def is_running(self, instance_id: str) -> bool:
        return instance_id in self.running

    def run(self, instance_id: str, errand: Errand, on_end: Callable[[int | None, bytes], None]) -> None:
        if instance_id not in self.running:
            raise LocalCloudError(f"{instance_id} does not run")
        self.errands[errand.id] = (errand, on_end)

    def end_run(self, errand_id: str) -> None:
        self.finish_errand(errand_id, None)

    def finish_errand(self, errand_id: str, exit_code: int | None, output: bytes = b"") -> None:
        """Let an errand end."""
        _, on_end = self.errands.pop(errand_id, (None, None))
        if on_end is not None:
            on_end(exit_code, output)

    def run_output(self, errand_id: str) -> bytes:
        return b"so far" if errand_id in self.errands else b""

    def console(self, instance_id: str) -> bytes:
        return b""

    def process_ids(self) -> dict[str, list[int]]:
        return {}

    def close(self, grace_s: float) -> None:
        for instance_id in list(self.running):
            self.die(instance_id)
