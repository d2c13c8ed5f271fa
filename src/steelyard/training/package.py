"""A job's package, as a node takes it: a gzipped tar archive from somewhere else, so nothing in it is trusted."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from steelyard.errors import UsageError

MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
"""Largest sum of a package's files, in bytes."""

MAX_MEMBERS = 20_000
"""Largest number of files and folders in a package."""


def check_package(package: bytes, script: str) -> None:
    """Check that a package can be unpacked and holds the script.

    Args:
        package: The archive.
        script: Path of the script inside it.

    Raises:
        UsageError: The archive is broken, too large, reaches out of its folder, or does not hold the script.
    """
    wanted = PurePosixPath(script)
    if wanted.is_absolute() or ".." in wanted.parts or not wanted.name:
        raise UsageError(f"script {script!r} is not a path inside the package", hint="give its relative path")
    with _opened(package) as archive:
        names = set()
        for member in _checked_members(archive):
            _ = tarfile.data_filter(member, "/nowhere")
            if member.isfile() or member.issym() or member.islnk():
                names.add(PurePosixPath(member.name))
    if wanted not in names:
        raise UsageError(
            f"the package does not hold {script}", hint="pack the folder that the script lies in"
        )


def unpack(package: bytes, folder: Path) -> None:
    """Unpack a package into a folder, and nowhere else.

    Members that reach out of the folder, by path or by link, devices, and modes with more rights than usual are
    refused or tamed by the standard library's `data` filter.

    Args:
        package: The archive.
        folder: Where its files go; made where it is not there, for the owner alone.

    Raises:
        UsageError: The archive is broken, too large, or reaches out of its folder.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _opened(package) as archive:
        for member in _checked_members(archive):
            archive.extract(member, folder, filter="data")


@contextmanager
def _opened(package: bytes) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
            yield archive
    except tarfile.FilterError as error:
        raise UsageError(f"the package reaches out of its folder: {error}") from error
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UsageError(
            f"the package cannot be unpacked: {error}", hint="it is a .tar.gz archive"
        ) from error


def _checked_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    num_bytes = 0
    for num_members, member in enumerate(archive, start=1):
        num_bytes += member.size
        if num_members > MAX_MEMBERS:
            raise UsageError(f"the package holds more than {MAX_MEMBERS} files", hint="keep data out of it")
        if num_bytes > MAX_UNPACKED_BYTES:
            raise UsageError(
                f"the package unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB",
                hint="keep data out of it",
            )
        yield member
