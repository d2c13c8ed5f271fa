"""Training events: one JSON object a line, for the launcher, the CLI and the dashboard."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steelyard.errors import TrainingError


class EventLog:
    """Appends events to a file; does nothing where there is none to write to.

    Args:
        path: The file, or None.
        clock: Wall clock, in seconds since 1970.

    Raises:
        TrainingError: If the file cannot be opened.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # a checkpoint's end is told of by the thread that writes it
        try:
            # One write per line: a reader that follows the file never sees half an event for long.
            self._file = path.open("a", buffering=1, encoding="utf-8") if path else None
        except OSError as err:
            raise TrainingError(
                f"cannot write training events to {path}: {err}", "let the path lie in a folder that exists"
            ) from err

    def write(self, kind: str, *, at_s: float | None = None, **fields: Any) -> None:
        """Append one event.

        Args:
            kind: Kind of the event: ``step``, ``metric``, ``result``, ``warning``, ``checkpoint``, ``resume`` or
                ``leave``.
            at_s: When it happened, in seconds since 1970; now where None.
            **fields: JSON values. A number that is not finite becomes null.
        """
        if self._file is None:
            return
        event = {"kind": kind, "time": self._clock() if at_s is None else at_s, **fields}
        line = json.dumps(_finite(event), separators=(",", ":"), allow_nan=False) + "\n"
        with self._lock:
            if self._file is not None:
                self._file.write(line)

    def close(self) -> None:
        """Close the file; later events are dropped."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
