"""The files of images: what becomes of one that cannot be made, or whose cloud ends meanwhile."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs.custom_image import CustomImage, ImageFolders
from steelyard.localcloud.services.ecs.image import IMAGES

DEADLINE_S = 30.0


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with standing_cloud(tmp_path, Clock()) as cloud:
        yield cloud


@pytest.fixture
def images(cloud: Cloud) -> Records[CustomImage]:
    images = Records(cloud.store, CustomImage)
    images.put(
        CustomImage(
            id="m-1",
            created_at=0.0,
            region_id="cn-hangzhou",
            name="m-1",
            description="",
            family="",
            base_id=next(iter(IMAGES)),
            size_gib=40,
            status="Creating",
            is_copied=False,
            resource_group_id="",
        )
    )
    return images


@pytest.fixture
def folders(cloud: Cloud, images: Records[CustomImage]) -> ImageFolders:
    return ImageFolders(cloud, images)


def status(images: Records[CustomImage]) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while (found := images.get("m-1").status) == "Creating":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_one_that_cannot_be_made_is_told_and_leaves_no_files(cloud, folders, images):
    def copy(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").touch()
        raise OSError("no space left")

    folders.fill("m-1", copy)
    assert status(images) == "CreateFailed"
    assert folders.find("m-1") is None
    assert list((cloud.data_dir / "images").iterdir()) == []


def test_its_files_are_not_seen_before_they_are_whole_and_a_cloud_that_ends_waits_for_them(folders, images):
    may_end = threading.Event()

    def copy(folder: Path) -> None:
        folder.mkdir()
        may_end.wait(DEADLINE_S)
        (folder / "whole").touch()

    folders.fill("m-1", copy)
    assert folders.find("m-1") is None
    may_end.set()
    folders.close()
    assert images.get("m-1").status == "Available"
    assert [path.name for path in folders.find("m-1").iterdir()] == ["whole"]
    folders.discard("m-1")
    assert folders.find("m-1") is None


def test_one_that_is_deleted_is_never_seen_in_part(cloud, folders, monkeypatch):
    folder = cloud.data_dir / "images" / "m-1"
    (folder / "inner").mkdir(parents=True)
    remove, seen = shutil.rmtree, []

    def look_and_remove(path: Path, **words: bool) -> None:
        seen.append(folders.find("m-1"))
        remove(path, **words)

    monkeypatch.setattr(shutil, "rmtree", look_and_remove)
    folders.discard("m-1")
    assert seen == [None]
    assert list(folder.parent.iterdir()) == []
    folders.discard("m-1")


@pytest.mark.parametrize(("folder", "expected"), [("m-1.partial", "CreateFailed"), ("m-1", "Available")])
def test_one_of_a_cloud_that_was_killed_is_what_its_files_are(cloud, folders, images, folder, expected):
    (cloud.data_dir / "images" / folder).mkdir(parents=True)
    folders.resume()
    assert images.get("m-1").status == expected
    assert not (cloud.data_dir / "images/m-1.partial").exists()
