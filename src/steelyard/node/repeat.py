"""What the head does again and again, beside its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

logger = logging.getLogger(__name__)


class Queue(Protocol):
    """The way to the job queue."""

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Call an operation of `JobService`."""


async def repeat(turn: Callable[[], Awaitable[None]], *, every_s: float, what: str) -> None:
    """Do something for ever; a turn that fails is told in the log, and the next one comes all the same.

    Args:
        turn: What is done.
        every_s: Seconds between two turns.
        what: What it is about, for the log.
    """
    while True:
        try:
            await turn()
        except Exception:
            logger.exception("%s could not be looked at", what)
        await asyncio.sleep(every_s)
