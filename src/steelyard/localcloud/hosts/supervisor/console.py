"""Where the output of a command goes."""

from __future__ import annotations

import os

CONSOLE_LIMIT_BYTES = 1 << 20


class Console:
    """A log file that keeps its newest bytes: it is halved whenever it exceeds its limit.

    Args:
        path: The file; appended to where it exists.
        limit_bytes: The size that is never exceeded by more than one write.
    """

    def __init__(self, path: str, limit_bytes: int = CONSOLE_LIMIT_BYTES) -> None:
        self.path = path
        self.limit_bytes = limit_bytes
        self.descriptor = self._open(path)

    def write(self, data: bytes) -> None:
        """Append the bytes.

        Raises:
            OSError: The disk is full, say; what was written before is kept.
        """
        os.write(self.descriptor, data)
        size = os.fstat(self.descriptor).st_size
        if size > self.limit_bytes:
            self._halve(size)

    def _halve(self, size: int) -> None:
        # The new file takes the old one's name in one step, so a reader never sees half of it.
        kept = os.pread(self.descriptor, self.limit_bytes // 2, size - self.limit_bytes // 2)
        successor = self._open(self.path + ".new")
        os.ftruncate(successor, 0)  # One that was killed here may have left it.
        os.write(successor, kept)
        os.rename(self.path + ".new", self.path)
        os.close(self.descriptor)
        self.descriptor = successor

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
