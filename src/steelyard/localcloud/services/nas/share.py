"""What file systems and mount targets are on this machine: folders, and links to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path


class Shares:
    """The folders of all file systems, and for each mount target that is open a link to its file system's.

    Instances see a file system through the link alone, so that a mount target that is closed or deleted ends what they
    see at once.

    Args:
        root: Folder that holds them; made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._folders = root / "file-systems"
        self._doors = root / "mount-targets"
        self._folders.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._doors.mkdir(mode=0o700, exist_ok=True)

    def make(self, file_system_id: str) -> None:
        """Make a file system's folder; one that is there stays as it is.

        Raises:
            OSError: The disk is full, or fails.
        """
        (self._folders / file_system_id).mkdir(exist_ok=True)

    def remove(self, file_system_id: str) -> None:
        """Remove a file system's folder with all that is in it; one that is not there is fine."""
        shutil.rmtree(self._folders / file_system_id, ignore_errors=True)

    def open(self, domain: str, file_system_id: str) -> None:
        """Open a mount target; one that is open is fine.

        Raises:
            OSError: The disk is full, or fails.
        """
        with suppress(FileExistsError):
            self.door(domain).symlink_to(self._folders / file_system_id)

    def close(self, domain: str) -> None:
        """Close a mount target; one that is closed is fine."""
        self.door(domain).unlink(missing_ok=True)

    def door(self, domain: str) -> Path:
        """Give the path by which instances see a mount target's file system while it is open."""
        return self._doors / domain

    def settle(self, file_system_ids: Collection[str], open_domains: Mapping[str, str]) -> None:
        """Make the disk what the records say, after a cloud that ended between the two.

        Args:
            file_system_ids: The file systems that there are.
            open_domains: File system by mount target that is open.
        """
        for entry in self._folders.iterdir():
            if entry.name not in file_system_ids:
                self.remove(entry.name)
        for link in self._doors.iterdir():
            if link.name not in open_domains:
                self.close(link.name)
        for file_system_id in file_system_ids:
            self.make(file_system_id)
        for domain, file_system_id in open_domains.items():
            self.open(domain, file_system_id)

    def measure(self, file_system_id: str) -> int:
        """Count the bytes of a file system's files; what changes meanwhile may be counted or not."""
        total = 0
        for folder, _, names in os.walk(self._folders / file_system_id):
            for name in names:
                with suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total
