"""The lock that keeps two runs off one stack."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from steelyard.errors import StackLockedError


class StackLock:
    """Holds a stack for one run at a time.

    The kernel's file lock decides, so that the lock of a killed process is gone with it; the file's text only
    tells who holds it.

    Args:
        path: The lock file; its folder is made where it is not there, for its owner alone.
        label: The stack's name, for the error.
    """

    def __init__(self, path: Path, label: str) -> None:
        self._path = path
        self._label = label
        self._descriptor = -1

    def __enter__(self) -> StackLock:
        """Take the lock.

        Raises:
            StackLockedError: If another run holds it.
        """
        self._descriptor = descriptor = self._take()
        text = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1

    def _take(self) -> int:
        """Lock the file that is at the path: one that its last holder has removed keeps nobody off."""
        while True:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # the last holder has removed the folder as well
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                holder = os.pread(descriptor, 4096, 0).decode(errors="replace")
                os.close(descriptor)
                raise self._error(holder) from err
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)

    def _error(self, holder: str) -> StackLockedError:
        try:
            told = json.loads(holder)
            who = f"process {told['pid']} since {told['since']}"
        except (ValueError, KeyError, TypeError):
            who = "another process"
        return StackLockedError(
            f"stack {self._label!r} is locked by {who}", "wait until that run has ended, or stop it"
        )
