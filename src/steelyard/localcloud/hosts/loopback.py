"""The host back end that runs everywhere: instances are process trees, each on its own loopback address.

It needs no root, no namespaces and no set-up, since every address of 127.0.0.0/8 is a host's own. What it does not
give: instances share the machine's files and network, so security groups are kept and answered but not enforced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from steelyard import settings
from steelyard.localcloud.hosts.address import AddressBook
from steelyard.localcloud.hosts.host import Entrance, Fate, Machine, Wiring
from steelyard.localcloud.hosts.limit import ControlGroups
from steelyard.localcloud.hosts.link import find_claims
from steelyard.localcloud.hosts.packet_filter import PacketFilter
from steelyard.localcloud.hosts.process import CONSOLE_ANSWER_BYTES, InstanceProcesses
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement

__all__ = ["CONSOLE_ANSWER_BYTES", "LoopbackHost"]


class LoopbackHost(InstanceProcesses):
    """Boots instances as supervised process trees on loopback addresses; see `Host`.

    Args:
        directory: Folder that holds one folder per instance; made where it is missing.
        limits: Holds instances to their CPUs and memory; None where nothing does.
    """

    enforces_security_groups = False
    proxy_placement = AT_LARGE

    def __init__(self, directory: Path, limits: ControlGroups | None = None) -> None:
        super().__init__(directory)
        self._addresses = AddressBook()
        for claim in find_claims(directory.parent):
            self._addresses.take_up(claim)
        self._limits = limits
        self._addresses_of: dict[str, tuple[str, ...]] = {}
        """All addresses of an instance that its supervisor is to hold, the first one first."""

    def claim_address(self, cidr: str, wanted: str | None = None, *, vpc_id: str = "") -> str:
        """Claim an address of a VSwitch's block; see `Host.claim_address`."""
        return self._addresses.claim_served(cidr, wanted)

    def hold_address(self, address: str, *, vpc_id: str = "") -> None:
        """Claim again an address that was answered before; see `Host.hold_address`."""
        if address not in self._addresses.held():
            self._addresses.claim_exactly(address)

    def release_address(self, address: str, *, vpc_id: str = "") -> None:
        """Give an address back."""
        self._addresses.release(address)

    def claim_files(self, addresses: Sequence[str]) -> list[int]:
        """Give copies of the claims of addresses; see `Host.claim_files`."""
        return self._addresses.files_of(addresses)

    def inner_entrances(self, address: str, vpc_id: str, blocks: Sequence[str]) -> tuple[Entrance, ...]:
        """Give none: a load balancer's address is everybody's."""
        return ()

    def namespace(self, vpc_id: str) -> str:
        """Give the empty text: the instances of a VPC are on the machine's own network."""
        return ""

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        """Let an instance's supervisor hold the addresses that it has; on the loopback interface they are all there."""
        before = self._addresses_of.get(instance_id)
        if before is None:
            return
        self._addresses_of[instance_id] = addresses = (before[0], *_further_addresses(wiring))
        if addresses != before:
            self.hold_claims(instance_id)

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        """Boot an instance; see `Host.boot`."""
        groups = self._limits.make(machine) if self._limits is not None else ()
        self.start(
            machine,
            on_end,
            environment=_environment(machine),
            placement=replace(self._claiming(machine), control_groups=groups),
        )

    def adopt(self, machine: Machine, on_end: Callable[[], None]) -> Fate:
        """Take up an instance that an earlier cloud left running; see `Host.adopt`."""
        environment = _environment(machine)
        fate = self.take_up(machine, on_end, environment=environment, placement=self._claiming(machine))
        if fate is Fate.LIVES:
            # The cloud may have been killed before it told of a change.
            self.hold_claims(machine.instance_id)
        return fate

    def _claiming(self, machine: Machine) -> Placement:
        """Note an instance's addresses, and give a placement with the claims of those that it has when it is asked."""
        name = machine.instance_id
        self._addresses_of[name] = (machine.address, *_further_addresses(machine.wiring))
        return Placement(claims=lambda: self.claim_files(self._addresses_of.get(name, ())))

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        """Do nothing: there is no packet filter between addresses of the loopback network."""

    def discard(self, instance_id: str) -> None:
        """Remove the files of an instance that does not run."""
        super().discard(instance_id)
        self._addresses_of.pop(instance_id, None)

    def close(self, grace_s: float) -> None:
        """Shut every instance down, all at once, wait, and give every address back."""
        super().close(grace_s)
        self._addresses.release_all()


def _further_addresses(wiring: Wiring) -> tuple[str, ...]:
    return (*wiring.addresses, *chain.from_iterable(wiring.devices.values()))


def _environment(machine: Machine) -> dict[str, str]:
    return {settings.METADATA_URL: machine.metadata_url, **_endpoints(machine.storage_url)}


def _endpoints(storage_url: str) -> dict[str, str]:
    """Give what tells an instance where the cloud answers: its object storage, and at the same place its API."""
    if not storage_url:
        return {}
    return {
        settings.OSS_ENDPOINT: storage_url,
        settings.CLOUD_ENDPOINT: storage_url.removeprefix("http://"),
    }
