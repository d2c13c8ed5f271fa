"""The way from the cloud to a supervisor: one that it starts, or one that an earlier cloud has left."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from steelyard.localcloud.hosts.forge import Forge, Order
from steelyard.localcloud.hosts.supervisor import DOOR_NAME, MOST_CLAIMS
from steelyard.localcloud.hosts.supervisor.keeper import ADOPT, CLAIMS, DISMISS, HOLD

LOCK_NAME = "lock"
_FORGE = Forge()
_DOOR_TIMEOUT_S = 30.0  # A busy machine may leave a supervisor waiting for long.
_POLL_S = 0.01
_CREDENTIALS = "3i"  # struct ucred of linux/socket.h: process, user and group id.


class SupervisorLink:
    """A supervisor, and the socket over which it is told and heard.

    Args:
        pid: Its process id.
        connection: The socket.
        is_forged: Whether this process' forge started it.
    """

    def __init__(self, pid: int, connection: socket.socket, *, is_forged: bool) -> None:
        self.pid = pid
        self._connection = connection
        self._is_forged = is_forged
        # Its number may be another's once it is closed.
        self._handle_lock = threading.Lock()
        try:
            # It is no child of this process; by this descriptor its id cannot come to mean another.
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = -1
        self.words = connection.makefile("rb")
        """Lines that it tells; their end says that its keeper is gone."""

    @classmethod
    def fork(
        cls, *, arguments: Sequence[str], environment: Mapping[str, str], directory: str, files: Sequence[int]
    ) -> Self:
        """Start a supervisor.

        Args:
            arguments: Its arguments.
            environment: Its environment.
            directory: Where it runs.
            files: Its standard output and error, and what it enters.

        Raises:
            LocalCloudError: If it cannot be started.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                order = Order(
                    arguments=arguments,
                    environment=environment,
                    directory=directory,
                    files=[theirs.fileno(), *files],
                )
                pid = _FORGE.fork(order)
        except BaseException:
            ours.close()
            raise
        return cls(pid, ours, is_forged=True)

    @classmethod
    def adopt(cls, folder: Path) -> Self | None:
        """Take up the supervisor that an earlier cloud left in a folder; None where none lives there."""
        connection = _knock(folder)
        if connection is None:
            return None
        pid = _peer(connection)
        with suppress(OSError):  # It ended just now: the end of its words will tell.
            connection.sendall(ADOPT)
        return cls(pid, connection, is_forged=False)

    def order_end(self, grace_s: float) -> None:
        """Tell it to end its tree.

        Args:
            grace_s: Seconds between SIGTERM and SIGKILL; 0 kills at once.

        Raises:
            OSError: It is gone, or has its order already.
        """
        self._connection.sendall(f"{grace_s}\n".encode())
        self._connection.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """Kill it; one that is gone is fine."""
        with self._handle_lock, suppress(ProcessLookupError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it is gone; to be called once."""
        if self._handle >= 0:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            poll.poll()
            with self._handle_lock:
                handle, self._handle = self._handle, -1
                os.close(handle)
        self.words.close()
        self._connection.close()
        if self._is_forged:
            _FORGE.forget()


def is_supervised(folder: Path) -> bool:
    """Tell whether a supervisor lives in a folder, of this cloud or of an earlier one."""
    return is_locked(folder / LOCK_NAME)


def is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock on a file; one that is not there is free."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def take_lock(descriptor: int) -> bool:
    """Take the lock on a file for as long as it is open; False where another process holds it.

    Who looks whether it is held (`is_locked`) has a share in it for a moment, which is waited for.
    """
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(_POLL_S)
        else:
            return True


def await_end(folder: Path) -> None:
    """Wait until no supervisor lives in a folder, neither keeper nor init."""
    with suppress(FileNotFoundError), (folder / LOCK_NAME).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def dismiss(folder: Path) -> None:
    """Tell a supervisor that no cloud has taken up to end at once; one of a living cloud is left alone."""
    if is_supervised(folder) and (connection := _knock(folder)) is not None:
        with connection, suppress(OSError):
            connection.sendall(DISMISS)


def hold(folder: Path, claims: Sequence[int]) -> None:
    """Let the supervisor of a folder hold other claims in place of those before, and wait until it does.

    Args:
        folder: The folder; one without a supervisor is fine.
        claims: Descriptors, of which it gets copies.
    """
    connection = _knock(folder)
    if connection is None:
        return
    with connection, suppress(OSError):  # It is at its end, and holds nothing any more.
        connection.settimeout(_DOOR_TIMEOUT_S)
        socket.send_fds(connection, [HOLD], claims)
        connection.recv(len(HOLD))


def find_keeper(folder: Path) -> int | None:
    """Give the process id of the supervisor that lives in a folder, None where none does."""
    connection = _knock(folder)
    if connection is None:
        return None
    with connection:
        return _peer(connection)


def find_keepers(data_dir: Path) -> Iterator[int]:
    """Give the process id of each supervisor that lives in a cloud's data folder."""
    for lock in data_dir.glob(f"*/*/{LOCK_NAME}"):
        keeper = find_keeper(lock.parent)
        if keeper is not None:
            yield keeper


def find_claims(data_dir: Path) -> Iterator[socket.socket]:
    """Give what the supervisors that live in a cloud's data folder hold for the next cloud: sockets, each a claim."""
    for lock in data_dir.glob(f"*/*/{LOCK_NAME}"):
        connection = _knock(lock.parent)
        if connection is None:
            continue
        with connection, suppress(OSError):
            connection.settimeout(_DOOR_TIMEOUT_S)
            connection.sendall(CLAIMS)
            _, files, _, _ = socket.recv_fds(connection, len(CLAIMS), MOST_CLAIMS)
            yield from (socket.socket(fileno=file) for file in files)


def dismiss_orphans(data_dir: Path) -> None:
    """End every supervisor of a cloud's data folder that the cloud has not taken up."""
    for lock in data_dir.glob(f"*/*/{LOCK_NAME}"):
        dismiss(lock.parent)


def _knock(folder: Path) -> socket.socket | None:
    """Connect to the supervisor of a folder; None where there is none, or it is at its end."""
    deadline = time.monotonic() + _DOOR_TIMEOUT_S
    while is_supervised(folder) and time.monotonic() < deadline:
        # By a descriptor of the folder, since a socket's path is short (sun_path of unix(7)).
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:  # It was removed just now.
            return None
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/{DOOR_NAME}")
        except OSError:
            connection.close()
            time.sleep(_POLL_S)  # It holds the lock, but does not answer: it is about to open, or to end.
            continue
        finally:
            os.close(descriptor)
        return connection
    return None


def _peer(connection: socket.socket) -> int:
    size = struct.calcsize(_CREDENTIALS)
    pid, _, _ = struct.unpack(
        _CREDENTIALS, connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(pid)
