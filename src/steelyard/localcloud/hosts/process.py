"""Instances as process trees under supervisors: what every back end has in common."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.errand import Errands, Home
from steelyard.localcloud.hosts.host import Errand, Fate, Machine
from steelyard.localcloud.hosts.pace import Pace
from steelyard.localcloud.hosts.supervised import Placement, SupervisedProcess

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONSOLE_ANSWER_BYTES = 64 * 1024  # As much as the cloud answers with.
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, shutil.SpecialFileError)


class InstanceProcesses:
    """The processes and the files of instances; the part of `Host` that is not about addresses.

    An instance runs its user data at every boot. The cloud's images run it at the first one alone, and restart
    services by their init system; there is none here.

    Args:
        directory: Folder that holds one folder per instance; made where it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._machines: dict[str, SupervisedProcess] = {}
        self._paces: dict[str, Pace] = {}
        self._homes: dict[str, Home] = {}
        self._errands = Errands(directory.parent / "errands")
        self._lock = threading.Lock()
        self._pace_lock = threading.Lock()
        self._is_closed = False
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(
        self,
        machine: Machine,
        on_end: Callable[[], None],
        *,
        environment: dict[str, str],
        placement: Placement,
    ) -> None:
        """Start an instance's processes, and wait until its user data has been started.

        Args:
            machine: The instance.
            on_end: Called once, in another thread, when no process of it is left.
            environment: What its environment holds besides the usual.
            placement: Where its processes live.

        Raises:
            LocalCloudError: If they could not be started.
        """
        self.set_pace(machine.instance_id, 1.0)
        home = self._move_in(machine, environment, placement)
        process = self._process_in(home, machine.instance_id, placement, on_end)
        try:
            _furnish(home.folder, machine.image)
            with self._lock:
                if self._is_closed:
                    raise LocalCloudError(f"{machine.instance_id} is not booted: the host is closed")
                self._machines[machine.instance_id] = process
            process.start(self._command(home.folder.parent, machine.user_data))
        except LocalCloudError:
            placement.vacate()
            raise

    def take_up(
        self,
        machine: Machine,
        on_end: Callable[[], None],
        *,
        environment: dict[str, str],
        placement: Placement,
    ) -> Fate:
        """Take up an instance that an earlier cloud left running; see `Host.adopt`, and `start` for the others."""
        home = self._move_in(machine, environment, placement)
        process = self._process_in(home, machine.instance_id, placement, on_end)
        with self._lock:
            self._machines[machine.instance_id] = process
        if process.adopt():
            return Fate.LIVES
        with self._lock:
            del self._machines[machine.instance_id]
        return Fate.DIED if process.died_unseen else Fate.ENDED

    def _process_in(
        self, home: Home, instance_id: str, placement: Placement, on_end: Callable[[], None]
    ) -> SupervisedProcess:
        return SupervisedProcess(
            name=instance_id,
            directory=self._directory / instance_id,
            working_directory=home.folder,
            environment=home.environment,
            stays=True,
            placement=placement,
            on_end=self._moving_out(instance_id, home, on_end),
        )

    def hold_claims(self, instance_id: str) -> None:
        """Let an instance's supervisor hold what its placement's claims are now; one that does not run is fine."""
        with self._lock:
            process = self._machines.get(instance_id)
        if process is not None:
            process.hold_claims()

    def run(self, instance_id: str, errand: Errand, on_end: Callable[[int | None, bytes], None]) -> None:
        """Start a command within an instance; see `Host.run`."""
        with self._lock:
            home = self._homes.get(instance_id)
        if home is None or not self.is_running(instance_id):
            raise LocalCloudError(f"{instance_id} does not run")
        self._errands.run(errand, home, on_end)

    def end_run(self, errand_id: str) -> None:
        """Kill a command that `run` has started; see `Host.end_run`."""
        self._errands.end(errand_id)

    def run_output(self, errand_id: str) -> bytes:
        """Return the newest output of a command that runs."""
        return self._errands.output(errand_id)

    def _move_in(self, machine: Machine, environment: dict[str, str], placement: Placement) -> Home:
        root = self._directory / machine.instance_id / "root"
        # The control groups are the instance's own, and would be removed with the first errand in them.
        home = Home(
            instance_id=machine.instance_id,
            folder=root,
            environment={**_usual_environment(root), **environment},
            placement=replace(placement, control_groups=(), claims=tuple),
        )
        with self._lock:
            self._homes[machine.instance_id] = home
        return home

    def _moving_out(self, instance_id: str, home: Home, on_end: Callable[[], None]) -> Callable[[], None]:
        """Give what is done when no process of an instance is left: its errands end with it, and so does its home."""

        def end() -> None:
            with self._lock:
                if self._homes.get(instance_id) is home:
                    del self._homes[instance_id]
            self._errands.end_at(home)
            on_end()

        return end

    def set_pace(self, instance_id: str, share: float) -> None:
        """Let an instance's processes run for a part of the time; see `Host.set_pace`."""
        with self._lock:
            process = self._machines.get(instance_id)
        with self._pace_lock:
            before = self._paces.pop(instance_id, None)
            if before is not None:
                before.close()
            if share < 1 and process is not None and process.is_running:
                self._paces[instance_id] = Pace(process.inner_process_ids, share)

    def cut_cable(self, instance_id: str) -> None:
        """Refuse: there is no cable; see `Host.cut_cable`."""
        raise LocalCloudError(
            f"{instance_id} has no cable: instances of the loopback host share the machine's network",
            hint="start the local cloud with --host namespace, which gives each instance a network of its own",
        )

    def mend_cable(self, instance_id: str) -> None:
        """Do nothing: no cable was cut."""

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        """End every process of an instance; see `Host.shut_down`."""
        self.set_pace(instance_id, 1.0)
        self._errands.end_all(instance_id)
        with self._lock:
            process = self._machines.get(instance_id)
        if process is not None:
            process.stop(grace_s)

    def copy_home(self, instance_id: str, folder: Path) -> None:
        """Copy the files of an instance's home to a new folder; see `Host.copy_home`."""
        root = self._directory / instance_id / "root"
        if root.is_dir():
            _copy_living(root, folder)
        else:
            folder.mkdir()

    def discard(self, instance_id: str) -> None:
        """Remove the files of an instance that does not run."""
        with self._lock:
            self._machines.pop(instance_id, None)
            self._homes.pop(instance_id, None)  # A boot that failed had no end to take it along.
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
        """Return the ids of the living processes by instance, by one look at all processes of the machine."""
        with self._lock:
            machines = {name: one.pid for name, one in self._machines.items() if one.is_running}
        if not machines:
            return {}
        children: dict[int, list[int]] = {}
        for process in psutil.process_iter(["ppid"]):
            children.setdefault(process.info["ppid"], []).append(process.pid)
        return {
            name: _tree([pid, *self._errands.supervisors(name)], children) for name, pid in machines.items()
        }

    def close(self, grace_s: float) -> None:
        """Shut every instance down, all at once, and wait."""
        for instance_id in list(self._paces):
            self.set_pace(instance_id, 1.0)
        with self._lock:
            self._is_closed = True
            machines = list(self._machines.values())
        self._errands.end_all()
        if machines:
            with ThreadPoolExecutor(max_workers=len(machines), thread_name_prefix="shut-down") as pool:
                list(pool.map(lambda machine: machine.stop(grace_s), machines))

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


def _furnish(root: Path, image: Path | None) -> None:
    """Make an instance's home at its first boot, with the files of its image."""
    if root.is_dir():
        return
    root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if image is None:
        root.mkdir(mode=0o700)
        return
    # It gets its name at the end, so that it is whole or not there.
    partial = root.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(image, partial, symlinks=True)
        partial.rename(root)
    except OSError as err:
        raise LocalCloudError(f"the files of the image {image.name} could not be copied: {err}") from err


def _copy_living(source: Path, target: Path) -> None:
    """Copy a folder in which others work: what they take away or change for something else meanwhile is left out."""
    target.mkdir()
    with suppress(*_GONE):
        for entry in list(os.scandir(source)):
            with suppress(*_GONE):
                _copy_entry(entry, target / entry.name)
        shutil.copystat(source, target)


def _copy_entry(entry: os.DirEntry[str], target: Path) -> None:
    if entry.is_symlink():
        target.symlink_to(os.readlink(entry))
        shutil.copystat(entry, target, follow_symlinks=False)
    elif entry.is_dir():
        _copy_living(Path(entry), target)
    elif entry.is_file():
        shutil.copy2(entry, target)


def _usual_environment(root: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(root),
        "PWD": str(root),
        "LANG": "C.UTF-8",
    }


def _tree(roots: Sequence[int], children: Mapping[int, Sequence[int]]) -> list[int]:
    found = list(roots)
    for parent in found:
        found += children.get(parent, ())
    return found
