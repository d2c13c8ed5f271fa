"""The bytes of objects and parts: one file each, written once and never changed."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steelyard.localcloud.services.oss.checksum import extend_crc64
from steelyard.localcloud.services.oss.cipher import BlobCipher, algorithm_of

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A file of bytes.

    Attributes:
        name: Its name in the folder.
        size: Its length in bytes.
        md5: Its MD5 in hexadecimal capitals, as an `ETag` has it.
        crc64: Its CRC-64.
        encryption: What it is encrypted with on the disk; empty where it is plain. Its name tells the same.
    """

    name: str
    size: int
    md5: str
    crc64: int
    encryption: str = ""


Segment = tuple[str, int]
"""A blob's name and size: a part of an object."""


class BlobWriter:
    """Writes one blob; nothing refers to it until its record is committed.

    Args:
        folder: Where it goes.
        cipher: Encrypts it.
        encryption: What it is encrypted with; empty for nothing.
    """

    def __init__(self, folder: Path, cipher: BlobCipher, encryption: str = "") -> None:
        seal = cipher.seal(encryption) if encryption else ""
        self._encryption = encryption
        self._encrypt = cipher.stream(seal) if seal else _plain
        self._name = _new_name(seal)
        self._path = folder / self._name
        self._file = self._path.open("xb", buffering=0)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64 = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            OSError: The disk is full, or fails.
        """
        rest = memoryview(self._encrypt(data))
        while rest:
            rest = rest[self._file.write(rest) :]
        self._md5.update(data)
        self._crc64 = extend_crc64(self._crc64, data)
        self._size += len(data)

    def close(self) -> Blob:
        """End it."""
        self._file.close()
        return Blob(
            name=self._name,
            size=self._size,
            md5=self._md5.hexdigest().upper(),
            crc64=self._crc64,
            encryption=self._encryption,
        )

    def discard(self) -> None:
        """Remove it again."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """The folder of the blobs.

    A blob that is being read outlives its removal until the last reader has gone. One that is encrypted has its seal
    behind a hyphen in its name, and comes back plain.

    Args:
        folder: Made where it is missing; the key of what is encrypted stands beside it, in `<folder>.key`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._cipher = BlobCipher(folder.with_name(f"{folder.name}.key"))
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()
        self._lock = threading.Lock()

    def sweep(self, kept: Collection[str]) -> int:
        """Remove what no record refers to: uploads that a killed cloud had not committed. Gives their number."""
        left = [path for path in self._folder.iterdir() if path.name not in kept]
        for path in left:
            path.unlink()
        return len(left)

    def writer(self, encryption: str = "") -> BlobWriter:
        """Begin a blob, encrypted with an algorithm or plain."""
        return BlobWriter(self._folder, self._cipher, encryption)

    def are_encrypted(self, segments: Sequence[Segment], encryption: str) -> bool:
        """Tell whether blobs are all encrypted with an algorithm, or are all plain where that is empty."""
        return all(algorithm_of(_seal_of(name)) == encryption for name, _ in segments)

    def copy(self, segments: Sequence[Segment], start: int, end: int, encryption: str) -> Blob:
        """Write the bytes from `start` up to `end` of blobs, one after the other, into a new one."""
        writer = self.writer(encryption)
        try:
            for data in self.read(segments, start, end):
                writer.write(data)
            return writer.close()
        except BaseException:
            writer.discard()
            raise

    def twins(self, segments: Sequence[Segment]) -> list[Segment]:
        """Give new names to the same bytes, without copying them."""
        twins: list[Segment] = []
        for name, size in segments:
            twin = _new_name(_seal_of(name))
            os.link(self._folder / name, self._folder / twin)
            twins.append((twin, size))
        return twins

    def remove(self, names: Iterable[str]) -> None:
        """Remove blobs; those that are being read go with their last reader."""
        with self._lock:
            for name in names:
                if self._readers[name]:
                    self._doomed.add(name)
                else:
                    del self._readers[name]
                    (self._folder / name).unlink(missing_ok=True)

    def hold(self, segments: Iterable[Segment]) -> tuple[str, ...]:
        """Keep blobs for a reader, who gives them back with `release`."""
        names = tuple(name for name, _ in segments)
        with self._lock:
            self._readers.update(names)
        return names

    def release(self, names: Iterable[str]) -> None:
        """Give back what `hold` kept."""
        with self._lock:
            for name in names:
                self._readers[name] -= 1
                if not self._readers[name]:
                    del self._readers[name]
                    if name in self._doomed:
                        self._doomed.discard(name)
                        (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def held(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Keep blobs while they are read."""
        names = self.hold(segments)
        try:
            yield
        finally:
            self.release(names)

    def read(self, segments: Sequence[Segment], start: int, end: int) -> Iterator[bytes]:
        """Give the bytes from `start` up to `end` of blobs one after the other, a MiB or less at a time."""
        offset = 0
        for name, size in segments:
            first, last = max(start - offset, 0), min(end - offset, size)
            offset += size
            if first >= last:
                continue
            with (self._folder / name).open("rb", buffering=0) as file:
                file.seek(first)
                seal = _seal_of(name)
                decrypt = self._cipher.stream(seal, first) if seal else _plain
                while first < last:
                    data = file.read(min(last - first, _CHUNK_BYTES))
                    if not data:
                        raise OSError(f"blob {name} is shorter than its record says")
                    first += len(data)
                    yield decrypt(data)


def _plain(data: bytes) -> bytes:
    return data


def _new_name(seal: str) -> str:
    name = uuid.uuid4().hex
    return f"{name}-{seal}" if seal else name


def _seal_of(name: str) -> str:
    return name.partition("-")[2]
