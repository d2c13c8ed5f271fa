"""The processes below this one: found wherever they went, and ended."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import time
from collections.abc import Sequence

import psutil

logger = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can leave this tree.

    Source: prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        logger.warning("not a subreaper: %s", os.strerror(ctypes.get_errno()))


def descendants() -> Sequence[psutil.Process]:
    """Return every living process below this one."""
    return psutil.Process().children(recursive=True)


def with_variable(processes: Sequence[psutil.Process], name: str) -> Sequence[psutil.Process]:
    """Return those of the processes that have an environment variable."""
    found = []
    for process in processes:
        try:
            if name in process.environ():
                found.append(process)
        except psutil.Error:
            continue  # it has ended, or is a zombie
    return found


def end(processes: Sequence[psutil.Process], *, grace_s: float) -> None:
    """Ask processes to end, and kill those that have not after a while.

    Args:
        processes: Which.
        grace_s: How long they have between SIGTERM and SIGKILL, in seconds.
    """
    _signal(processes, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5.0)


def end_descendants(*, grace_s: float, timeout_s: float = 10.0) -> Sequence[psutil.Process]:
    """End everything below this process, also what is started meanwhile.

    Args:
        grace_s: How long the first ones have between SIGTERM and SIGKILL, in seconds.
        timeout_s: When to give up, in seconds.

    Returns:
        What is still alive: nothing, unless a process hangs in the kernel.
    """
    deadline = time.monotonic() + timeout_s
    alive = descendants()
    while alive and time.monotonic() < deadline:
        end(alive, grace_s=grace_s)
        grace_s = 0.0
        reap_orphans()
        alive = descendants()
        if alive:
            time.sleep(_POLL_S)
    return alive


def reap_orphans(keep: int | None = None) -> None:
    """Collect the exit codes of ended descendants that this process inherited as a subreaper.

    Args:
        keep: Id of a child of its own, whose exit code is waited for elsewhere.
    """
    for child in psutil.Process().children():
        if child.pid == keep:
            continue
        try:
            os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:
            continue  # its own starter was quicker


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
