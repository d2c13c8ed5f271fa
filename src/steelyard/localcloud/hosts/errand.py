"""Commands that are run within instances on request, besides what their user data started."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Errand
from steelyard.localcloud.hosts.supervised import Placement, SupervisedProcess

_SCRIPT = "script"
_SHELL = "/bin/sh"


@dataclass(frozen=True, kw_only=True)
class Home:
    """Where an instance's processes live, from one boot to its end.

    Attributes:
        instance_id: Whose it is.
        folder: Its home folder.
        environment: All that their environment holds.
        placement: Their namespaces; the descriptors are open while the instance runs.
        is_left: Set at its end: no errand begins there any more.
    """

    instance_id: str
    folder: Path
    environment: Mapping[str, str]
    placement: Placement
    is_left: threading.Event = field(default_factory=threading.Event)


class Errands:
    """Runs errands, each under a supervisor of its own in the instance's namespaces; they end with their cloud.

    Args:
        directory: Folder that holds one folder per errand while that runs; one that a killed cloud left is emptied.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, tuple[Home, SupervisedProcess]] = {}
        self._lock = threading.Lock()
        shutil.rmtree(directory, ignore_errors=True)

    def run(self, errand: Errand, home: Home, on_end: Callable[[int | None, bytes], None]) -> None:
        """Start an errand; see `Host.run`."""
        folder = self._directory / errand.id
        folder.mkdir(mode=0o700, parents=True)
        script = folder / _SCRIPT
        with open(os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:
            file.write(errand.script)

        def end() -> None:
            with self._lock:
                _, process = self._running.pop(errand.id)
            output = _output(process, command)
            shutil.rmtree(folder, ignore_errors=True)
            on_end(process.exit_code, output)

        command = [str(script)] if errand.script.startswith(b"#!") else [_SHELL, str(script)]
        process = SupervisedProcess(
            name=errand.id,
            directory=folder,
            working_directory=errand.working_directory or home.folder,
            environment=home.environment,
            stays=False,
            placement=home.placement,
            on_end=end,
            patience_s=0,
        )
        with self._lock:
            self._running[errand.id] = (home, process)
        try:
            # Whoever ends the home's errands from now on sees this one.
            if home.is_left.is_set():
                raise LocalCloudError(f"{home.instance_id} does not run")
            process.start(command)
        except LocalCloudError:
            if not process.pid:  # Else its end is told, or has been.
                with self._lock:
                    del self._running[errand.id]
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def end(self, errand_id: str) -> None:
        """Kill an errand with all of its processes, and wait; one that does not run is fine."""
        with self._lock:
            _, process = self._running.get(errand_id, (None, None))
        if process is not None:
            process.stop(0)

    def end_all(self, instance_id: str | None = None) -> None:
        """Kill every errand of an instance, or of all where none is named, and wait."""
        self._end_where(lambda home: instance_id in (None, home.instance_id))

    def end_at(self, home: Home) -> None:
        """Kill every errand of one boot of an instance, and wait, and begin no more; those of a later boot go on."""
        home.is_left.set()
        self._end_where(lambda other: other is home)

    def supervisors(self, instance_id: str) -> list[int]:
        """Give the process ids of the supervisors of an instance's errands."""
        with self._lock:
            return [
                process.pid for home, process in self._running.values() if home.instance_id == instance_id
            ]

    def output(self, errand_id: str) -> bytes:
        """Give what a running errand has written so far; nothing of one that does not run."""
        with self._lock:
            _, process = self._running.get(errand_id, (None, None))
        return b"" if process is None else _read(process.console_path)

    def _end_where(self, is_meant: Callable[[Home], bool]) -> None:
        with self._lock:
            ids = [one for one, (home, _) in self._running.items() if is_meant(home)]
        for errand_id in ids:
            self.end(errand_id)


def _output(process: SupervisedProcess, command: list[str]) -> bytes:
    """Give what a command has written, without its supervisor's last word."""
    last_word = f"[supervisor] {command[0]} ended with exit code {process.exit_code}\n".encode()
    return _read(process.console_path).removesuffix(last_word)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
