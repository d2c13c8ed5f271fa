"""The kernel's locks on files that may be removed, with their folder, by whoever holds them."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def lock_file(path: Path, *, waits: bool) -> int:
    """Lock the file that is at a path: one that its last holder has removed keeps nobody off.

    Args:
        path: The file; it is made where it is not there, with its folder, for its owner alone.
        waits: Whether to wait for another holder.

    Returns:
        A descriptor; the lock ends when it is closed, or with the process.

    Raises:
        BlockingIOError: Another one holds it, and is not waited for.
    """
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # The last holder has removed the file, or the folder as well.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            is_held = False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
                is_held = os.path.samestat(path.stat(), os.fstat(descriptor))
            finally:
                if not is_held:
                    os.close(descriptor)
            if is_held:
                return descriptor
