"""Reading and writing where the other end may be gone."""

from __future__ import annotations

import os

READ_BYTES = 1 << 16


def put(descriptor: int, data: bytes) -> None:
    """Write to a pipe or a socket whose reader may be gone."""
    try:
        os.write(descriptor, data)
    except (BrokenPipeError, ConnectionResetError):
        return


def take(descriptor: int) -> bytes:
    """Read what there is; empty where the writer is gone."""
    try:
        return os.read(descriptor, READ_BYTES)
    except ConnectionResetError:
        return b""
