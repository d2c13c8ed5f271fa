"""Tells how much is in each file system, without letting anybody wait for the count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE_S = 2.0
"""The real cloud counts once an hour."""


class Meter:
    """Keeps the newest count of each file system, and counts again in a thread of its own when somebody asked.

    Args:
        measure: Counts the bytes of a file system; may take long.
    """

    def __init__(self, measure: Callable[[str], int]) -> None:
        self._measure = measure
        self._sizes: dict[str, int] = {}
        self._due_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def size(self, file_system_id: str) -> int:
        """Give the newest count, 0 before the first, and have another made where it is old."""
        with self._lock:
            if time.monotonic() >= self._due_at.get(file_system_id, 0.0):
                self._due_at[file_system_id] = float("inf")
                threading.Thread(
                    target=self._count, args=(file_system_id,), name=f"meter-{file_system_id}", daemon=True
                ).start()
            return self._sizes.get(file_system_id, 0)

    def forget(self, file_system_id: str) -> None:
        """Drop what is known of a file system that is gone."""
        with self._lock:
            self._sizes.pop(file_system_id, None)
            self._due_at.pop(file_system_id, None)

    def _count(self, file_system_id: str) -> None:
        size = self._measure(file_system_id)
        with self._lock:
            if file_system_id in self._due_at:
                self._sizes[file_system_id] = size
                self._due_at[file_system_id] = time.monotonic() + _PAUSE_S
