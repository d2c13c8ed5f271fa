"""What is announced for instances and carried out at its time, such as the end of a spot instance."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

from steelyard.errors import LocalCloudError

logger = logging.getLogger(__name__)

_RETRY_S = 1.0
_LONGEST_WAIT_S = 3600.0
"""The standard library waits no longer than `threading.TIMEOUT_MAX`; far times are looked at again each hour."""


class DueClock:
    """Calls something for each of several instances when its time has come.

    One thread waits for all of them, from the first time that is set on.

    Args:
        name: What is done, for the thread's name and for the log, e.g. `reclaim`.
        carry_out: Takes an instance's id; called in the clock's thread, for one instance after the other.
        clock: Gives the Unix time.
    """

    def __init__(self, name: str, carry_out: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._name = name
        self._carry_out = carry_out
        self._clock = clock
        self._due: dict[str, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._due)

    def set(self, instance_id: str, due_at: float) -> None:
        """Carry it out for an instance at a time, in place of the time that was set before."""
        with self._changed:
            if self._is_closed:
                return
            self._due[instance_id] = due_at
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def cancel(self, instance_id: str) -> None:
        """Carry it out for an instance no more; one for which no time is set is fine."""
        with self._changed:
            self._due.pop(instance_id, None)

    def close(self) -> None:
        """Carry nothing out any more; who keeps the times sets them again at the next start."""
        with self._changed:
            self._is_closed = True
            self._due.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (instance_id := self._next()) is not None:
            try:
                self._carry_out(instance_id)
            except sqlite3.OperationalError as err:
                logger.error("%s of %s waits for the state: %s", self._name, instance_id, err)
                self._try_again(instance_id)  # The disk is full, say.
            except LocalCloudError as err:
                logger.error("%s of %s was not carried out: %s", self._name, instance_id, err)
            except Exception:  # A bug in one must not end all further ones.
                logger.exception("%s of %s failed", self._name, instance_id)

    def _try_again(self, instance_id: str) -> None:
        with self._changed:
            if not self._is_closed:  # A time that was set meanwhile goes before.
                self._due.setdefault(instance_id, self._clock() + _RETRY_S)

    def _next(self) -> str | None:
        """Wait for the next instance whose time has come, and take it out; None once the clock is closed."""
        with self._changed:
            while not self._is_closed:
                first = min(self._due, key=self._due.__getitem__, default=None)
                wait_s = _LONGEST_WAIT_S if first is None else self._due[first] - self._clock()
                if first is not None and wait_s <= 0:
                    del self._due[first]
                    return first
                self._changed.wait(min(wait_s, _LONGEST_WAIT_S))
        return None
