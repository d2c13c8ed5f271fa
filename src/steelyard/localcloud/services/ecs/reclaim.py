"""The end of spot instances: announced, then carried out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from steelyard.errors import LocalCloudError

logger = logging.getLogger(__name__)


class ReclaimClock:
    """Calls something for each of several instances when its time has come.

    Args:
        carry_out: Takes an instance's id; called in a thread of its own.
        clock: Gives the Unix time.
    """

    def __init__(self, carry_out: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._carry_out = carry_out
        self._clock = clock
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def set(self, instance_id: str, due_at: float) -> None:
        """Carry an instance's end out at a time, in place of the time that was set before."""
        timer = threading.Timer(max(0.0, due_at - self._clock()), self._run, [instance_id])
        timer.name = f"reclaim-{instance_id}"
        timer.daemon = True
        with self._lock:
            if self._is_closed:
                return
            before = self._timers.pop(instance_id, None)
            self._timers[instance_id] = timer
        if before is not None:
            before.cancel()
        timer.start()

    def close(self) -> None:
        """Carry nothing out any more; who keeps the times sets them again at the next start."""
        with self._lock:
            self._is_closed = True
            timers = list(self._timers.values())
            self._timers.clear()
        for timer in timers:
            timer.cancel()
            timer.join()

    def _run(self, instance_id: str) -> None:
        with self._lock:
            if self._is_closed or self._timers.get(instance_id) is not threading.current_thread():
                return
            del self._timers[instance_id]
        try:
            self._carry_out(instance_id)
        except LocalCloudError as err:
            logger.error("%s was not reclaimed: %s", instance_id, err)
