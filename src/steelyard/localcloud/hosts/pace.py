"""Lets the processes of a machine run for a part of the time, by stopping and continuing them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

PERIOD_S = 0.1
_LOOK_EVERY_S = 1.0
_MAX_LOOKS = 10


class Pace:
    """Stops and continues processes in turn (SIGSTOP, SIGCONT), so that they run for a share of each tenth of a second.

    Processes are held by descriptors (pidfd_open(2)), so that no signal goes to another that got the same number.
    What a process forks is found by a look each second.

    Args:
        processes: Gives the ids of the processes that live.
        share: What part of the time they run, 0 to below 1; at 0 they stand still.
    """

    def __init__(self, processes: Callable[[], Collection[int]], share: float) -> None:
        self._processes = processes
        self._share = share
        self._held: dict[int, int] = {}
        self._end = threading.Event()
        self._look()
        if share == 0:
            self._stop_all()
        self._thread = threading.Thread(target=self._run, name="pace", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let them run all the time again."""
        self._end.set()
        self._thread.join()
        self._send(signal.SIGCONT)
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _stop_all(self) -> None:
        """Stop them until no new one turns up: a process may have forked between the look and the signal."""
        for _ in range(_MAX_LOOKS):
            known = set(self._held)
            self._send(signal.SIGSTOP)
            self._look()
            if set(self._held) <= known:
                return

    def _run(self) -> None:
        looked_at = time.monotonic()
        while not self._end.is_set():
            if time.monotonic() - looked_at >= _LOOK_EVERY_S:
                self._look()
                looked_at = time.monotonic()
            if self._share > 0:
                self._send(signal.SIGCONT)
                self._end.wait(PERIOD_S * self._share)
            self._send(signal.SIGSTOP)
            self._end.wait(PERIOD_S * (1 - self._share) if self._share > 0 else _LOOK_EVERY_S)

    def _look(self) -> None:
        living = set(self._processes())
        for pid in self._held.keys() - living:
            os.close(self._held.pop(pid))
        for pid in living - self._held.keys():
            with suppress(ProcessLookupError):
                self._held[pid] = os.pidfd_open(pid)

    def _send(self, number: int) -> None:
        for descriptor in self._held.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
