"""The processes that belong to the local cloud of a folder: found, told and ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from steelyard.localcloud.hosts.link import find_keepers

_STOP_DEADLINE_S = 60.0
_KILL_DEADLINE_S = 5.0


def process_of(pid: int) -> psutil.Process | None:
    """Give the process that has an id, None where none has."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def family(process: psutil.Process) -> list[psutil.Process]:
    """Give a process and all its descendants; it comes first, and alone where it has ended."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def strays(data_dir: Path) -> list[psutil.Process]:
    """Find what belongs to the cloud of a folder wherever it hangs in the tree of processes.

    A process of an instance has its home in the instance's folder; a supervisor or a load balancer names a file of the
    folder on its command line.
    """
    instances, folder = f"{data_dir}/instances/", f"{data_dir}/"
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            is_ours = process.environ().get("HOME", "").startswith(instances) or (
                any(folder in argument or argument == str(data_dir) for argument in command)
                and any("haproxy" in argument or "steelyard.localcloud" in argument for argument in command)
            )
        except psutil.Error:
            continue
        if is_ours and process.pid != os.getpid():
            found.append(process)
    return found


def unsupervised(data_dir: Path) -> list[psutil.Process]:
    """Find what belongs to the cloud of a folder and has lost its supervisor."""
    keepers = set(find_keepers(data_dir))
    return [process for process in strays(data_dir) if not _is_kept(process, keepers)]


def _is_kept(process: psutil.Process, keepers: Collection[int]) -> bool:
    """Tell whether a process hangs below a supervisor, by the ancestors that it has now; one that is gone does."""
    one = process
    while one.pid not in keepers:
        try:
            parent_id = one.ppid()
            if not parent_id:
                return False
            one = psutil.Process(parent_id)
        except psutil.NoSuchProcess:
            # What was below one that has ended hangs elsewhere now.
            if not process.is_running():
                return True
            one = process
    return True


def describe(process: psutil.Process) -> str:
    """Give a process's id and the beginning of its command line."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:120] or process.name()}"
    except psutil.Error:
        return str(process.pid)


def end(process: psutil.Process) -> None:
    """Let a process end in its own time, within the deadline."""
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_DEADLINE_S)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        kill([process])


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Give those processes that have not ended."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Kill processes; give those that live on."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(processes, timeout=_KILL_DEADLINE_S)
    return alive(left)
