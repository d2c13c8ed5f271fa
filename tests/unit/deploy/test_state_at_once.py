"""A state that is written and read by several at once, meets a full disk, or goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelyard.deploy import values
from steelyard.deploy.record import Record
from steelyard.deploy.sealing import Sealer
from steelyard.deploy.state import State, StateFile
from steelyard.errors import DeployError

Meet = Callable[[], None]


class WatchedFile(StateFile):
    """One in which something happens once between the look whether all is to be written, and what follows from it."""

    happening: Meet | None = None

    @property
    def _is_whole_due(self) -> bool:
        is_due = self.__dict__["is_whole_due"]
        happening, self.happening = self.happening, None
        if happening is not None:
            happening()
        return bool(is_due)

    @_is_whole_due.setter
    def _is_whole_due(self, is_due: bool) -> None:
        self.__dict__["is_whole_due"] = is_due


def record(name: str) -> Record:
    return Record(urn=f"urn:pulumi:s::p::alicloud:vpc/network:Network::{name}", is_custom=True, id=name)


def test_a_change_that_a_full_disk_refused_is_written_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WatchedFile(tmp_path / "s.json", Sealer(tmp_path / "key"), project="p", stack="s")
    state, guard = State(), threading.Lock()
    file.save(state, guard)
    is_full, may_fail = threading.Event(), threading.Event()
    append = file.log.append

    def refuse(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(file.log, "append", append)
        is_full.set()
        assert may_fail.wait(60)
        raise OSError(28, "No space left on device")

    def put(name: str) -> None:
        with guard:
            state.resources[record(name).urn] = record(name)
        file.save(state, guard, {record(name).urn})

    def fail() -> None:
        with pytest.raises(OSError, match="No space"):
            put("refused")

    monkeypatch.setattr(file.log, "append", refuse)
    refused = threading.Thread(target=fail)
    refused.start()
    assert is_full.wait(60)

    def meet() -> None:
        may_fail.set()
        refused.join(0.5)

    file.happening = meet
    put("next")
    refused.join()

    assert file.load().resources == state.resources


def test_a_state_that_is_removed_as_it_is_read_is_empty(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path / "key")
    file = StateFile(tmp_path / "s.json", sealer, project="p", stack="s")
    file.save(State(outputs={"token": values.secret("t")}), threading.Lock())

    class Removed(StateFile):
        """One whose stack goes after its file was read and before its secrets are opened."""

        def _read(self) -> Any:
            found = super()._read()
            for path in (self.path, sealer.key_path):
                path.unlink()
            return found

    removed = Removed(file.path, Sealer(sealer.key_path), project="p", stack="s")
    assert removed.load() == State()


def test_a_state_without_its_key_is_refused(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path / "key")
    file = StateFile(tmp_path / "s.json", sealer, project="p", stack="s")
    file.save(State(outputs={"token": values.secret("t")}), threading.Lock())
    sealer.key_path.unlink()
    with pytest.raises(DeployError, match="is gone"):
        StateFile(file.path, Sealer(sealer.key_path), project="p", stack="s").load()
