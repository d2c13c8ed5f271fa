"""Two runs at once, of which one removes the stack."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from steelyard import file_lock
from steelyard.deploy.lock import StackLock
from steelyard.errors import StackLockedError

Before = Callable[[Callable[[], None]], None]


@pytest.fixture
def before_locking(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Say what happens once between the opening of a lock file and its locking."""

    def say(happening: Callable[[], None]) -> None:
        happenings = [happening]

        def flock(descriptor: int, how: int) -> None:
            if happenings:
                happenings.pop()()
            fcntl.flock(descriptor, how)

        monkeypatch.setattr(file_lock, "fcntl", SimpleNamespace(**{**vars(fcntl), "flock": flock}))

    return say


def test_a_lock_that_its_last_holder_removes_is_taken_on_the_file_that_others_find(
    tmp_path: Path, before_locking: Before
) -> None:
    path = tmp_path / "stack.lock"
    before_locking(path.unlink)
    with StackLock(path, "demo"), pytest.raises(StackLockedError), StackLock(path, "demo"):
        pass


def test_a_folder_that_the_last_holder_removes_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "demo" / "stack.lock"
    real_open, removals = file_lock.os.open, [path.parent.rmdir]

    def open_late(*arguments: object) -> int:
        while removals:
            removals.pop()()
        return real_open(*arguments)

    path.parent.mkdir()
    monkeypatch.setattr(file_lock, "os", SimpleNamespace(**{**vars(file_lock.os), "open": open_late}))
    with StackLock(path, "demo"):
        assert path.exists()
