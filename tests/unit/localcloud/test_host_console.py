from __future__ import annotations

from steelyard.localcloud.hosts.supervisor.console import Console


def test_the_console_keeps_its_newest_bytes_within_its_limit(tmp_path):
    path = tmp_path / "console.log"
    console = Console(str(path), limit_bytes=1000)
    for number in range(500):
        console.write(f"line {number}\n".encode())
        assert path.stat().st_size <= 1000
    assert path.read_text().endswith("line 498\nline 499\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_boot_goes_on_where_the_first_ended(tmp_path):
    path = tmp_path / "console.log"
    Console(str(path)).write(b"first\n")
    Console(str(path)).write(b"second\n")
    assert path.read_text() == "first\nsecond\n"


def test_what_a_kill_left_of_a_halving_does_not_come_back(tmp_path):
    path = tmp_path / "console.log"
    (tmp_path / "console.log.new").write_bytes(b"stale")
    console = Console(str(path), limit_bytes=10)
    console.write(b"0123456789ab")
    assert path.read_bytes() == b"789ab"
