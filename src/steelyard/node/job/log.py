"""A bounded file that grows at its end and is read from any offset: a job's log, or its events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

MAX_LOG_BYTES = 64 * 1024 * 1024
"""Most that is kept of one job's log, and of its events, in bytes."""


class BoundedLog:
    """Two files that take turns: when the newer is half of the bound, it becomes the older, which is dropped.

    Offsets count from the first byte ever written, so a reader's offset stays good when old lines are dropped.

    Args:
        path: The newer file; the older has `.old` added.
        max_bytes: Most that both hold together, in bytes.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._path = path
        self._old_path = path.with_name(path.name + ".old")
        self._half_bytes = max_bytes // 2
        self._old_size = _size(self._old_path)
        self._size = _size(self._path)
        self._num_dropped_bytes = 0

    @property
    def start(self) -> int:
        """Offset of the first byte that is still kept."""
        return self._num_dropped_bytes

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self._num_dropped_bytes + self._old_size + self._size

    def append(self, lines: Sequence[str]) -> None:
        """Write lines at the end."""
        body = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        if self._size and self._size + len(body) > self._half_bytes:
            os.replace(self._path, self._old_path)
            self._num_dropped_bytes += self._old_size
            self._old_size, self._size = self._size, 0
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "ab") as file:
            file.write(body)
        self._size += len(body)

    def read(self, offset: int, max_bytes: int) -> tuple[bytes, int]:
        """Return bytes from an offset on, and the offset behind them; whole lines where the file has them.

        Args:
            offset: Where to begin; what was dropped meanwhile is skipped.
            max_bytes: Most to return, in bytes.
        """
        offset = min(max(offset, self.start), self.end)
        boundary = self._num_dropped_bytes + self._old_size
        if offset < boundary:
            path, position = self._old_path, offset - self._num_dropped_bytes
        else:
            path, position = self._path, offset - boundary
        try:
            with path.open("rb") as file:
                file.seek(position)
                body = file.read(max_bytes)
        except FileNotFoundError:
            return b"", offset
        whole = body[: body.rfind(b"\n") + 1] or body
        return whole, offset + len(whole)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
