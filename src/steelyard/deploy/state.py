"""A stack's state: what stands in the cloud, in one JSON file, and while a run goes on one of its changes beside it."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steelyard.deploy import values
from steelyard.deploy.record import Record, renamed
from steelyard.deploy.sealing import Sealer
from steelyard.deploy.state_log import Change, StateLog
from steelyard.deploy.values import Properties
from steelyard.errors import DeployError

FORMAT = 1

_SYNC_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A creation that was begun and of which no answer has come back.

    Attributes:
        token: The client token it was sent with: sent again, the cloud answers with the same resource.
        inputs_hash: A token may only be used again for the same inputs.
    """

    token: str
    inputs_hash: str


@dataclass
class State:
    """What stands, and what is still to be done. The one that writes it holds the lock of the run.

    Attributes:
        resources: Records by URN, in the order in which they were first made.
        superseded: Records of replaced resources that are still to be deleted.
        attempts: Creations whose outcome is not known, by URN.
        outputs: The program's exports of the last clean run; secrets marked.
    """

    resources: dict[str, Record] = field(default_factory=dict)
    superseded: list[Record] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)

    def rename(self, old: str, new: str) -> None:
        """Give a resource a new URN, wherever the old one stands (an alias was met)."""
        self.resources = {
            (new if urn == old else urn): renamed(record, old, new) for urn, record in self.resources.items()
        }
        self.superseded = [renamed(record, old, new) for record in self.superseded]

    def copy(self) -> State:
        """Return a copy that can be changed on its own (records are immutable, exports are set as a whole)."""
        return State(
            resources=dict(self.resources),
            superseded=list(self.superseded),
            attempts=dict(self.attempts),
            outputs=self.outputs,
        )


class StateFile:
    """Loads and saves the state of one stack.

    The first save of a run writes the state whole, to a new file that then takes the old one's place; the others
    append what changed to a file beside it, since a thousand nodes make a state of 15 MB and 3,000 steps. `sync` at the
    run's end writes it whole again. Saves that are asked for while one is being written are answered by the one write
    that follows. A save outlives this process at once; it is made to outlive the machine once a second and by `sync`,
    because that costs up to 40 ms a time.

    Args:
        path: The state file.
        sealer: Encrypts the secrets.
        project: Name of the project, held against the file's.
        stack: Name of the stack, held against the file's.
    """

    def __init__(self, path: Path, sealer: Sealer, *, project: str, stack: str) -> None:
        self.path = path
        self._sealer = sealer
        self.log = StateLog(path.with_name(path.name + ".log"))
        self._head = {"format": FORMAT, "project": project, "stack": stack}
        self._base = ""
        self._writing = threading.Lock()
        self._asked = 0
        self._saved = 0
        self._synced_at = float("-inf")
        self._changed: set[str] = set()
        self._is_whole_due = True
        self._known = State()
        self._source: tuple[State, threading.Lock] | None = None

    def load(self) -> State:
        """Read the state; an empty one where there is no file.

        Raises:
            DeployError: If the file cannot be understood or belongs to another stack.
        """
        tree, changes = self._read()
        if tree is None:
            return State()
        for key, want in self._head.items():
            if tree.get(key) != want:
                raise DeployError(
                    f"the state file {self.path} has {key} {tree.get(key)!r} where {want!r} is needed",
                    "use the directory that belongs to this stack, and the version that wrote it",
                )
        tree["resources"] = {record["urn"]: record for record in tree["resources"]}
        for change in changes:
            change.apply(tree)
        try:
            return self._opened(tree)
        except DeployError:
            if self.path.exists():
                raise
            return State()  # the stack was removed as it was read, and its key with it

    def save(self, state: State, guard: threading.Lock, changed: Set[str] | None = None) -> None:
        """Write the state as it now is; return when it lies on the disk.

        Args:
            state: The state, which other threads may be changing.
            guard: The lock under which they change it.
            changed: URNs whose records or attempts may differ from the last save; None for any of them.
        """
        with guard:
            self._asked += 1
            ticket = self._asked
            self._source = (state, guard)
            self._changed |= changed or set()
            self._is_whole_due |= changed is None
        with self._writing:
            if self._saved >= ticket:
                return
            with guard:
                asked, is_whole = self._asked, self._is_whole_due
                urns, self._changed, self._is_whole_due = self._changed, set(), False
                snapshot = state.copy() if is_whole else _part(state, urns)
            try:
                if is_whole:
                    self._write(snapshot)
                else:
                    self._append(snapshot, urns)
            except BaseException:
                with guard:
                    self._is_whole_due = True
                raise
            self._saved = asked

    def sync(self) -> None:
        """Write the state whole where changes lie beside it, and make it outlive the machine; the run is over."""
        with self._writing:
            # Another process may have the next run.
            self._is_whole_due = True
            if not self._saved or self._source is None:
                return
            if self.log.is_open:
                state, guard = self._source
                with guard:
                    snapshot = state.copy()
                try:
                    self._write(snapshot)
                except OSError:
                    # A full disk, say. The changes beside the old state say the same.
                    self.log.leave()
            _sync(self.path)

    def _read(self) -> tuple[dict[str, Any] | None, list[Change]]:
        """Return the file's tree, None where there is none, and the changes since: as of one moment of a run."""
        while True:
            mark = _mark(self.path)
            try:
                tree = json.loads(self.path.read_text())
            except FileNotFoundError:
                return None, []
            except ValueError as err:
                raise DeployError(
                    f"the state file {self.path} is damaged: {err}", "restore it from a copy"
                ) from err
            changes = self.log.read(tree.get("base", ""))
            if _mark(self.path) == mark:
                return tree, changes

    def _opened(self, tree: Mapping[str, Any]) -> State:
        return State(
            resources={record.urn: record for record in self._records(tree["resources"].values())},
            superseded=list(self._records(tree["superseded"])),
            attempts={urn: Attempt(**attempt) for urn, attempt in tree["attempts"].items()},
            outputs=self._sealer.open(tree["outputs"]),
        )

    def _write(self, state: State) -> None:
        """Write the whole state; the changes since the last one are in it."""
        base = uuid.uuid4().hex
        head = {**self._head, "base": base, "saved_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        attempts = {urn: _attempt_tree(attempt) for urn, attempt in state.attempts.items()}
        parts = [
            *(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()),
            f'"outputs": {json.dumps(self._sealer.seal(dict(state.outputs)))}',
            f'"attempts": {json.dumps(attempts)}',
            f'"resources": {self._list_text(state.resources.values())}',
            f'"superseded": {self._list_text(state.superseded)}',
        ]
        _replace(self.path, "{\n" + ",\n".join(parts) + "\n}\n", syncs=self._is_sync_due())
        self._base, self._known = base, State(superseded=state.superseded, outputs=state.outputs)
        self.log.end()

    def _append(self, part: State, urns: Set[str]) -> None:
        """Write what changed: the records and attempts of some URNs, and what else is not as it was."""
        before = {id(record): i for i, record in enumerate(self._known.superseded)}
        now = {id(record) for record in part.superseded}
        records = {urn: part.resources.get(urn) for urn in urns}
        attempts = {urn: part.attempts.get(urn) for urn in urns}
        change = Change(
            resources={urn: self._tree(record) if record else None for urn, record in records.items()},
            attempts={urn: _attempt_tree(attempt) if attempt else None for urn, attempt in attempts.items()},
            buried=tuple(i for known, i in before.items() if known not in now),
            superseded=tuple(self._tree(record) for record in part.superseded if id(record) not in before),
            outputs=None if part.outputs is self._known.outputs else self._sealer.seal(dict(part.outputs)),
        )
        self.log.append(change, base=self._base, syncs=self._is_sync_due())
        self._known = State(superseded=part.superseded, outputs=part.outputs)

    def _is_sync_due(self) -> bool:
        now = time.monotonic()
        if now - self._synced_at < _SYNC_EVERY_S:
            return False
        self._synced_at = now
        return True

    def _tree(self, record: Record) -> Any:
        return self._sealer.seal(record.as_dict())

    def _list_text(self, records: Iterable[Record]) -> str:
        lines = [json.dumps(self._tree(record)) for record in records]
        return "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"

    def _records(self, trees: list[Mapping[str, Any]]) -> Iterable[Record]:
        return (Record.from_dict(self._sealer.open(tree)) for tree in trees)


def _part(state: State, urns: Set[str]) -> State:
    """Return a state of some URNs alone, with all of what has none."""
    return State(
        resources={urn: state.resources[urn] for urn in urns if urn in state.resources},
        superseded=list(state.superseded),
        attempts={urn: state.attempts[urn] for urn in urns if urn in state.attempts},
        outputs=state.outputs,
    )


def _attempt_tree(attempt: Attempt) -> dict[str, str]:
    return {"token": attempt.token, "inputs_hash": attempt.inputs_hash}


def hidden(properties: Properties, mask: str) -> dict[str, Any]:
    """Return the properties with each secret replaced by a mask, at any depth."""

    def hide(value: Any) -> Any:
        if values.is_secret(value):
            return mask
        if isinstance(value, Mapping):
            return {name: hide(item) for name, item in value.items()}
        return [hide(item) for item in value] if isinstance(value, list) else value

    return {name: hide(value) for name, value in properties.items()}


def _replace(path: Path, text: str, *, syncs: bool) -> None:
    """Put a text in a file's place so that a reader, or a crash, sees the old file or the new one."""
    draft = path.with_name(path.name + ".new")
    # Bare system calls: each gives the interpreter away, and a file object would make three times as many.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        rest = memoryview(text.encode())
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if syncs:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from the one that takes its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync(path: Path) -> None:
    for part in (path, path.parent):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
