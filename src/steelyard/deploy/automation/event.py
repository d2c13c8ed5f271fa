"""Turns the engine events of the Pulumi CLI into the steps and messages that the embedded engine tells."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from steelyard.deploy import urn as urns
from steelyard.deploy.engine.reporter import Reporter
from steelyard.deploy.report import Message, OnStep, Op, Output, Planned, Result, Status, Step

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent
    from pulumi.automation.events import StepEventMetadata

_OPS: dict[str, Op] = {
    "same": "same",
    "create": "create",
    "import": "create",
    "update": "update",
    "refresh": "read",
    "read": "read",
    "read-replacement": "read",
    "create-replacement": "replace",
    "import-replacement": "replace",
    "delete": "delete",
    "delete-replaced": "delete",
    "discard": "delete",
    "discard-replaced": "delete",
}
"""What each operation is called here. `replace` and `remove-pending-replace` are left out: they are marks between the
two operations that a replacement is made of (Pulumi's `resource/deploy/step.go`)."""

_MARKUP = re.compile(r"<\{%.*?%\}>")
"""Colours as the events carry them, such as `<{%reset%}>`."""

_DEFAULT_PROVIDER = re.compile(r"^default(_[0-9_]+|_.*)?$")


class EventTranslator:
    """Takes engine events, from any thread, and tells steps.

    Args:
        on_step: Called with each step, one at a time; None where nobody listens.
    """

    def __init__(self, on_step: OnStep | None) -> None:
        self._reporter = Reporter(on_step)
        self._lock = threading.Lock()
        self._errors: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        self._components: dict[str, Step] = {}
        self._planned: dict[str, Planned] = {}

    def result(
        self, *, is_preview: bool = False, outputs: Mapping[str, Output] = MappingProxyType({})
    ) -> Result:
        """Return what was told so far as the outcome of a run.

        Args:
            is_preview: Whether nothing was really done.
            outputs: The program's exports.
        """
        with self._lock:
            return Result(
                steps=self._reporter.steps,
                messages=self._reporter.messages,
                outputs=outputs,
                is_preview=is_preview,
                planned=tuple(self._planned.values()) if is_preview else (),
            )

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        with self._lock:
            if event.diagnostic_event:
                self._log(event)
            elif event.resource_pre_event:
                self._begin(event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._end(event.res_outputs_event.metadata, "done")
            elif event.res_op_failed_event:
                self._end(event.res_op_failed_event.metadata, "failed")
            elif event.summary_event:
                self._end_components()

    def _log(self, event: EngineEvent) -> None:
        said = event.diagnostic_event
        assert said is not None
        text = _MARKUP.sub("", said.message).strip()
        if said.ephemeral or not text:
            return
        if said.severity == "error":
            self._errors[said.urn or ""] = text
        severity = "info" if said.severity == "info#err" else said.severity
        self._reporter.log(Message(severity=severity, text=text, urn=said.urn or ""))

    def _begin(self, what: StepEventMetadata) -> None:
        op = _op(what)
        if op is None:
            return
        self._begun[what.urn] = time.monotonic()
        state = what.new or what.old
        if state is not None and not state.custom:
            self._components[what.urn] = _step(what, op, "done")
        elif op not in ("delete", "read") and not urns.is_provider(what.type) and state is not None:
            inputs = state.inputs or {}
            name = urns.name_of(what.urn)
            self._planned[what.urn] = Planned(urn=what.urn, type=what.type, name=name, inputs=inputs)
        if op != "same":
            self._reporter.tell(_step(what, op, "started"))

    def _end(self, what: StepEventMetadata, status: Status) -> None:
        op = _op(what)
        if op is None:
            return
        since = self._begun.pop(what.urn, time.monotonic())
        self._components.pop(what.urn, None)
        error = self._errors.get(what.urn, "it failed") if status == "failed" else ""
        self._reporter.tell(_step(what, op, status, elapsed_s=time.monotonic() - since, error=error))

    def _end_components(self) -> None:
        """Tell of those that have no end of their own: components that give out nothing."""
        for step in self._components.values():
            self._reporter.tell(step)
        self._components.clear()


def _op(what: StepEventMetadata) -> Op | None:
    """Return what a step is called here; None for a mark, and for a provider that no program names."""
    name = urns.name_of(what.urn)
    if urns.is_provider(what.type) and _DEFAULT_PROVIDER.match(name):
        return None
    return _OPS.get(what.op.value)


def _step(
    what: StepEventMetadata, op: Op, status: Status, *, elapsed_s: float = 0.0, error: str = ""
) -> Step:
    differing = sorted(what.detailed_diff or {}) or list(what.diffs or what.keys or ())
    return Step(
        op=op,
        urn=what.urn,
        type=what.type,
        name=urns.name_of(what.urn),
        status=status,
        elapsed_s=elapsed_s,
        diff=tuple(differing) if op in ("update", "replace") else (),
        error=error,
    )
