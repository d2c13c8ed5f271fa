"""A stack's state: what stands in the cloud, in one JSON file, written after every step."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steelyard.deploy import values
from steelyard.deploy.record import Record, renamed
from steelyard.deploy.sealing import Sealer
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
        """Return a copy that can be changed on its own (records are immutable)."""
        return State(
            resources=dict(self.resources),
            superseded=list(self.superseded),
            attempts=dict(self.attempts),
            outputs=dict(self.outputs),
        )


class StateFile:
    """Loads and saves the state of one stack.

    A save is whole or not at all: the text goes to a new file that then takes the old one's place. Saves that
    are asked for while one is being written are answered by the one write that follows. A save outlives this process
    at once; it is made to outlive the machine once a second and by `sync`, because that costs up to 40 ms a time.

    Args:
        path: The state file.
        sealer: Encrypts the secrets.
        project: Name of the project, held against the file's.
        stack: Name of the stack, held against the file's.
    """

    def __init__(self, path: Path, sealer: Sealer, *, project: str, stack: str) -> None:
        self.path = path
        self._sealer = sealer
        self._head = {"format": FORMAT, "project": project, "stack": stack}
        self._writing = threading.Lock()
        self._asked = 0
        self._saved = 0
        self._synced_at = float("-inf")
        self._texts: dict[int, tuple[Record, str]] = {}

    def load(self) -> State:
        """Read the state; an empty one where there is no file.

        Raises:
            DeployError: If the file cannot be understood or belongs to another stack.
        """
        try:
            tree = json.loads(self.path.read_text())
        except FileNotFoundError:
            return State()
        except ValueError as err:
            raise DeployError(
                f"the state file {self.path} is damaged: {err}", "restore it from a copy"
            ) from err
        for key, want in self._head.items():
            if tree.get(key) != want:
                raise DeployError(
                    f"the state file {self.path} has {key} {tree.get(key)!r} where {want!r} is needed",
                    "use the directory that belongs to this stack, and the version that wrote it",
                )
        return State(
            resources={record.urn: record for record in self._records(tree["resources"])},
            superseded=list(self._records(tree["superseded"])),
            attempts={urn: Attempt(**attempt) for urn, attempt in tree["attempts"].items()},
            outputs=self._sealer.open(tree["outputs"]),
        )

    def save(self, state: State, guard: threading.Lock) -> None:
        """Write the state as it now is; return when it lies in the file.

        Args:
            state: The state, which other threads may be changing.
            guard: The lock under which they change it.
        """
        with guard:
            self._asked += 1
            ticket = self._asked
        with self._writing:
            if self._saved >= ticket:
                return
            with guard:
                asked, snapshot = self._asked, state.copy()
            self._write(snapshot)
            self._saved = asked

    def sync(self) -> None:
        """Make the last save outlive the machine."""
        with self._writing:
            if self._saved:
                _sync(self.path)

    def _write(self, state: State) -> None:
        head = {**self._head, "saved_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        attempts = {
            urn: {"token": attempt.token, "inputs_hash": attempt.inputs_hash}
            for urn, attempt in state.attempts.items()
        }
        fresh: dict[int, tuple[Record, str]] = {}
        parts = [
            *(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()),
            f'"outputs": {json.dumps(self._sealer.seal(dict(state.outputs)))}',
            f'"attempts": {json.dumps(attempts)}',
            f'"resources": {self._list_text(state.resources.values(), fresh)}',
            f'"superseded": {self._list_text(state.superseded, fresh)}',
        ]
        # Only the texts of records that still stand are kept for the next write.
        self._texts = fresh
        is_due = time.monotonic() - self._synced_at >= _SYNC_EVERY_S
        _replace(self.path, "{\n" + ",\n".join(parts) + "\n}\n", syncs=is_due)
        if is_due:
            self._synced_at = time.monotonic()

    def _list_text(self, records: Iterable[Record], fresh: dict[int, tuple[Record, str]]) -> str:
        lines = []
        for record in records:
            known = self._texts.get(id(record))
            text = known[1] if known else json.dumps(self._sealer.seal(record.as_dict()))
            fresh[id(record)] = (record, text)
            lines.append(text)
        return "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"

    def _records(self, trees: list[Mapping[str, Any]]) -> Iterable[Record]:
        return (Record.from_dict(self._sealer.open(tree)) for tree in trees)


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


def _sync(path: Path) -> None:
    for part in (path, path.parent):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
