from __future__ import annotations

import os
from pathlib import Path

from steelyard.localcloud.log_file import keep_log_short


def test_a_log_within_its_bound_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cloud.log").write_text("x" * 100)
    assert not keep_log_short(tmp_path, 100)
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.log"]


def test_a_cloud_without_a_log_has_nothing_to_keep_short(tmp_path: Path) -> None:
    assert not keep_log_short(tmp_path, 100)


def test_whoever_holds_the_log_open_goes_on_at_its_new_beginning(tmp_path: Path) -> None:
    log = tmp_path / "cloud.log"
    writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(writer, b"old\n" * 100)
        assert keep_log_short(tmp_path, 100)
        os.write(writer, b"new\n")
    finally:
        os.close(writer)
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "cloud.log.1").read_bytes() == b"old\n" * 100
    assert (tmp_path / "cloud.log.1").stat().st_mode & 0o077 == 0


def test_many_moves_leave_two_files_of_bounded_size(tmp_path: Path) -> None:
    log = tmp_path / "cloud.log"
    for _ in range(50):
        with log.open("a") as file:
            file.write("x" * 60)
        keep_log_short(tmp_path, 100)
    assert {path.name for path in tmp_path.iterdir()} == {"cloud.log", "cloud.log.1"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * 160
