"""Waiting for the cloud to get somewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from steelyard.deploy.engine.provider import Operation
from steelyard.errors import ResourceError

T = TypeVar("T")


def wait_until(
    look: Callable[[], T | None],
    *,
    what: str,
    operation: Operation,
    limit_s: float,
    poll_s: float,
    why: Callable[[], ResourceError | None] | None = None,
) -> T:
    """Look until there is something to see, and return it.

    Args:
        look: Returns None as long as the wait goes on.
        what: What is waited for, for the errors.
        operation: The operation that waits; it tells when to give up because the run ends.
        limit_s: Seconds after which to give up.
        poll_s: Seconds between two looks.
        why: Returns the last refusal that was waited out, which then is the error's cause.

    Raises:
        ResourceError: If the limit passed or the run is to end.
    """
    start = time.monotonic()
    while True:
        seen = look()
        if seen is not None:
            return seen
        waited_s = time.monotonic() - start
        if operation.is_cancelled():
            raise ResourceError(f"{what}: not waited for, because the run is ending", urn=operation.urn)
        if waited_s >= limit_s:
            refusal = why() if why else None
            told = f": {refusal.message}" if refusal else ""
            raise ResourceError(
                f"{what}: not done after {waited_s:.0f} s{told}",
                "run again to take it up, or give the resource a longer timeout",
                urn=operation.urn,
                code=refusal.code if refusal else "",
                request_id=refusal.request_id if refusal else "",
            ) from refusal
        time.sleep(poll_s)
