"""What a run has changed since its state was last written whole: a line for each change, in a file beside the state."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.errors import DeployError


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a step did to the state, as JSON trees.

    Attributes:
        resources: Records by URN as they now stand; None for one that is gone.
        attempts: Begun creations by URN; None for one whose outcome is known.
        buried: Places of superseded records that are gone, by the list before.
        superseded: Superseded records that came after those.
        outputs: The exports; None where they are as before.
    """

    resources: Mapping[str, Any] = field(default_factory=dict)
    attempts: Mapping[str, Any] = field(default_factory=dict)
    buried: tuple[int, ...] = ()
    superseded: tuple[Any, ...] = ()
    outputs: Any = None

    def as_line(self) -> str:
        """Write it as one line of JSON, without what it does not change."""
        told = {name: value for name, value in vars(self).items() if value != getattr(_NOTHING, name)}
        return json.dumps(told) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Change:
        """Read what `as_line` wrote."""
        return cls(**json.loads(line))

    def apply(self, tree: dict[str, Any]) -> None:
        """Do to a state, as a JSON tree with resources by URN, what was done."""
        for known, changed in ((tree["resources"], self.resources), (tree["attempts"], self.attempts)):
            for urn, value in changed.items():
                if value is None:
                    known.pop(urn, None)
                else:
                    known[urn] = value
        left = [record for i, record in enumerate(tree["superseded"]) if i not in self.buried]
        tree["superseded"] = [*left, *self.superseded]
        if self.outputs is not None:
            tree["outputs"] = self.outputs


_NOTHING = Change()


class StateLog:
    """The file of changes. Its first line names the state that they follow, so that those of another one are none.

    Args:
        path: The file; it is there only while a run goes on, or after one that was killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._length = 0

    @property
    def is_open(self) -> bool:
        """Whether changes were written since the state was."""
        return self._descriptor >= 0

    def append(self, change: Change, *, base: str, syncs: bool) -> None:
        """Write a change; return when it lies in the file.

        Args:
            change: The change.
            base: Name of the state that it follows, for the first one.
            syncs: Whether it shall outlive the machine, too.
        """
        text = change.as_line()
        if not self.is_open:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._length = 0
            text = json.dumps({"base": base}) + "\n" + text
        data = text.encode()
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self._length + done)
        except OSError:
            # No half line may stand before the next one.
            os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(data)
        if syncs:
            os.fdatasync(self._descriptor)

    def read(self, base: str) -> list[Change]:
        """Return the changes that follow a state; a last line that was cut short was never told of.

        Args:
            base: The state's name.

        Raises:
            DeployError: If the file is damaged.
        """
        try:
            head, *lines = self.path.read_text().split("\n")[:-1] or [""]
        except FileNotFoundError:
            return []
        try:
            if not head or json.loads(head)["base"] != base:
                return []
            return [Change.from_line(line) for line in lines]
        except (ValueError, TypeError, KeyError) as err:
            raise DeployError(f"the file {self.path} is damaged: {err}", "restore it from a copy") from err

    def end(self) -> None:
        """Remove the file: the state says all of it."""
        self._close()
        self.path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Let the file lie for the next run, and make it outlive the machine."""
        if self.is_open:
            os.fdatasync(self._descriptor)
        self._close()

    def _close(self) -> None:
        if self.is_open:
            os.close(self._descriptor)
            self._descriptor = -1
