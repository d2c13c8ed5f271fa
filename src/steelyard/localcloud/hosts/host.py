"""The seam between the ECS service and the machine that instances really run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from steelyard.localcloud.hosts.packet_filter import PacketFilter
from steelyard.localcloud.hosts.supervised import Placement


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What an instance's network consists of beside the first address of its own interface.

    Attributes:
        routes: The VPC's blocks in CIDR notation, to which it has a way.
        addresses: Further addresses of its own interface.
        devices: Addresses of each of its secondary interfaces by the interface's id.
    """

    routes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a host needs to know of an instance to boot it.

    Attributes:
        instance_id: The instance's id.
        address: The private address that the instance's processes serve on; claimed already.
        user_data: The decoded user data; run where it begins with `#!`, as the image's cloud-init would.
        metadata_url: Base of the instance's metadata service, as the cloud's own process reaches it.
        vpc_id: Its VPC.
        wiring: Its network beside its address.
        packet_filter: What its security groups let pass at its boot.
        vcpus: CPUs of its type.
        memory_mib: Memory of its type.
        storage_url: Base of the object storage, as the cloud's own process reaches it; empty where there is none.
        image: Folder whose files are in its home at its first boot; None for an empty home.
    """

    instance_id: str
    address: str
    user_data: bytes
    metadata_url: str
    vpc_id: str = ""
    wiring: Wiring = field(default_factory=Wiring)
    packet_filter: PacketFilter | None = None
    vcpus: int = 1
    memory_mib: int = 1024
    storage_url: str = ""
    image: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A command that is run within an instance on request, besides what its user data started.

    Attributes:
        id: Never used before by this host.
        script: Run by the interpreter of its `#!` line, or by the shell where it has none.
        working_directory: An existing folder; the instance's home where it is None.
    """

    id: str
    script: bytes
    working_directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """A place in a network where something is reached.

    Attributes:
        address: The address.
        namespace: Name of the network namespace that has it; the machine's own where it is empty.
    """

    address: str
    namespace: str = ""


class Fate(Enum):
    """What became of an instance that ran when the cloud before this one died."""

    LIVES = "lives"
    """It runs, and is this cloud's now."""
    DIED = "died"
    """It ended by itself while there was no cloud."""
    ENDED = "ended"
    """It ended with its cloud: by its order, or because no other cloud came in time, or the machine went down."""


class Host(Protocol):
    """Boots instances as real processes and owns the addresses that they serve on.

    Its methods may be called from any thread; those that wait say so.

    Attributes:
        enforces_security_groups: Whether `filter` has an effect.
        proxy_placement: Where the load balancers' processes live.
    """

    enforces_security_groups: bool
    proxy_placement: Placement

    def claim_address(self, cidr: str, wanted: str | None = None, *, vpc_id: str = "") -> str:
        """Claim an address of a VSwitch's block.

        Args:
            cidr: The VSwitch's block.
            wanted: The address that is asked for; any free one where it is None.
            vpc_id: VPC of an instance; empty for a load balancer, whose address the machine itself must reach.

        Returns:
            The address to answer with. A load balancer's can be reached on this machine.

        Raises:
            ValueError: If the wanted address is malformed or outside the block.
            AddressInUse: If the wanted address is taken.
            AddressExhausted: If no address of the block is free.
        """

    def hold_address(self, address: str, *, vpc_id: str = "") -> None:
        """Claim again an address that was answered before the cloud's restart; one that is held already is fine.

        Raises:
            AddressInUse: If another local cloud took it meanwhile.
        """

    def release_address(self, address: str, *, vpc_id: str = "") -> None:
        """Give an address back."""

    def claim_files(self, addresses: Sequence[str]) -> list[int]:
        """Give open files that keep the machine's other clouds off addresses, for a supervisor to hold; close them."""

    def inner_entrances(self, address: str, vpc_id: str, blocks: Sequence[str]) -> tuple[Entrance, ...]:
        """Give the places where a load balancer has to listen besides its address, for the instances of its VPC.

        Args:
            address: Its address, as it was claimed.
            vpc_id: Its VPC; empty where it stands in none.
            blocks: The blocks of the VPC's VSwitches.

        Raises:
            LocalCloudError: If one of them could not be made.
        """

    def namespace(self, vpc_id: str) -> str:
        """Name the network namespace from which a VPC's instances are reached, empty for the machine's own.

        Raises:
            LocalCloudError: If it could not be made.
        """

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        """Boot an instance and wait until its user data has been started.

        Args:
            machine: The instance.
            on_end: Called once, in another thread, when no process of the instance is left.

        Raises:
            LocalCloudError: If the instance could not be booted.
        """

    def adopt(self, machine: Machine, on_end: Callable[[], None]) -> Fate:
        """Take up an instance that an earlier cloud of the same folder left running, as it is, without a boot.

        Its processes go on at full pace and its cable is whole, whatever held them up before.

        Args:
            machine: The instance, as it was booted, with the filter that shall be in force.
            on_end: Called once, in another thread, when no process of it is left; never where it does not live.

        Raises:
            LocalCloudError: If it lives and cannot be taken up; a boot ends it first.
        """

    def wire(self, instance_id: str, wiring: Wiring) -> None:
        """Bring an instance's network to what it is to be, and wait; one that does not run is fine.

        From then on its addresses are its own also while no cloud lives, and those that it had before are nobody's.

        Raises:
            LocalCloudError: If the kernel refuses it.
        """

    def filter(self, instance_id: str, packet_filter: PacketFilter) -> None:
        """Let other traffic pass from now on, and wait until that is in force; one that does not run is fine.

        Raises:
            LocalCloudError: If the kernel refuses it; the rules before stay in force.
        """

    def set_pace(self, instance_id: str, share: float) -> None:
        """Let an instance's processes run for a part of the time, until its next boot; one that does not run is fine.

        Args:
            instance_id: The instance.
            share: What part of the time: 1 for all of it, 0 for none, so that the instance hangs.
        """

    def cut_cable(self, instance_id: str) -> None:
        """Let nothing that is sent to or from an instance arrive, until `mend_cable` or its next boot.

        Raises:
            LocalCloudError: If the instance does not run, or this host gives instances no network of their own.
        """

    def mend_cable(self, instance_id: str) -> None:
        """Let traffic of an instance pass again; one whose cable is whole, or that does not run, is fine.

        Raises:
            LocalCloudError: If the kernel refuses it.
        """

    def run(self, instance_id: str, errand: Errand, on_end: Callable[[int | None, bytes], None]) -> None:
        """Start a command within an instance, and wait until it has been started.

        Args:
            instance_id: The instance.
            errand: The command.
            on_end: Called once, in another thread, with the exit code and the newest output, when no process of it is
                left; the code is None where it was ended, by `end_run` or with its instance.

        Raises:
            LocalCloudError: If the instance does not run, or the command could not be started; `on_end` may have been
                called then.
        """

    def end_run(self, errand_id: str) -> None:
        """Kill a command that `run` has started, and wait; one that does not run is fine."""

    def run_output(self, errand_id: str) -> bytes:
        """Return the newest output of a command that runs; empty of one that does not."""

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        """End every process of an instance and wait until they are gone; one that does not run is fine.

        Args:
            instance_id: The instance.
            grace_s: Seconds between SIGTERM and SIGKILL; 0 kills at once.

        Raises:
            LocalCloudError: If something is still alive long after the grace.
        """

    def copy_home(self, instance_id: str, folder: Path) -> None:
        """Copy the files of an instance's home to a new folder, and wait; nothing of one that has never booted.

        What it removes meanwhile is left out, and so is what is no file, no folder and no link.

        Raises:
            OSError: If they could not be copied.
        """

    def discard(self, instance_id: str) -> None:
        """Remove the files of an instance that does not run."""

    def is_running(self, instance_id: str) -> bool:
        """Whether a process of the instance may be alive."""

    def console(self, instance_id: str) -> bytes:
        """Return the newest output of an instance, empty where it never ran."""

    def process_ids(self) -> dict[str, list[int]]:
        """Return the ids of the living processes by instance, for the cloud's report at its end."""

    def close(self, grace_s: float) -> None:
        """Shut every instance down, all at once, wait, and give every address back."""
