from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.choice import HostChoice
from steelyard.localcloud.kept_file import load_kept, write_kept
from steelyard.localcloud.terms import Terms


def test_a_file_is_its_owners_alone_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "new" / "host.json"
    write_kept(path, "{}")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o600, "{}\n")
    assert list(path.parent.iterdir()) == [path]


def test_of_several_that_write_a_file_at_once_each_writes_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    texts = [str(number) * 1000 for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as pool:
        for _ in range(20):
            list(pool.map(write_kept, [path] * len(texts), texts))
            assert path.read_text().strip() in texts
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", '{"name', "[]", "7", '{"size": 1}', '{"name": "bare metal"}'])
def test_a_damaged_file_is_told_with_the_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(LocalCloudError, match=r"host\.json is damaged") as caught:
        load_kept(path, HostChoice)
    assert "delete it" in caught.value.hint


@pytest.mark.parametrize("text", ['{"calls_per_s": -1}', '{"calls_per_s": "many"}', '{"calls_per_s": NaN}'])
def test_damaged_terms_are_told_as_well(tmp_path: Path, text: str) -> None:
    path = tmp_path / "terms.json"
    path.write_text(text)
    with pytest.raises(LocalCloudError, match="is damaged"):
        load_kept(path, Terms)


def test_what_the_system_refuses_is_told_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(LocalCloudError, match="taken") as caught:
        write_kept(tmp_path / "taken" / "host.json", "{}")
    assert "--data DIR" in caught.value.hint
