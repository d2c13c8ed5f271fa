"""An event loop that does not fall asleep between calls that follow each other closely."""

from __future__ import annotations

import asyncio
import os
import selectors
import time
from collections.abc import Callable

LOOK_S = 0.0015
"""For how long it looks before it sleeps. A client that waits for each answer asks again within it."""

MIN_RUN = 8
"""After how many events that came within such a moment it begins to look; a call by itself is two or three."""


class EagerSelector(selectors.DefaultSelector):
    """Looks again and again for a moment before it sleeps, where the last events all came within such a moment.

    To sleep and to be woken costs a processor that has nothing else to do as much as a quick call does, more so in a
    virtual machine, which falls back to its host meanwhile. So while one call follows the other this loop stays awake;
    after the last of them it looks for one moment more, and a call that comes by itself costs none. Between two looks
    whoever waits for the processor gets it: that may be the client.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._num_brisk = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events; see `selectors.BaseSelector.select`."""
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        began = self._clock()
        moment = LOOK_S if timeout is None else min(timeout, LOOK_S)
        events = self._look_until(began + moment) if self._num_brisk >= MIN_RUN else []
        if not events:
            waited = self._clock() - began
            events = super().select(None if timeout is None else timeout - waited)
        self._num_brisk = self._num_brisk + 1 if events and self._clock() - began < LOOK_S else 0
        return events

    def _look_until(self, end: float) -> list[tuple[selectors.SelectorKey, int]]:
        while True:
            events = super().select(0)
            if events or self._clock() >= end:
                return events
            os.sched_yield()


def new_loop() -> asyncio.AbstractEventLoop:
    """Give a loop with such a selector."""
    return asyncio.SelectorEventLoop(EagerSelector())
