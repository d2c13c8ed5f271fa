"""The host back end that runs everywhere: instances are process trees, each on its own loopback address.

It needs no root, no namespaces and no set-up, since every address of 127.0.0.0/8 is a host's own. What it does not
give: instances share the machine's files and network, so security groups are kept and answered but not enforced.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steelyard import settings
from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.address import AddressBook, served_address, served_network
from steelyard.localcloud.hosts.host import Machine
from steelyard.localcloud.hosts.supervised import SupervisedProcess

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONSOLE_ANSWER_BYTES = 64 * 1024  # As much as the cloud answers with.


class LoopbackHost:
    """Boots instances as supervised process trees on loopback addresses; see `Host`.

    An instance runs its user data at every boot. The cloud's images run it at the first one alone, and restart
    services by their init system; there is none here.

    Args:
        directory: Folder that holds one folder per instance; made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._addresses = AddressBook()
        self._machines: dict[str, SupervisedProcess] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def claim_address(self, cidr: str, wanted: str | None = None) -> str:
        """Claim an address of a VSwitch's block; see `Host.claim_address`."""
        network = served_network(cidr)
        if wanted is None:
            return self._addresses.claim(network)
        address = served_address(wanted)
        if ipaddress.IPv4Address(address) not in network:
            raise ValueError(f"{wanted} is outside {cidr}")
        self._addresses.claim_exactly(address)
        return address

    def hold_address(self, address: str) -> None:
        """Claim again an address that was answered before; see `Host.hold_address`."""
        if address not in self._addresses.held():
            self._addresses.claim_exactly(address)

    def release_address(self, address: str) -> None:
        """Give an address back."""
        self._addresses.release(address)

    def boot(self, machine: Machine, on_end: Callable[[], None]) -> None:
        """Boot an instance; see `Host.boot`."""
        directory = self._directory / machine.instance_id
        root = directory / "root"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = SupervisedProcess(
            name=machine.instance_id,
            directory=directory,
            working_directory=root,
            environment={
                "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
                "HOME": str(root),
                "PWD": str(root),
                "LANG": "C.UTF-8",
                settings.METADATA_URL: machine.metadata_url,
            },
            stays=True,
            on_end=on_end,
        )
        with self._lock:
            if self._is_closed:
                raise LocalCloudError(f"{machine.instance_id} is not booted: the host is closed")
            self._machines[machine.instance_id] = process
        process.start(self._command(directory, machine.user_data))

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        """End every process of an instance; see `Host.shut_down`."""
        with self._lock:
            process = self._machines.get(instance_id)
        if process is not None:
            process.stop(grace_s)

    def discard(self, instance_id: str) -> None:
        """Remove the files of an instance that does not run."""
        with self._lock:
            self._machines.pop(instance_id, None)
        shutil.rmtree(self._directory / instance_id, ignore_errors=True)

    def is_running(self, instance_id: str) -> bool:
        """Whether a process of the instance may be alive."""
        with self._lock:
            process = self._machines.get(instance_id)
        return process is not None and process.is_running

    def console(self, instance_id: str) -> bytes:
        """Return the newest output of an instance, empty where it never ran."""
        try:
            with (self._directory / instance_id / "console.log").open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - CONSOLE_ANSWER_BYTES))
                return file.read()
        except FileNotFoundError:
            return b""

    def process_ids(self) -> dict[str, list[int]]:
        """Return the ids of the living processes by instance."""
        with self._lock:
            machines = dict(self._machines)
        return {name: ids for name, machine in machines.items() if (ids := machine.process_ids())}

    def close(self, grace_s: float) -> None:
        """Shut every instance down, all at once, wait, and give every address back."""
        with self._lock:
            self._is_closed = True
            machines = list(self._machines.values())
        if machines:
            with ThreadPoolExecutor(max_workers=len(machines), thread_name_prefix="shut-down") as pool:
                list(pool.map(lambda machine: machine.stop(grace_s), machines))
        self._addresses.release_all()

    @staticmethod
    def _command(directory: Path, user_data: bytes) -> list[str]:
        script = directory / "user-data"
        script.unlink(missing_ok=True)
        if not user_data.startswith(b"#!"):
            return []
        # Written through a descriptor with the final mode: the user data holds the cluster's token.
        with open(os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:
            file.write(user_data)
        return [str(script)]
