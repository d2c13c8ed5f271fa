from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.node.job.log import BoundedLog


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "job.log")
    assert log.read(0, 100) == (b"", 0)
    log.append(["one", "two"])
    assert log.read(0, 100) == (b"one\ntwo\n", 8)
    log.append(["three"])
    assert log.read(8, 100) == (b"three\n", 14)
    assert log.read(99, 100) == (b"", 14)


def test_a_piece_ends_with_a_whole_line_where_it_can(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "job.log")
    log.append(["one", "two", "a-line-longer-than-a-piece"])
    assert log.read(0, 6) == (b"one\n", 4)
    assert log.read(8, 6) == (b"a-line", 14)


def test_a_log_of_before_is_read_after_a_restart(tmp_path: Path) -> None:
    BoundedLog(tmp_path / "job.log").append(["before"])
    log = BoundedLog(tmp_path / "job.log")
    log.append(["after"])
    assert log.read(0, 100)[0] == b"before\nafter\n"


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(0, 40), max_size=60), max_bytes=st.integers(100, 400))
def test_the_newest_lines_are_kept_within_the_bound_and_no_offset_slips(
    tmp_path_factory: object, sizes: list[int], max_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("log")  # type: ignore[attr-defined]
    log = BoundedLog(folder / "job.log", max_bytes=max_bytes)
    written = b""
    for index, size in enumerate(sizes):
        line = f"{index}:" + "x" * size
        log.append([line])
        written += line.encode() + b"\n"
        assert log.end == len(written)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= max_bytes
    offset, read = 0, b""
    while offset < log.end:
        body, offset = log.read(offset, 64)
        read += body
    assert written.endswith(read)
    assert len(read) == log.end - log.start
