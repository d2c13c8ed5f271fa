"""The run's view of the state: every change goes through here and lies in the file when the call returns."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Mapping

from steelyard.deploy import values
from steelyard.deploy.record import Record
from steelyard.deploy.state import Attempt, State, StateFile
from steelyard.deploy.values import Properties


class Journal:
    """Changes a stack's state, one step at a time, from any thread.

    Args:
        state: The state at the start of the run; it is not changed by a preview.
        file: Where to save it; None for a preview, which saves nothing.
    """

    def __init__(self, state: State, file: StateFile | None) -> None:
        self.guard = threading.Lock()
        self._state = state.copy()
        self._file = file

    @property
    def state(self) -> State:
        """A copy of the state as it is now."""
        with self.guard:
            return self._state.copy()

    def find(self, urn: str) -> Record | None:
        """Return the record that stands under a URN."""
        with self.guard:
            return self._state.resources.get(urn)

    def find_provider(self, reference: str) -> Record | None:
        """Return the provider of a reference `<urn>::<id>`, even when it has been replaced since."""
        urn, _, provider_id = reference.rpartition("::")
        with self.guard:
            known = [self._state.resources.get(urn), *self._state.superseded]
        return next((r for r in known if r is not None and r.urn == urn and r.id == provider_id), None)

    def rename(self, old: str, new: str) -> Record:
        """Move a record to a new URN (an alias was met)."""
        with self.guard:
            self._state.rename(old, new)
            record = self._state.resources[new]
        self._save(None)
        return record

    def begin(self, urn: str, inputs: Properties) -> str:
        """Note that a creation is about to be asked for; return the client token for it.

        Where an earlier run broke off before the answer to the same creation came, its token is used again.
        """
        text = json.dumps(values.plain(inputs), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self.guard:
            earlier = self._state.attempts.get(urn)
            if earlier is not None and earlier.inputs_hash == digest:
                return earlier.token
            token = str(uuid.uuid4())
            self._state.attempts[urn] = Attempt(token=token, inputs_hash=digest)
        self._save({urn})
        return token

    def give_up(self, urn: str) -> None:
        """Note that a creation was refused: nothing was made."""
        with self.guard:
            dropped = self._state.attempts.pop(urn, None)
        if dropped is not None:
            self._save({urn})

    def put(self, record: Record, *, supersedes: Record | None = None) -> None:
        """Set down a resource as it now stands.

        Args:
            record: The resource.
            supersedes: The record that it replaces and that is still to be deleted.
        """
        with self.guard:
            state = self._state
            unchanged = state.resources.get(record.urn) == record and record.urn not in state.attempts
            if supersedes is not None and supersedes not in state.superseded:
                state.superseded.append(supersedes)
                unchanged = False
            state.attempts.pop(record.urn, None)
            state.resources[record.urn] = record
        if not unchanged:
            self._save({record.urn})

    def drop(self, record: Record) -> None:
        """Note that a resource is gone, whether it stood under its URN or was superseded."""
        with self.guard:
            state = self._state
            if state.resources.get(record.urn) is record:
                del state.resources[record.urn]
            else:
                state.superseded = [other for other in state.superseded if other is not record]
        self._save({record.urn})

    def set_outputs(self, outputs: Mapping[str, object]) -> None:
        """Set down the exports of a clean run."""
        with self.guard:
            self._state.outputs = outputs
        self._save(set())

    def forget_attempts(self) -> tuple[str, ...]:
        """Drop the creations whose outcome never became known; return their URNs."""
        with self.guard:
            urns = tuple(self._state.attempts)
            self._state.attempts.clear()
        if urns:
            self._save(set(urns))
        return urns

    def _save(self, changed: set[str] | None) -> None:
        """Save what changed under some URNs; None for any."""
        if self._file is not None:
            self._file.save(self._state, self.guard, changed)
