"""Tells each step as it starts and ends, and keeps those that ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from steelyard.deploy import urn as urns
from steelyard.deploy.report import Message, OnStep, Op, Status, Step


class Reporter:
    """Collects the steps and the messages of one run, from any thread.

    Args:
        on_step: Called with each step, one at a time; None where nobody listens.
    """

    def __init__(self, on_step: OnStep | None) -> None:
        self._on_step = on_step
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._messages: list[Message] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that ended so far."""
        with self._lock:
            return tuple(self._steps)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was logged so far."""
        with self._lock:
            return tuple(self._messages)

    def log(self, message: Message) -> None:
        """Keep a message of the program or the SDK."""
        with self._lock:
            self._messages.append(message)

    def done(self, op: Op, urn: str, diff: tuple[str, ...] = ()) -> None:
        """Tell a step that takes no time."""
        self.tell(_step(op, urn, "done", diff=diff))

    def failed(self, op: Op, urn: str, error: str) -> None:
        """Tell a step that failed at once."""
        self.tell(_step(op, urn, "failed", error=error))

    @contextmanager
    def step(self, op: Op, urn: str, diff: tuple[str, ...] = ()) -> Iterator[None]:
        """Tell that a step starts, and at the end of the block whether it was done or failed."""
        self.tell(_step(op, urn, "started", diff=diff))
        start = time.monotonic()
        try:
            yield
        except BaseException as err:
            elapsed_s = time.monotonic() - start
            self.tell(_step(op, urn, "failed", diff=diff, elapsed_s=elapsed_s, error=str(err) or repr(err)))
            raise
        self.tell(_step(op, urn, "done", diff=diff, elapsed_s=time.monotonic() - start))

    def tell(self, step: Step) -> None:
        """Tell a step, and keep it where it has ended."""
        with self._lock:
            if step.status != "started":
                self._steps.append(step)
            if self._on_step is not None:
                self._on_step(step)


def _step(
    op: Op,
    urn: str,
    status: Status,
    *,
    diff: tuple[str, ...] = (),
    elapsed_s: float = 0.0,
    error: str = "",
) -> Step:
    return Step(
        op=op,
        urn=urn,
        type=urns.type_of(urn),
        name=urns.name_of(urn),
        status=status,
        elapsed_s=elapsed_s,
        diff=diff,
        error=error,
    )
