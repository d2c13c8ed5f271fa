"""The processes below this one: found, told, ended and reaped."""

from __future__ import annotations

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
POLL_S = 0.01
MOST_LOOKS = 10


def become_subreaper() -> None:
    """Make this process the parent of every orphan among its descendants."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def descendants() -> list[int]:
    """Return the ids of every process below this one."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return search()  # The kernel was built without CONFIG_PROC_CHILDREN.
    found: list[int] = []
    unseen = [os.getpid()]
    while unseen:
        below = children_of(unseen.pop())
        found += below
        unseen += below
    return found


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children, whichever of its threads has them; none if it has ended."""
    found: list[int] = []
    for _ in range(MOST_LOOKS):
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except (FileNotFoundError, ProcessLookupError):
            return []  # Its children are ours by now, and seen at the next look.
        found = []
        has_all = True
        for thread in threads:
            try:
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    found += map(int, file.read().split())
            except (FileNotFoundError, ProcessLookupError):
                has_all = False  # Its children are another thread's, maybe one that was looked at.
        if has_all:
            break
    return found


def search() -> list[int]:
    """Return the ids of every living process below this one, from one look at all processes of the machine."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The command name may hold spaces and parentheses; the fields after the last one do not.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue  # It ended while we looked.
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    unseen = [os.getpid()]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def send(number: int) -> None:
    """Send the signal to every descendant."""
    for pid in descendants():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def reap() -> dict[int, int] | None:
    """Collect every child that has ended.

    Returns:
        Exit code by process id, minus the signal's number for a child that was killed; None if no child is left.
    """
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended or None
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_descendants(grace_s: float) -> None:
    """End every descendant: SIGTERM and the grace first where there is one, then SIGKILL until none is left."""
    if grace_s > 0:
        send(signal.SIGTERM)
        send(signal.SIGCONT)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            if reap() is None:
                return
            time.sleep(POLL_S)
    while True:
        # Again and again: a process may have forked between the look at /proc and the signal.
        send(signal.SIGKILL)
        if reap() is None:
            return
        time.sleep(POLL_S)


def watch_children() -> int:
    """Return a descriptor that becomes readable whenever a child has ended."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable
