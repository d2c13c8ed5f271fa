"""The lock that keeps two runs off one stack."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from steelyard.errors import StackLockedError
from steelyard.file_lock import lock_file


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
        try:
            self._descriptor = descriptor = lock_file(self._path, waits=False)
        except BlockingIOError as err:
            raise self._error() from err
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

    def _error(self) -> StackLockedError:
        try:
            told = json.loads(self._path.read_bytes())
            who = f"process {told['pid']} since {told['since']}"
        except (OSError, ValueError, KeyError, TypeError):  # its holder may be about to write, or to leave
            who = "another process"
        return StackLockedError(
            f"stack {self._label!r} is locked by {who}", "wait until that run has ended, or stop it"
        )
