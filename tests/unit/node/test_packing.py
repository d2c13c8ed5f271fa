import io
import os
import tarfile
from pathlib import Path

import pytest

from steelyard.errors import UsageError
from steelyard.localcloud.daemon import LOCK_NAME
from steelyard.node.packing import pack_files, pack_folder


def names(package: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        return set(archive.getnames())


def test_a_folder_is_packed_without_caches_and_version_control(tmp_path: Path) -> None:
    for name in ("train.py", "model/net.py", ".git/config", "model/__pycache__/net.pyc", ".venv/bin/python"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    assert names(pack_folder(tmp_path)) == {".", "./train.py", "./model", "./model/net.py"}


def test_the_owner_of_the_files_stays_at_home(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x")

    with tarfile.open(fileobj=io.BytesIO(pack_folder(tmp_path))) as archive:
        assert {(member.uid, member.uname) for member in archive} == {(0, "")}


def test_a_folder_too_large_for_a_gateway_is_refused_with_its_size(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(os.urandom(64 * 1024))

    with pytest.raises(UsageError, match=r"packs to 0\.1 MiB; a gateway takes 0\.0312 MiB"):
        pack_folder(tmp_path, max_bytes=32 * 1024)


@pytest.mark.parametrize("target", ["/etc/hosts", "../../elsewhere.py"])
def test_a_link_out_of_the_folder_is_refused_by_name_before_anything_is_sent(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words").symlink_to(target)

    with pytest.raises(UsageError, match=rf"data/words is a link to {target}"):
        pack_folder(tmp_path)


def test_a_link_within_the_folder_is_packed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "net.py").write_text("x")
    (tmp_path / "data" / "net.py").symlink_to("../net.py")

    assert "./data/net.py" in names(pack_folder(tmp_path))


def test_what_steelyard_itself_keeps_in_the_folder_stays_at_home(tmp_path: Path) -> None:
    home, other = tmp_path / "state", tmp_path / "runs" / "cloud"
    for cloud in (home / "cloud", other):
        (cloud / "instances" / "i-1").mkdir(parents=True)
        (cloud / LOCK_NAME).touch()
    (home / "cloud" / "instances" / "i-1" / "scratch").symlink_to("/tmp/elsewhere")
    (home / "stacks").mkdir()
    (tmp_path / "train.py").write_text("pass")

    packed = pack_folder(tmp_path, leave_out=[home], mark=LOCK_NAME)
    assert names(packed) == {".", "./train.py", "./runs"}
    assert "./stacks" in names(pack_folder(home, leave_out=[home], mark=LOCK_NAME))
    assert "./instances" in names(pack_folder(other, mark=LOCK_NAME))


def test_texts_are_packed_by_name() -> None:
    package = pack_files({"hello.py": "print('hello')"})

    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile("hello.py")
        assert member is not None
        assert member.read() == b"print('hello')"
