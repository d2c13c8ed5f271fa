"""Messages between the gateway's process and Ray's: JSON objects, each behind its length."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import IO, Any

_LENGTH = struct.Struct("!I")
MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Largest message: a job's package in base64 and room to spare, in bytes."""


def pack_frame(message: Mapping[str, Any]) -> bytes:
    """Return a message's bytes.

    Raises:
        ValueError: It is larger than `MAX_FRAME_BYTES`.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is larger than {MAX_FRAME_BYTES}")
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next message, or None where the other side has closed.

    Raises:
        ValueError: What came is not a message.
    """
    try:
        return _parsed(await reader.readexactly(_length(await reader.readexactly(_LENGTH.size))))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def read_frame_now(file: IO[bytes]) -> dict[str, Any] | None:
    """Return the next message from a blocking file, or None where the other side has closed."""
    prefix = file.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    length = _length(prefix)
    body = file.read(length)
    return _parsed(body) if len(body) == length else None


def _length(prefix: bytes) -> int:
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {length} bytes is larger than {MAX_FRAME_BYTES}")
    return int(length)


def _parsed(body: bytes) -> dict[str, Any]:
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError(f"a message is an object, not {type(message).__name__}")
    return message
