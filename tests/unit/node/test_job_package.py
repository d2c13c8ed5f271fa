from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from steelyard.errors import UsageError
from steelyard.node.packing import pack_files, pack_folder
from steelyard.training import package as package_module
from steelyard.training.package import check_package, unpack


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def member(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


HOSTILE = {
    "a path above": lambda: archive((member("a.py"), b""), (member("../evil"), b"x")),
    "an absolute path's link": lambda: archive(
        (member("a.py"), b""), (member("l", kind=tarfile.SYMTYPE, link="/etc"), b"")
    ),
    "a link above": lambda: archive(
        (member("a.py"), b""), (member("l", kind=tarfile.SYMTYPE, link="../.."), b"")
    ),
    "a hard link above": lambda: archive(
        (member("a.py"), b""), (member("l", kind=tarfile.LNKTYPE, link="../x"), b"")
    ),
    "a device": lambda: archive((member("a.py"), b""), (member("d", kind=tarfile.CHRTYPE), b"")),
    "a pipe": lambda: archive((member("a.py"), b""), (member("p", kind=tarfile.FIFOTYPE), b"")),
    "not a tar": lambda: b"\x1f\x8b" + b"x" * 100,
    "cut short": lambda: archive((member("a.py"), os.urandom(100_000)))[:50_000],
    "empty": lambda: b"",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_package_is_refused_and_writes_nothing_outside(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "inner" / "package"
    with pytest.raises(UsageError):
        check_package(make(), "a.py")
    with pytest.raises(UsageError):
        unpack(make(), folder)
    outside = [path for path in tmp_path.rglob("*") if folder not in path.parents and path != folder]
    assert outside == [tmp_path / "inner"]


def test_an_absolute_path_lands_inside_the_folder(tmp_path: Path) -> None:
    unpack(archive((member("/etc/a.py"), b"x")), tmp_path / "p")
    assert (tmp_path / "p/etc/a.py").read_bytes() == b"x"


def test_rights_that_a_script_does_not_need_are_taken_away(tmp_path: Path) -> None:
    unpack(archive((member("a.py", mode=0o6777), b"x")), tmp_path / "p")
    assert (tmp_path / "p/a.py").stat().st_mode & 0o7022 == 0
    assert (tmp_path / "p").stat().st_mode & 0o077 == 0


def test_a_package_that_grows_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_module, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = archive((member("a.py"), b""), (member("zeros"), bytes(1_000_001)))
    assert len(bomb) < 10_000
    with pytest.raises(UsageError, match="unpacks to more than"):
        unpack(bomb, tmp_path / "p")
    monkeypatch.setattr(package_module, "MAX_MEMBERS", 2)
    with pytest.raises(UsageError, match="more than 2 files"):
        check_package(pack_files({"a.py": "", "b.py": "", "c.py": ""}), "a.py")


def test_what_the_command_line_packs_is_what_a_node_unpacks(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "model").mkdir(parents=True)
    (source / "train.py").write_text("print(1)")
    (source / "model/net.py").write_text("x = 1")
    packed = pack_folder(source)
    check_package(packed, "train.py")
    check_package(packed, "model/net.py")
    unpack(packed, tmp_path / "target")
    assert (tmp_path / "target/model/net.py").read_text() == "x = 1"
