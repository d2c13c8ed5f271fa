"""The life of the local cloud's process: start, status, stop, purge.

The process holds a lock on `cloud.lock` in its data folder for as long as it lives, so "is it running?" is answered by
the kernel and not by a process id, which may be somebody else's by now.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from select import select
from typing import Any, Self

import psutil

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.leftover import find_leftovers
from steelyard.localcloud.hosts.link import find_keepers, is_locked
from steelyard.localcloud.hosts.supervised import remove_scratch
from steelyard.localcloud.log_file import LOG_NAME, keep_log_short

LOCK_NAME = "cloud.lock"
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 60.0
_DEATH_DEADLINE_S = 5.0
_KILL_DEADLINE_S = 5.0
_START_LOCK_NAME = "start.lock"
_INFO_NAME = "cloud.json"


@dataclass(frozen=True, kw_only=True)
class CloudInfo:
    """A running local cloud.

    Attributes:
        endpoint: Host and port of every product, e.g. `127.0.0.1:40123`; TLS and plain HTTP.
        access_key_id: Public part of its access key.
        access_key_secret: Secret part.
        region_id: Region of calls that name none.
        account_id: Its account, 16 digits.
        pid: Its process.
        data_dir: Folder of its state.
        started_at: Unix time.
        adopted: Instances that ran on when the cloud before it was killed, and were taken up.
        died: Instances that ended by themselves while there was no cloud, and are Stopped.
        booted: Instances that ended with the cloud before it, and are booted again.
    """

    endpoint: str
    access_key_id: str
    access_key_secret: str
    region_id: str
    account_id: str
    pid: int
    data_dir: str
    started_at: float
    adopted: tuple[str, ...] = ()
    died: tuple[str, ...] = ()
    booted: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("adopted", "died", "booted"):
            fields[name] = tuple(fields.get(name, ()))
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class StopReport:
    """What a stop ended.

    Attributes:
        ended: Every process that ran: the cloud, its instances' and load balancers'; `pid name`.
        left: What was still there afterwards, processes, network namespaces, links and control groups; empty, or
            the stop failed.
        was_running: Whether there was anything to stop.
        elapsed_s: Time that the stop took, in seconds.
    """

    ended: tuple[str, ...]
    left: tuple[str, ...]
    was_running: bool
    elapsed_s: float


def write_info(info: CloudInfo) -> None:
    """Write `cloud.json`, readable by its owner alone, in one step."""
    path = Path(info.data_dir) / _INFO_NAME
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(info.to_json() + "\n", encoding="utf-8")
    draft.replace(path)


def start(data_dir: Path, port: int = 0) -> CloudInfo:
    """Start a local cloud, or give the one that runs on this folder already.

    Args:
        data_dir: Folder of its state; made where it is not there.
        port: Port on 127.0.0.1; 0 for the one it had last, or any free one.

    Raises:
        LocalCloudError: It did not come up; the message holds its last words.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(data_dir / _START_LOCK_NAME):
        return status(data_dir) or _spawn(data_dir, port)


def status(data_dir: Path) -> CloudInfo | None:
    """Give the local cloud that runs on a folder, or None where none does."""
    data_dir = data_dir.resolve()
    if not _is_running(data_dir):
        return None
    try:
        return CloudInfo.from_json((data_dir / _INFO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def stop(data_dir: Path) -> StopReport:
    """Stop the local cloud, its instances and load balancers, and look for what is left.

    What outlives the cloud's own stop is killed; only what outlives that as well is reported as left. It also clears
    away what a cloud that was killed may have left behind.
    """
    data_dir = data_dir.resolve()
    began = time.monotonic()
    if not data_dir.exists():
        return StopReport(ended=(), left=(), was_running=False, elapsed_s=0.0)
    with _locked(data_dir / _START_LOCK_NAME):
        was_running = _is_running(data_dir)
        info = _await_info(data_dir) if was_running else None
        # What an earlier cloud left and this one took up is below neither.
        family = list(dict.fromkeys([*_family(info.pid), *_strays(data_dir)])) if info else []
        names = {process: _describe(process) for process in family}
        if family:
            _end(family[0])
        survivors = _alive({*family, *_strays(data_dir)})
        names |= {process: _describe(process) for process in survivors}
        left = _kill(survivors)
        remove_scratch(data_dir)
        leftovers = find_leftovers(data_dir)
        _reap(data_dir)
        (data_dir / _INFO_NAME).unlink(missing_ok=True)
    return StopReport(
        ended=tuple(name for process, name in names.items() if process not in left),
        left=(*(names[process] for process in left), *leftovers),
        was_running=was_running,
        elapsed_s=time.monotonic() - began,
    )


def purge(data_dir: Path) -> None:
    """Delete a local cloud's folder.

    Raises:
        LocalCloudError: The cloud runs.
    """
    data_dir = data_dir.resolve()
    if not data_dir.exists():
        return
    with _locked(data_dir / _START_LOCK_NAME):
        if _is_running(data_dir):
            raise LocalCloudError(
                f"the local cloud runs on {data_dir}", "stop it first: steelyard cloud stop"
            )
        shutil.rmtree(data_dir)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one start, stop or purge run at a time."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_running(data_dir: Path) -> bool:
    """Tell whether a cloud runs; one that was killed just now is waited for, as it holds its lock to the very end."""
    deadline = time.monotonic() + _DEATH_DEADLINE_S
    while is_locked(data_dir / LOCK_NAME):
        if not _is_dead(data_dir) or time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def _is_dead(data_dir: Path) -> bool:
    try:
        info = CloudInfo.from_json((data_dir / _INFO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    process = _process(info.pid)
    return process is None or not _alive([process])


def _spawn(data_dir: Path, port: int) -> CloudInfo:
    if (data_dir / _INFO_NAME).exists():
        # The last cloud did not end in order: what its supervisors keep is the new one's to take up.
        _reap(data_dir)
        _kill(_unsupervised(data_dir))
        (data_dir / _INFO_NAME).unlink()
    keep_log_short(data_dir)
    log_path = data_dir / LOG_NAME
    reader, writer = os.pipe()
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        command = [sys.executable, "-m", __package__, "--data", str(data_dir), "--port", str(port)]
        # No Popen: the process outlives this one, which must neither wait for it nor warn about it.
        pid = os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writer, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(writer)
        os.close(log)
    return _await_announcement(reader, pid, log_path)


def _await_announcement(reader: int, pid: int, log_path: Path) -> CloudInfo:
    """Read the line that the new process prints once it answers; its death ends the line."""
    deadline = time.monotonic() + START_DEADLINE_S
    line = b""
    with open(reader, "rb", buffering=0) as pipe:
        while not line.endswith(b"\n"):
            ready, _, _ = select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            chunk = pipe.read(4096) if ready else b""
            if not chunk:
                break
            line += chunk
    if not line.endswith(b"\n"):
        _kill([process for process in [_process(pid)] if process])
        last_words = log_path.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
        raise LocalCloudError(f"the local cloud did not start: {last_words}", f"its log is {log_path}")
    return CloudInfo.from_json(line.decode())


def _await_info(data_dir: Path) -> CloudInfo:
    """Read `cloud.json` of a cloud that runs; one that was started by hand may be about to write it."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        info = status(data_dir)
        if info:
            return info
        time.sleep(0.05)
    raise LocalCloudError(
        f"a local cloud holds {data_dir / LOCK_NAME}, but does not say which process it is",
        f"look into {data_dir / LOG_NAME}",
    )


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _family(pid: int) -> list[psutil.Process]:
    """Give a process and all its descendants; it comes first."""
    process = _process(pid)
    return [process, *process.children(recursive=True)] if process else []


def _strays(data_dir: Path) -> list[psutil.Process]:
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


def _unsupervised(data_dir: Path) -> list[psutil.Process]:
    """Find what belongs to the cloud of a folder and has lost its supervisor."""
    keepers = set(find_keepers(data_dir))
    parents = {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}

    def is_kept(pid: int) -> bool:
        while pid in parents and pid not in keepers:
            pid = parents[pid]
        return pid in keepers

    return [process for process in _strays(data_dir) if not is_kept(process.pid)]


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:120] or process.name()}"
    except psutil.Error:
        return str(process.pid)


def _end(process: psutil.Process) -> None:
    """Let a process end in its own time, within the deadline."""
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_DEADLINE_S)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        _kill([process])


def _alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Kill processes; give those that live on."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _, left = psutil.wait_procs(processes, timeout=_KILL_DEADLINE_S)
    return _alive(left)


def _reap(data_dir: Path) -> None:
    """Clear away the last cloud's process if it was a child of this one and died on its own."""
    with suppress(OSError, ValueError):
        info = CloudInfo.from_json((data_dir / _INFO_NAME).read_text(encoding="utf-8"))
        os.waitpid(info.pid, os.WNOHANG)
