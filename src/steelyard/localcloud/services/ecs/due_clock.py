"""What is announced for instances and carried out at its time, such as the end of a spot instance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from steelyard.errors import LocalCloudError

logger = logging.getLogger(__name__)

_LONGEST_WAIT_S = 3600.0
"""A timer takes no more than `threading.TIMEOUT_MAX`, so far times are looked at again each hour."""


class DueClock:
    """Calls something for each of several instances when its time has come.

    Args:
        name: What is done, for the names of threads and for the log, e.g. `reclaim`.
        carry_out: Takes an instance's id; called in a thread of its own.
        clock: Gives the Unix time.
    """

    def __init__(self, name: str, carry_out: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._name = name
        self._carry_out = carry_out
        self._clock = clock
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def set(self, instance_id: str, due_at: float) -> None:
        """Carry it out for an instance at a time, in place of the time that was set before."""
        wait_s = min(max(0.0, due_at - self._clock()), _LONGEST_WAIT_S)
        timer = threading.Timer(wait_s, self._run, [instance_id, due_at])
        timer.name = f"{self._name}-{instance_id}"
        timer.daemon = True
        with self._lock:
            if self._is_closed:
                return
            before = self._timers.pop(instance_id, None)
            self._timers[instance_id] = timer
        if before is not None:
            before.cancel()
        timer.start()

    def cancel(self, instance_id: str) -> None:
        """Carry it out for an instance no more; one for which no time is set is fine."""
        with self._lock:
            timer = self._timers.pop(instance_id, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Carry nothing out any more; who keeps the times sets them again at the next start."""
        with self._lock:
            self._is_closed = True
            timers = list(self._timers.values())
            self._timers.clear()
        for timer in timers:
            timer.cancel()
            timer.join()

    def _run(self, instance_id: str, due_at: float) -> None:
        with self._lock:
            if self._is_closed or self._timers.get(instance_id) is not threading.current_thread():
                return
            del self._timers[instance_id]
        if self._clock() < due_at:
            self.set(instance_id, due_at)
            return
        try:
            self._carry_out(instance_id)
        except LocalCloudError as err:
            logger.error("%s of %s was not carried out: %s", self._name, instance_id, err)
