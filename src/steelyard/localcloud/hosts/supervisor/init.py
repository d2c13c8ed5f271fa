"""The process that starts the command, and the parent of all that it leaves behind."""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import time

from steelyard.localcloud.hosts.supervisor.family import (
    POLL_S,
    become_subreaper,
    end_descendants,
    reap,
    watch_children,
)
from steelyard.localcloud.hosts.supervisor.pipe import Pipes, put, take

BUSY_TIMEOUT_S = 2.0


class Init:
    """Starts the command, reaps orphans, and ends the tree when it is ordered or the keeper is gone.

    Args:
        command: Absolute path and arguments; empty for a machine that runs nothing.
        stays: Whether the tree lives on after the command has ended.
        pipes: Where its order comes from, where the command's output goes, and what the cloud is to be told.
        scratch: Folder that is removed at the end where the keeper cannot.
    """

    def __init__(self, *, command: list[str], stays: bool, pipes: Pipes, scratch: str) -> None:
        self._command = command
        self._stays = stays
        self._orders = pipes.orders[0]
        self._output = pipes.output[1]
        self._words = pipes.words[1]
        self._scratch = scratch

    def run(self) -> None:
        """Run until nothing of the tree is left."""
        become_subreaper()
        children_ended = watch_children()
        pid = self._start() if self._command else 0
        if not self._command:
            self._tell("started")
        if not pid and not self._stays:
            return
        while True:
            ready, _, _ = select.select([self._orders, children_ended], [], [])
            if children_ended in ready:
                take(children_ended)
                code = (reap() or {}).get(pid)
                if code is not None:
                    put(
                        self._output,
                        f"[supervisor] {self._command[0]} ended with exit code {code}\n".encode(),
                    )
                    self._tell(f"exited {code}")
                    if not self._stays:
                        end_descendants(0)
                        return
            if self._orders in ready:
                order = take(self._orders)
                end_descendants(float(order) if order else 0)
                if not order:
                    shutil.rmtree(self._scratch, ignore_errors=True)  # The keeper, whose task it is, is gone.
                return

    def _tell(self, text: str) -> None:
        put(self._words, text.encode() + b"\n")

    def _start(self) -> int:
        """Start the command in a session of its own; return its process id, 0 where it could not be started."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                pid = self._spawn()
            except OSError as error:
                # A process that the cloud was just forking may hold the fresh script open for writing.
                if error.errno == errno.ETXTBSY and time.monotonic() < deadline:
                    time.sleep(POLL_S)
                    continue
                reason = f"{self._command[0]} could not be started: {error.strerror}"
                put(self._output, f"[supervisor] {reason}\n".encode())
                self._tell(f"refused {error.strerror}")
                return 0
            self._tell("started")
            return pid

    def _spawn(self) -> int:
        return os.posix_spawn(
            self._command[0],
            self._command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, self._output, 1),
                (os.POSIX_SPAWN_DUP2, self._output, 2),
            ],
            setsid=True,
            setsigdef=[
                signal.SIGPIPE,
                signal.SIGXFSZ,
            ],  # The interpreter ignores them; its children must not.
        )
