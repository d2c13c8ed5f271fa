"""Checkpoints in a folder: on a disk of one machine, or on one that all nodes share."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from steelyard.errors import TrainingError
from steelyard.training.checkpoint.storage import FileFact

_CHUNK_BYTES = 1024 * 1024


class FolderStorage:
    """Keeps each checkpoint in a folder of its own.

    Args:
        root: The folder above them; made where it is not there.

    Raises:
        TrainingError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"checkpoints cannot be kept in {root}: {error.strerror}",
                "give a folder that this process may write to",
            ) from error

    @property
    def url(self) -> str:
        """Path of the folder."""
        return str(self._root)

    def names(self) -> Sequence[str]:
        """Return the names of the folders in it."""
        return [entry.name for entry in self._root.iterdir() if entry.is_dir()]

    def open(self, key: str, mode: str) -> AbstractContextManager[IO[Any]]:
        """Open a file; see `storage.Storage.open`."""
        path = self._root / key
        if "w" in mode:
            path.parent.mkdir(exist_ok=True)
        return path.open(mode)

    def write(self, key: str, body: bytes) -> None:
        """Write a file aside, and give it its name when it is on the disk."""
        path = self._root / key
        path.parent.mkdir(exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        with aside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_folder(path.parent)

    def read(self, key: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        try:
            return (self._root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def rename(self, key: str, new_key: str) -> None:
        """Give a file another name."""
        (self._root / key).replace(self._root / new_key)

    def exists(self, key: str) -> bool:
        """Return whether there is such a file."""
        return (self._root / key).is_file()

    def delete(self, key: str) -> None:
        """Delete a file."""
        (self._root / key).unlink(missing_ok=True)

    def drop(self, name: str) -> None:
        """Delete a checkpoint's folder."""
        shutil.rmtree(self._root / name, ignore_errors=True)

    def fault(self, key: str, fact: FileFact) -> str:
        """Read a file and compare it with what was known when it was written."""
        path = self._root / key
        crc32 = 0
        try:
            size = path.stat().st_size
            if size != fact.size:
                return f"{path.name} has {size} of {fact.size} bytes"
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    crc32 = zlib.crc32(chunk, crc32)
        except OSError as error:
            return f"{path.name} cannot be read: {error.strerror}"
        return "" if crc32 == fact.crc32 else f"{path.name} holds other bytes than were written"


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk too; where the file system cannot, there is nothing to do."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
