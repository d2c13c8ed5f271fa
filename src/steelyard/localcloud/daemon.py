"""The life of the local cloud's process: start, status, stop, purge.

The process holds a lock on `cloud.lock` in its data folder for as long as it lives, so "is it running?" is answered by
the kernel and not by a process id, which may be somebody else's by now.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select

from steelyard.errors import LocalCloudError, UsageError
from steelyard.file_lock import lock_file
from steelyard.localcloud import kin
from steelyard.localcloud.cloud_info import INFO_NAME, CloudInfo, living_info, read_info
from steelyard.localcloud.hosts.leftover import find_leftovers
from steelyard.localcloud.hosts.link import is_locked
from steelyard.localcloud.hosts.supervised import remove_scratch
from steelyard.localcloud.kept_file import stop_hint, unusable
from steelyard.localcloud.log_file import LOG_NAME, keep_log_short

__all__ = ["LOCK_NAME", "CloudInfo", "StopReport", "is_held", "purge", "start", "status", "stop"]

LOCK_NAME = "cloud.lock"
START_DEADLINE_S = 60.0
_DEATH_DEADLINE_S = 5.0
_POLL_S = 0.05
_MAX_LAST_WORDS = 2000
_MAX_PORT = 65_535
_START_LOCK_NAME = "start.lock"


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


def start(data_dir: Path, port: int = 0) -> CloudInfo:
    """Start a local cloud, or give the one that runs on this folder already, once it answers.

    Args:
        data_dir: Folder of its state; made where it is not there.
        port: Port on 127.0.0.1; 0 for the one it had last, or any free one.

    Raises:
        UsageError: The port is none, or the cloud that runs has another.
        LocalCloudError: It did not come up, or the one that runs does not answer; the message says why, or holds its
            last words.
    """
    if not 0 <= port <= _MAX_PORT:
        raise UsageError(
            f"{port} is no TCP port", hint=f"give one from 1 to {_MAX_PORT}, or 0 for any free one"
        )
    data_dir = data_dir.resolve()
    with _usable(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(data_dir / _START_LOCK_NAME):
            info = _await_answer(data_dir)
            if info is None:
                try:
                    return _spawn(data_dir, port)
                except LocalCloudError:
                    # One that was begun by hand, or by a start that was killed, may have been ahead.
                    info = _await_answer(data_dir)
                    if info is None:
                        raise
    if port not in (0, int(info.endpoint.rpartition(":")[2])):
        raise UsageError(
            f"the local cloud runs on {info.endpoint}, not on port {port}", hint=stop_hint(data_dir)
        )
    return info


def status(data_dir: Path) -> CloudInfo | None:
    """Give the local cloud that runs on a folder and answers, or None where none does."""
    data_dir = data_dir.resolve()
    with _usable(data_dir):
        info = living_info(data_dir) if _is_running(data_dir) else None
    return info if info is not None and info.answers() else None


def is_held(data_dir: Path) -> bool:
    """Tell whether a local cloud holds a folder, also one without `status`: it starts, ends or hangs."""
    with _usable(data_dir):
        return _is_running(data_dir.resolve())


def stop(data_dir: Path) -> StopReport:
    """Stop the local cloud, its instances and load balancers, and look for what is left.

    What outlives the cloud's own stop is killed; only what outlives that as well is reported as left. It also clears
    away what a cloud that was killed may have left behind.
    """
    data_dir = data_dir.resolve()
    began = time.monotonic()
    if not data_dir.exists():
        return StopReport(ended=(), left=(), was_running=False, elapsed_s=0.0)
    with _usable(data_dir), _locked(data_dir / _START_LOCK_NAME):
        was_running = _is_running(data_dir)
        info = _await_info(data_dir) if was_running else None
        cloud = kin.process_of(info.pid) if info else None
        # What an earlier cloud left and this one took up is below neither.
        family = list(dict.fromkeys([*kin.family(cloud), *kin.strays(data_dir)])) if cloud else []
        names = {process: kin.describe(process) for process in family}
        if cloud:
            kin.end(cloud)
        survivors = kin.alive({*family, *kin.strays(data_dir)})
        names |= {process: kin.describe(process) for process in survivors}
        left = kin.kill(survivors)
        remove_scratch(data_dir)
        leftovers = find_leftovers(data_dir)
        _reap(data_dir)
        (data_dir / INFO_NAME).unlink(missing_ok=True)
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
    with _usable(data_dir), _locked(data_dir / _START_LOCK_NAME):
        if _is_running(data_dir):
            raise LocalCloudError(f"the local cloud runs on {data_dir}", stop_hint(data_dir))
        shutil.rmtree(data_dir)


@contextmanager
def _usable(data_dir: Path) -> Iterator[None]:
    """Say in one line what the system does not let this process do with a cloud's folder."""
    try:
        yield
    except OSError as err:
        raise unusable(data_dir, err) from err


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one start, stop or purge run at a time; a folder that was purged meanwhile is made anew."""
    lock = lock_file(path, waits=True)
    try:
        yield
    finally:
        os.close(lock)


def _is_running(data_dir: Path) -> bool:
    """Tell whether a cloud runs; one that was killed just now is waited for, as it holds its lock to the very end."""
    deadline = time.monotonic() + _DEATH_DEADLINE_S
    while is_locked(data_dir / LOCK_NAME):
        if not _is_dead(data_dir) or time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def _is_dead(data_dir: Path) -> bool:
    info = read_info(data_dir)
    return info is not None and not info.is_alive


def _spawn(data_dir: Path, port: int) -> CloudInfo:
    if (data_dir / INFO_NAME).exists():
        # The last cloud did not end in order: what its supervisors keep is the new one's to take up.
        _reap(data_dir)
        kin.kill(kin.unsupervised(data_dir))
        (data_dir / INFO_NAME).unlink()
    keep_log_short(data_dir)
    reader, writer = os.pipe()
    log = os.open(data_dir / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    said_before = os.fstat(log).st_size
    command = [sys.executable, "-m", __package__, "--data", str(data_dir), "--port", str(port)]
    pid = 0
    try:
        with _uninterrupted() as mask:
            pid = _run(command, writer, log, mask)
        return _read_announcement(_await_line(reader), data_dir, said_before)
    except BaseException:
        # An interrupted start is none; what an earlier cloud left running waits for the next.
        if pid and (begun := kin.process_of(pid)):
            kin.kill([begun])
        raise


@contextmanager
def _uninterrupted() -> Iterator[set[int | signal.Signals]]:
    """Put interruptions off to the end of a block, so that none comes before a new process is known.

    Yields:
        The signals that were blocked before.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _run(command: list[str], output: int, log: int, mask: set[int | signal.Signals]) -> int:
    """Begin a process and give its id; its output and its log are closed here."""
    try:
        # No Popen: the process outlives this one, which must neither wait for it nor warn about it.
        return os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
            setsigmask=mask,
        )
    finally:
        os.close(output)
        os.close(log)


def _await_line(reader: int) -> str:
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
    return line.decode()


def _read_announcement(line: str, data_dir: Path, said_before: int) -> CloudInfo:
    """Read what the new process said of itself, a `CloudInfo` or a refusal.

    Args:
        line: The line; without an end it is that of a process that died or hangs.
        data_dir: Its folder.
        said_before: Bytes of the log that are of others before it.

    Raises:
        LocalCloudError: It did not come up.
    """
    log = data_dir / LOG_NAME
    if not line.endswith("\n"):
        with log.open("rb") as file:
            file.seek(said_before)
            words = file.read().decode(errors="replace")[-_MAX_LAST_WORDS:].strip()
        raise LocalCloudError(
            f"the local cloud did not start: {words or 'it ended without a word'}", f"its log is {log}"
        )
    fields = json.loads(line)
    if "refusal" in fields:
        raise LocalCloudError(
            f"the local cloud did not start: {fields['refusal']}", fields["hint"] or f"its log is {log}"
        )
    return CloudInfo.from_json(line)


def _await_answer(data_dir: Path) -> CloudInfo | None:
    """Wait until whoever holds a folder answers, and give it; None once nobody holds it.

    Raises:
        LocalCloudError: It does neither.
    """
    deadline = time.monotonic() + START_DEADLINE_S
    while _is_running(data_dir):
        info = status(data_dir)
        if info is not None:
            return info
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"a local cloud holds {data_dir / LOCK_NAME}, but does not answer",
                f"look into {data_dir / LOG_NAME}, or {stop_hint(data_dir)}",
            )
        time.sleep(_POLL_S)
    return None


def _await_info(data_dir: Path) -> CloudInfo | None:
    """Read `cloud.json` of a cloud that runs; one that was started by hand may be about to write it.

    Returns:
        None once the cloud has ended.

    Raises:
        LocalCloudError: It runs, and has written none in time.
    """
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        info = living_info(data_dir)
        if info is not None or not _is_running(data_dir):
            return info
        time.sleep(_POLL_S)
    raise LocalCloudError(
        f"a local cloud holds {data_dir / LOCK_NAME}, but does not say which process it is",
        f"look into {data_dir / LOG_NAME}",
    )


def _reap(data_dir: Path) -> None:
    """Clear away the last cloud's process if it was a child of this one and died on its own."""
    info = read_info(data_dir)
    if info is not None:
        with suppress(OSError):
            os.waitpid(info.pid, os.WNOHANG)
