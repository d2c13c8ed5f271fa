"""What a cloud that runs does for its folder."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from steelyard.localcloud.__main__ import _keep_folder
from steelyard.localcloud.cloud_info import CloudInfo, read_info
from steelyard.localcloud.daemon import LOCK_NAME


@pytest.fixture
def info(tmp_path: Path) -> CloudInfo:
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / LOCK_NAME).touch()
    words = ("endpoint", "access_key_id", "access_key_secret", "region_id", "account_id")
    return CloudInfo(**dict.fromkeys(words, ""), pid=1, data_dir=str(folder), started_at=0.0)


def test_a_description_that_was_deleted_is_written_again(info):
    assert _keep_folder(Path(info.data_dir), lambda: info)
    assert read_info(Path(info.data_dir)) == info


def test_a_folder_that_is_being_deleted_is_left_to_whoever_deletes_it(info, monkeypatch):
    folder = Path(info.data_dir)
    monkeypatch.setattr(time, "sleep", lambda seconds: shutil.rmtree(folder))
    assert not _keep_folder(folder, lambda: info)
    assert not folder.exists()
