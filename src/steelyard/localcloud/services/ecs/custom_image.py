"""Images that were made of instances: the files of a home folder, with which another instance begins."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.services.ecs.image import IMAGES, Image
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

CREATING, AVAILABLE, CREATE_FAILED = "Creating", "Available", "CreateFailed"
MAX_IMAGES = 100
"""Custom images of a region (help page "Limits" of images, from memory)."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CustomImage(Record):
    """An image that a call made.

    Attributes:
        base_id: The public image that its instance came from in the end, which says what system it is.
        size_gib: Size of the smallest system disk.
        is_copied: Whether it is a copy of another image.
    """

    kind: ClassVar[str] = "image"

    region_id: str
    name: str
    description: str
    family: str
    base_id: str
    size_gib: int
    status: str
    is_copied: bool
    resource_group_id: str
    version: str = ""

    def to_image(self) -> Image:
        """Give what is needed of it to make an instance."""
        return replace(
            IMAGES[self.base_id],
            image_id=self.id,
            family=self.family,
            size_gib=self.size_gib,
            created_on=utc_text(self.created_at),
        )

    def to_answer(self, *, is_used: bool) -> dict[str, object]:
        """Give the fields of DescribeImages."""
        return {
            **self.to_image().to_answer(is_used=is_used),
            "ImageName": self.name,
            "ImageOwnerAlias": "self",
            "ImageVersion": self.version,
            "Description": self.description,
            "Status": self.status,
            "Progress": "100%" if self.status == AVAILABLE else "0%",
            "CreationTime": utc_text(self.created_at),
            "IsPublic": False,
            "IsCopied": self.is_copied,
            "ResourceGroupId": self.resource_group_id,
            "Tags": {"Tag": tag_rows(self.tags)},
        }


class ImageFolders:
    """The files of custom images, one folder each, which are copied in threads.

    Args:
        cloud: Whose images they are.
        images: Their records, which it finishes.
    """

    def __init__(self, cloud: Cloud, images: Records[CustomImage]) -> None:
        self._cloud = cloud
        self._images = images
        self._directory = cloud.data_dir / "images"
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def find(self, image_id: str) -> Path | None:
        """Give an image's folder; None of a public image, which has no files."""
        folder = self._directory / image_id
        return folder if folder.is_dir() else None

    def fill(self, image_id: str, copy: Callable[[Path], None]) -> None:
        """Fill an image's folder in a thread, and finish its record.

        Args:
            image_id: The image.
            copy: Makes the folder that it is given; it may raise an `OSError`.
        """

        def run() -> None:
            # A folder of this name is complete: it gets its name at the end.
            partial = self._directory / f"{image_id}.partial"
            try:
                self._directory.mkdir(mode=0o700, exist_ok=True)
                copy(partial)
                partial.rename(self._directory / image_id)
            except OSError as err:
                logger.error("%s could not be made: %s", image_id, err)
                shutil.rmtree(partial, ignore_errors=True)
                self._finish(image_id, CREATE_FAILED)
            else:
                self._finish(image_id, AVAILABLE)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=f"image-{image_id}", daemon=True)
        with self._lock:
            self._threads.add(thread)
            thread.start()

    def discard(self, image_id: str) -> None:
        """Remove an image's files; who copies them at that time misses some, and never takes a part for all."""
        partial = self._directory / f"{image_id}.partial"
        with suppress(FileNotFoundError):
            (self._directory / image_id).rename(partial)
        shutil.rmtree(partial, ignore_errors=True)

    def resume(self) -> None:
        """Finish the images that were being made when the last cloud ended: they have failed."""
        for partial in self._directory.glob("*.partial"):
            shutil.rmtree(partial, ignore_errors=True)
        with self._cloud.transaction():
            images = self._images.list()
            for folder in set(self._directory.glob("*/")) - {self._directory / image.id for image in images}:
                shutil.rmtree(
                    folder, ignore_errors=True
                )  # A deletion was cut off before it came to the files.
            for image in images:
                if image.status == CREATING:
                    is_there = self.find(image.id) is not None
                    self._images.put(replace(image, status=AVAILABLE if is_there else CREATE_FAILED))

    def close(self) -> None:
        """Wait for the images that are being made."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _finish(self, image_id: str, status: str) -> None:
        with self._cloud.transaction():
            image = self._images.get(image_id)
            if image is not None:
                self._images.put(replace(image, status=status))
