"""The seam behind which checkpoints are kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class FileFact:
    """What is known of a file that was written.

    Attributes:
        size: Its length in bytes.
        crc32: Checksum of its content, as `zlib.crc32` gives it.
    """

    size: int
    crc32: int


class Storage(Protocol):
    """Keeps files by keys ``CHECKPOINT/FILE``; a checkpoint is what stands before the slash."""

    @property
    def url(self) -> str:
        """Where it is, for people to read."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names of all checkpoints, good and torn."""
        ...

    def open(self, key: str, mode: str) -> AbstractContextManager[Any]:
        """Open a file to read (``rb``, seekable) or to write anew (``wb``)."""
        ...

    def write(self, key: str, body: bytes) -> None:
        """Write a small file, whole or not at all; it is safe when this returns."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return a small file, or None where there is none."""
        ...

    def rename(self, key: str, new_key: str) -> None:
        """Give a file another key."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is such a file."""
        ...

    def delete(self, key: str) -> None:
        """Delete a file."""
        ...

    def drop(self, name: str) -> None:
        """Delete a checkpoint; of one that is not there nothing is said."""
        ...

    def fault(self, key: str, fact: FileFact) -> str:
        """Return what is wrong with a file, by what was known when it was written; empty where nothing is."""
        ...
