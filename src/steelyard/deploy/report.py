"""What a run on a stack tells: its steps while it goes on, its result when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Op = Literal["create", "same", "update", "replace", "delete", "read"]
Status = Literal["started", "done", "failed"]

SECRET_TEXT = "[secret]"
"""What stands in for a secret that is not to be shown, as the Pulumi CLI prints it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation on one resource, told when it starts and when it ends.

    Attributes:
        op: What is done; `same` is told once, as done.
        urn: The resource's URN.
        type: Its Pulumi type token, such as `alicloud:vpc/network:Network`.
        name: Its name in the program.
        status: `started`, `done` or `failed`.
        elapsed_s: Seconds since the step started; 0 at its start.
        diff: Paths of the inputs that differ, for an update or a replacement.
        error: The failure's message, empty where there is none.
    """

    op: Op
    urn: str
    type: str
    name: str
    status: Status
    elapsed_s: float = 0.0
    diff: tuple[str, ...] = ()
    error: str = ""


OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Secret:
    """A configuration value that is kept secret: encrypted in the state, hidden in what is printed."""

    value: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One exported value of the program.

    Attributes:
        value: The value; None where it is not known yet, `[secret]` where it is hidden.
        is_secret: Whether the program marked it secret.
        is_known: False in a preview for what only the cloud can tell.
    """

    value: object
    is_secret: bool = False
    is_known: bool = True


@dataclass(frozen=True, kw_only=True)
class Message:
    """A line that the program or Pulumi's SDK logged: `info`, `warning` or `error`."""

    severity: str
    text: str
    urn: str = ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource that stands, as the stack's state records it.

    Attributes:
        urn: The resource's URN.
        type: Its Pulumi type token.
        name: Its name in the program.
        id: The cloud's id; empty for a component.
        parent: URN of the parent, empty for the stack itself.
        outputs: The resource's properties by their wire names, secrets hidden.
        is_half_made: Whether its creation failed after the cloud had given the id.
    """

    urn: str
    type: str
    name: str
    id: str
    parent: str
    outputs: Mapping[str, object]
    is_half_made: bool = False


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A resource of the cloud that would stand after an `up`, as a preview knows it.

    Attributes:
        urn: The resource's URN.
        type: Its Pulumi type token.
        name: Its name in the program.
        inputs: What it is made of, by Pulumi's wire names, secrets hidden; what only the cloud can tell is unknown.
    """

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of a preview, an up or a destroy.

    Attributes:
        steps: Every step that ended, in the order in which they ended.
        outputs: The program's exports by name.
        messages: What the program logged.
        error: What ended the run, None after a clean one.
        is_preview: Whether nothing was really done.
        planned: What would stand after an `up`; only of a preview.
    """

    steps: tuple[Step, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    error: BaseException | None = None
    is_preview: bool = False
    planned: tuple[Planned, ...] = ()

    @property
    def num_by_op(self) -> dict[str, int]:
        """How many resources had each operation done, by operation.

        The deletion that belongs to a replacement counts as part of it.
        """
        op_by_urn: dict[str, Op] = {}
        for step in self.steps:
            if step.status == "done" and (step.op != "delete" or step.urn not in op_by_urn):
                op_by_urn[step.urn] = step.op
        return dict(Counter(op_by_urn.values()))

    @property
    def num_by_type(self) -> dict[str, int]:
        """How many resources stand after the run (or would, after a preview), by Pulumi type."""
        done = (step for step in self.steps if step.status == "done" and step.op != "delete")
        return dict(Counter(step.type for step in done))

    @property
    def has_changes(self) -> bool:
        """Whether anything was, or would be, created, updated, replaced or deleted."""
        return any(step.op not in ("same", "read") for step in self.steps)
