"""Packing a script's folder for a job."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Collection, Mapping
from pathlib import Path

from steelyard.errors import UsageError

MAX_PACKAGE_BYTES = 64 * 1024 * 1024
"""Largest package that a gateway takes, compressed, in bytes."""

_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)


def pack_folder(
    folder: Path,
    *,
    leave_out: Collection[Path] = (),
    mark: str = "",
    max_bytes: int = MAX_PACKAGE_BYTES,
) -> bytes:
    """Return a gzipped tar archive of a folder, without version control, caches and virtual environments.

    Args:
        folder: The folder; paths in the archive are relative to it.
        leave_out: Folders that do not go along either where they are below it, such as Steelyard's own, with its keys.
        mark: Name of a file by which further folders are known that do not go along, such as local clouds'; none where
            it is empty.
        max_bytes: Largest archive, in bytes.

    Raises:
        UsageError: The archive is larger than a gateway takes, or a link leads out of the folder.
    """
    left_out = {path.resolve() for path in leave_out}

    def is_left_out(path: Path) -> bool:
        is_marked = bool(mark) and (path / mark).exists()
        return path.name in _LEFT_OUT or path.resolve() in left_out or is_marked

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if member.name != "." and is_left_out(folder / member.name):
            return None
        if member.issym() and not _stays_inside(member):
            raise UsageError(
                f"{folder / member.name} is a link to {member.linkname}, out of the folder that is sent to the nodes",
                hint="send a folder of its own: move the script, or copy what the link leads to",
            )
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        archive.add(folder, arcname=".", filter=keep)
    package = buffer.getvalue()
    if len(package) > max_bytes:
        raise UsageError(
            f"{folder} packs to {len(package) / 2**20:.1f} MiB; a gateway takes {max_bytes / 2**20:.3g} MiB",
            hint="keep data and checkpoints out of the script's folder, and read them from a store",
        )
    return package


def pack_files(files: Mapping[str, str]) -> bytes:
    """Return a gzipped tar archive of texts by their names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            body = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def _stays_inside(link: tarfile.TarInfo) -> bool:
    target = os.path.normpath(os.path.join(os.path.dirname(link.name), link.linkname))
    return not os.path.isabs(target) and target.split(os.sep)[0] != os.pardir
