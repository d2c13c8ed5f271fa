"""The state file: atomic, encrypted, private, one write for many steps."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pulumi_alicloud as alicloud
import pytest
from fake_cloud import FakeCloud
from hypothesis import given
from hypothesis import strategies as st

from steelyard.deploy import Stack, values
from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.lock import StackLock
from steelyard.deploy.record import Record
from steelyard.deploy.report import Result
from steelyard.deploy.sealing import Sealer
from steelyard.deploy.state import State, StateFile
from steelyard.errors import DeployError, StackLockedError

Up = Callable[[Callable[[], object]], Result]
URN = "urn:pulumi:s::p::alicloud:vpc/network:Network::net"


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state.json", Sealer(tmp_path / "state.key"), project="p", stack="s")


def save(file: StateFile, state: State) -> None:
    file.save(state, threading.Lock())


def test_a_state_comes_back_as_it_was_saved(file: StateFile) -> None:
    record = Record(
        urn=URN,
        is_custom=True,
        id="vpc-1",
        inputs={"tags": {"a": values.secret("x")}, "n": 1, "f": 1.5, "l": [True, None]},
        outputs={"status": "Available"},
        provider="urn:pulumi:s::p::pulumi:providers:alicloud::default::uuid",
        dependencies=("urn:a", "urn:b"),
        property_dependencies={"vpcId": ("urn:a",)},
        deletes_before_replace=False,
        delete_timeout_s=5.0,
    )
    state = State(resources={URN: record}, superseded=[record], outputs={"token": values.secret("t")})
    save(file, state)
    assert file.load() == state


def test_the_files_are_for_their_owner_alone(file: StateFile) -> None:
    save(file, State(outputs={"token": values.secret("hunter2")}))
    assert {path.stat().st_mode & 0o777 for path in file.path.parent.iterdir()} == {0o600}
    assert "hunter2" not in file.path.read_text()


def test_no_key_is_made_where_nothing_is_secret(file: StateFile) -> None:
    save(file, State(outputs={"id": "vpc-1"}))
    assert [path.name for path in file.path.parent.iterdir()] == ["state.json"]


def test_a_lost_key_and_a_wrong_key_are_told_apart(file: StateFile, tmp_path: Path) -> None:
    save(file, State(outputs={"token": values.secret("t")}))
    key = tmp_path / "state.key"

    def reopened() -> StateFile:
        return StateFile(file.path, Sealer(key), project="p", stack="s")

    assert values.plain(reopened().load().outputs) == {"token": "t"}
    key.unlink()
    with pytest.raises(DeployError, match="is gone"):
        reopened().load()
    other = Sealer(key)
    other.seal(values.secret("x"))
    with pytest.raises(DeployError, match="were not sealed with the key"):
        reopened().load()


def test_a_write_that_breaks_off_leaves_the_old_state(
    file: StateFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(file, State(outputs={"id": "old"}))

    def full_disk(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full_disk)
        with pytest.raises(OSError, match="No space"):
            save(file, State(outputs={"id": "new"}))
    assert file.load().outputs == {"id": "old"}


def test_a_damaged_file_and_another_stacks_file_are_refused(file: StateFile) -> None:
    save(file, State())
    with pytest.raises(DeployError, match="has stack 's' where 'other' is needed"):
        StateFile(file.path, Sealer(file.path), project="p", stack="other").load()
    file.path.write_text('{"format": 1,')
    with pytest.raises(DeployError, match="damaged"):
        file.load()


def test_every_save_is_in_the_file_when_it_returns(file: StateFile) -> None:
    journal = Journal(State(), file)
    missing: list[str] = []

    def put(number: int) -> None:
        record = Record(urn=f"{URN}{number}", is_custom=True, id=str(number))
        journal.put(record)
        if record.urn not in file.load().resources:
            missing.append(record.urn)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert len(file.load().resources) == 24


def test_the_state_is_saved_after_every_step(stack: Stack, cloud: FakeCloud) -> None:
    seen: list[list[str]] = []

    class Watching(FakeCloud):
        def create(self, type_token, name, inputs, operation):
            seen.append([resource.name for resource in stack.resources()])
            return super().create(type_token, name, inputs, operation)

    def program() -> None:
        net = alicloud.vpc.Network("net")
        switch = alicloud.vpc.Switch("switch", vpc_id=net.id)
        alicloud.ecs.Instance("node", vswitch_id=switch.id)

    stack.up(program, Watching())
    assert seen == [[], ["net"], ["net", "switch"]]


def test_an_unchanged_run_writes_once_at_most(up: Up, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    up(lambda: alicloud.vpc.Network("net"))
    writes: list[Path] = []
    replace = Path.replace

    def counting(self: Path, target: Path) -> Path:
        writes.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", counting)
    up(lambda: alicloud.vpc.Network("net"))
    assert len(writes) <= 1


def test_a_lock_is_taken_once_and_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with StackLock(path, "demo"):
        assert json.loads(path.read_text())["pid"]
        with (
            pytest.raises(StackLockedError, match="stack 'demo' is locked by process"),
            StackLock(path, "demo"),
        ):
            pass
    with StackLock(path, "demo"):
        pass
    assert path.read_text() == ""
    assert path.stat().st_mode & 0o777 == 0o600


def test_remove_is_refused_while_anything_stands(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    up(lambda: alicloud.vpc.Network("net"))
    with pytest.raises(DeployError, match="still has"):
        stack.remove()
    stack.destroy(cloud)
    stack.remove()
    assert list(stack.directory.iterdir()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(tree=JSON, secret=JSON)
def test_sealing_hides_secrets_and_opening_gives_them_back(
    tmp_path_factory: pytest.TempPathFactory, tree: object, secret: object
) -> None:
    sealer = Sealer(tmp_path_factory.mktemp("seal") / "key")
    value = {"tree": tree, "deep": [{"x": values.secret(secret)}]}
    sealed = sealer.seal(value)
    assert sealed["tree"] == tree
    assert "value" not in sealed["deep"][0]["x"]
    assert sealer.open(json.loads(json.dumps(sealed))) == value


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was written whole, from here on."""
    seen: list[Path] = []
    replace = Path.replace

    def noting(self: Path, target: Path) -> Path:
        seen.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noting)
    return seen


def reopened(file: StateFile) -> StateFile:
    """The file as another process finds it."""
    return StateFile(file.path, Sealer(file.path.with_suffix(".key")), project="p", stack="s")


def network(number: int, **outputs: str) -> Record:
    return Record(urn=f"{URN}{number}", is_custom=True, id=f"vpc-{number}", outputs=outputs)


def test_a_run_writes_the_state_whole_twice_however_many_steps_it_has(
    file: StateFile, writes: list[Path]
) -> None:
    journal = Journal(State(), file)
    for number in range(200):
        journal.begin(f"{URN}{number}", {"n": number})
        journal.put(network(number))
    assert len(writes) == 1
    assert reopened(file).load() == journal.state
    file.sync()
    assert len(writes) == 2
    assert not file.log.path.exists()
    assert reopened(file).load() == journal.state


def test_what_a_killed_run_had_saved_is_there_but_for_a_line_that_was_cut_short(file: StateFile) -> None:
    journal = Journal(State(), file)
    for number in range(3):
        journal.put(network(number))
    whole = file.log.path.read_text()
    file.log.path.write_text(whole + '{"resources": {"urn')

    found = reopened(file)
    assert found.load() == journal.state
    after = Journal(found.load(), found)
    after.put(network(3))
    found.sync()
    assert list(reopened(file).load().resources) == [f"{URN}{number}" for number in range(4)]


def test_changes_that_follow_another_state_are_none(file: StateFile) -> None:
    journal = Journal(State(), file)
    journal.put(network(1))
    journal.put(network(2))
    stale = file.log.path.read_text()
    file.sync()
    journal.drop(journal.state.resources[f"{URN}2"])
    file.sync()
    file.log.path.write_text(stale)
    assert list(reopened(file).load().resources) == [f"{URN}1"]


def test_a_run_after_another_process_ran_builds_on_what_that_left(file: StateFile) -> None:
    journal = Journal(State(), file)
    journal.put(network(1))
    file.sync()
    other = reopened(file)
    Journal(other.load(), other).put(network(2))
    other.sync()
    Journal(file.load(), file).put(network(3))
    assert len(reopened(file).load().resources) == 3


def test_a_change_that_could_not_be_written_is_in_the_next_save(
    file: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(State(), file)
    journal.put(network(1))
    journal.put(network(2))

    def half(descriptor: int, data: bytes, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", half)
        with pytest.raises(OSError, match="No space"):
            journal.put(network(3))
    assert list(reopened(file).load().resources) == [f"{URN}1", f"{URN}2"]
    journal.put(network(4))
    assert reopened(file).load() == journal.state


def test_a_run_that_ends_on_a_full_disk_leaves_its_changes_beside_the_state(
    file: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(State(), file)
    journal.put(network(1))
    journal.put(network(2))

    def full_disk(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full_disk)
        file.sync()
    assert reopened(file).load() == journal.state
    other = reopened(file)
    Journal(other.load(), other).put(network(3))
    other.sync()
    file.sync()
    assert len(reopened(file).load().resources) == 3


def test_a_damaged_line_is_told_with_its_file(file: StateFile) -> None:
    journal = Journal(State(), file)
    journal.put(network(1))
    journal.put(network(2))
    file.log.path.write_text(file.log.path.read_text() + "{\n")
    with pytest.raises(DeployError, match=r"state\.json\.log is damaged"):
        file.load()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "put", "replace", "drop", "bury", "rename", "outputs"]), st.integers(0, 4)
    ),
    max_size=30,
)


@given(steps=STEPS)
def test_state_and_changes_are_at_every_moment_what_the_run_knows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    file = StateFile(folder / "state.json", Sealer(folder / "state.key"), project="p", stack="s")
    journal = Journal(State(), file)
    for place, (step, number) in enumerate(steps):
        known = journal.find(f"{URN}{number}")
        if step == "begin":
            journal.begin(f"{URN}{number}", {"at": place})
        elif step == "put":
            journal.put(network(number, at=str(place), token=values.secret(str(place))))
        elif step == "outputs":
            journal.set_outputs({"at": place} if number else {})
        elif step == "bury" and journal.state.superseded:
            journal.drop(journal.state.superseded[number % len(journal.state.superseded)])
        elif known and step == "replace":
            journal.put(network(number, new=str(place)), supersedes=known)
        elif known and step == "drop":
            journal.drop(known)
        elif known and step == "rename":
            journal.rename(f"{URN}{number}", f"{URN}{place + 10}")
        assert reopened(file).load() == journal.state
    file.sync()
    assert reopened(file).load() == journal.state
