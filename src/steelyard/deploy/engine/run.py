"""What all parts of one run share: whose it is, where it writes, and whether it is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from steelyard.deploy.engine.journal import Journal
from steelyard.deploy.engine.leftover import Leftovers
from steelyard.deploy.engine.reporter import Reporter
from steelyard.errors import DeployError


class Run:
    """One preview, up or destroy of one stack.

    Args:
        project: Name of the project.
        stack: Name of the stack.
        journal: The state that the run changes.
        reporter: Where its steps go.
        is_preview: Whether nothing is really to be done.
        parallel: How many operations may go on at once.
    """

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        journal: Journal,
        reporter: Reporter,
        is_preview: bool,
        parallel: int,
    ) -> None:
        self.project = project
        self.stack = stack
        self.journal = journal
        self.reporter = reporter
        self.is_preview = is_preview
        self.parallel = parallel
        self.error: BaseException | None = None
        self.left = Leftovers()
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._num_active = 0
        self._last_active = time.monotonic()

    @property
    def num_active(self) -> int:
        """How many calls of the program are being answered at this moment."""
        with self._lock:
            return self._num_active

    @property
    def idle_s(self) -> float:
        """For how long the program has called nothing, in seconds; 0 while a call is being answered."""
        with self._lock:
            return 0.0 if self._num_active else time.monotonic() - self._last_active

    def is_cancelled(self) -> bool:
        """Whether the run is to end: waiters give up, nothing new is begun."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Let operations end and begin no others."""
        self._cancelled.set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call of the program; the first that fails keeps later ones from beginning.

        Raises:
            DeployError: If the run is to end.
        """
        with self._lock:
            stopped = self.error is not None or self._cancelled.is_set()
            self._num_active += not stopped
        if stopped:
            raise DeployError("not begun, because the run is ending")
        try:
            yield
        except BaseException as err:
            with self._lock:
                self.error = self.error or err
            raise
        finally:
            with self._lock:
                self._num_active -= 1
                self._last_active = time.monotonic()
