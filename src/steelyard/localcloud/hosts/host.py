"""The seam between the ECS service and the machine that instances really run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a host needs to know of an instance to boot it.

    Attributes:
        instance_id: The instance's id.
        address: The private address that the instance's processes serve on; claimed already.
        user_data: The decoded user data; run where it begins with `#!`, as the image's cloud-init would.
        metadata_url: Base of the instance's metadata service.
    """

    instance_id: str
    address: str
    user_data: bytes
    metadata_url: str


class Host(Protocol):
    """Boots instances as real processes and owns the addresses that they serve on.

    Its methods may be called from any thread; those that wait say so.
    """

    def claim_address(self, cidr: str, wanted: str | None = None) -> str:
        """Claim an address of a VSwitch's block.

        Args:
            cidr: The VSwitch's block.
            wanted: The address that is asked for; any free one where it is None.

        Returns:
            The address as it can be reached on this host, which is the one to answer with.

        Raises:
            ValueError: If the wanted address is malformed or outside the block.
            AddressInUse: If the wanted address is taken.
            AddressExhausted: If no address of the block is free.
        """

    def hold_address(self, address: str) -> None:
        """Claim again an address that was answered before the cloud's restart; one that is held already is fine.

        Raises:
            AddressInUse: If another local cloud took it meanwhile.
        """

    def release_address(self, address: str) -> None:
        """Give an address back."""

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        """Boot an instance and wait until its user data has been started.

        Args:
            machine: The instance.
            on_end: Called once, in another thread, when no process of the instance is left.

        Raises:
            LocalCloudError: If the instance could not be booted.
        """

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        """End every process of an instance and wait until they are gone; one that does not run is fine.

        Args:
            instance_id: The instance.
            grace_s: Seconds between SIGTERM and SIGKILL; 0 kills at once.

        Raises:
            LocalCloudError: If something is still alive long after the grace.
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
