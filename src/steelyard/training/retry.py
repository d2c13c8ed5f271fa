"""What a worker ended of, and how often it may be started again. Pure: no Ray, no clock."""

from __future__ import annotations

import os
import signal
from enum import StrEnum

MAX_USER_ERRORS = 2
"""How often a worker whose script failed on its own is started again while others go on."""

MAX_INFRASTRUCTURE_ERRORS = 20
"""How often workers that were killed or lost with their node are started again in one job."""


LEFT_EXIT_CODE = 128 + signal.SIGTERM
"""Exit code of a script that left in order when it was asked to by SIGTERM; a shell gives the same for the signal."""

ALONE_EXIT_CODE = os.EX_TEMPFAIL
"""Exit code of a worker that was started again and found nobody to take the state from: all are done or lost."""


class Cause(StrEnum):
    """Why a worker ended."""

    DONE = "done"
    USER = "user"
    INFRASTRUCTURE = "infrastructure"
    RECLAIM = "reclaim"


def cause_of(exit_code: int | None, *, is_released: bool = False) -> Cause:
    """Return why a worker ended.

    Args:
        exit_code: Its exit code; below zero the number of the signal, None where its node was lost.
        is_released: Whether its node was given back before.
    """
    if exit_code == 0:
        return Cause.DONE
    if is_released or exit_code in (-signal.SIGTERM, LEFT_EXIT_CODE):
        return Cause.RECLAIM
    if exit_code is None or exit_code < 0 or exit_code == ALONE_EXIT_CODE:
        return Cause.INFRASTRUCTURE
    return Cause.USER


class RetryBudget:
    """Counts what a job's workers ended of.

    A reclaimed node is no fault of anybody and is never counted. A script that fails on its own is likely to fail
    again, so it gets few tries; what infrastructure breaks gets many.

    Args:
        max_user_errors: Tries after errors of the script.
        max_infrastructure_errors: Tries after lost nodes and killed processes.
    """

    def __init__(
        self,
        *,
        max_user_errors: int = MAX_USER_ERRORS,
        max_infrastructure_errors: int = MAX_INFRASTRUCTURE_ERRORS,
    ) -> None:
        self._left = {Cause.USER: max_user_errors, Cause.INFRASTRUCTURE: max_infrastructure_errors}

    def allows(self, cause: Cause) -> bool:
        """Take note of an end, and return whether the worker may be started again."""
        if cause is Cause.RECLAIM:
            return True
        left = self._left.get(cause, 0)
        self._left[cause] = left - 1
        return left > 0
