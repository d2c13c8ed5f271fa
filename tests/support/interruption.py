"""Ctrl-C, for tests of what comes of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeding_interruptions() -> Iterator[None]:
    """Heed ctrl-C within a block, as does what is started there.

    A parent that ignores it, as a shell's background job does, hands that down.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
