"""The process that keeps a command's output, and the cloud's hold on the command."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from contextlib import suppress

from steelyard.localcloud.hosts.supervisor import DOOR_NAME, MARK_NAME, MOST_CLAIMS
from steelyard.localcloud.hosts.supervisor.console import Console
from steelyard.localcloud.hosts.supervisor.family import end_descendants, reap, send, watch_children
from steelyard.localcloud.hosts.supervisor.pipe import READ_BYTES, Pipes, put, take

LINK = 0
"""Descriptor of the link to the cloud."""

ADOPT, DISMISS, CLAIMS, HOLD = b"adopt\n", b"dismiss\n", b"claims\n", b"hold\n"
LOOK_EVERY_S = 1.0


def open_door(folder: str) -> socket.socket:
    """Listen on a Unix socket in a folder; the folder becomes the working directory, for a socket's path is short."""
    os.chdir(folder)
    if os.path.lexists(DOOR_NAME):
        os.unlink(DOOR_NAME)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(DOOR_NAME)
    door.listen()
    return door


def tell(text: str) -> None:
    """Tell the cloud, which may be gone."""
    put(LINK, text.encode() + b"\n")


class Keeper:
    """Copies the output and passes the order on, until the init has ended; then ends what it may have left.

    Args:
        init: Process id of the init.
        pipes: Where the command's output comes from, what the init tells, and where it takes its order.
        console: Where the output goes.
        door: Where a later cloud comes in.
        folder: Where door and mark are; when it is removed, nobody can come any more.
        claims: Descriptors that are kept open for a later cloud.
        patience_s: Seconds for which a tree without a cloud lives on.
    """

    def __init__(
        self,
        *,
        init: int,
        pipes: Pipes,
        console: Console,
        door: socket.socket,
        folder: str,
        claims: list[int],
        patience_s: float,
    ) -> None:
        self._init = init
        self._orders = pipes.orders[1]
        self._words = pipes.words[0]
        self._output = pipes.output[0]
        self._console = console
        self._door = door
        self._folder = folder
        self._claims = claims
        self._patience_s = patience_s
        self._sources = {LINK, self._output, self._words, door.fileno()}
        self._callers: dict[int, socket.socket] = {}
        self._told = b""
        self._is_ordered = False
        self._deadline = 0.0

    def run(self) -> None:
        """Run until nothing of the tree is left."""
        children_ended = watch_children()
        self._sources.add(children_ended)
        # The init may have ended before the handler stood: the first look comes without a signal.
        has_ended = self._init in (reap() or {})
        while not has_ended:
            ready, _, _ = select.select(self._sources, [], [], LOOK_EVERY_S if self._is_orphan else None)
            for source in ready:
                self._serve(source)
            if children_ended in ready:
                take(children_ended)
                has_ended = self._init in (reap() or {})
            if self._is_orphan and (time.monotonic() >= self._deadline or not os.path.exists(self._folder)):
                self._end_alone()
        end_descendants(0)
        for source in (self._output, self._words):
            while source in self._sources and select.select([source], [], [], 0)[0]:
                self._serve(source)

    @property
    def _is_orphan(self) -> bool:
        return LINK not in self._sources and not self._is_ordered

    def _serve(self, source: int) -> None:
        if source == self._output:
            self._copy()
        elif source == self._words:
            self._forward()
        elif source == LINK:
            self._hear_cloud()
        elif source == self._door.fileno():
            caller, _ = self._door.accept()
            self._callers[caller.fileno()] = caller
            self._sources.add(caller.fileno())
        elif source in self._callers:
            self._hear_caller(source)

    def _copy(self) -> None:
        data = take(self._output)
        if not data:
            self._sources.remove(self._output)
            return
        try:
            self._console.write(data)
        except OSError as error:  # A full disk costs the log, not the machine.
            tell(f"console {error.strerror}")

    def _forward(self) -> None:
        data = take(self._words)
        if not data:
            self._sources.remove(self._words)
        self._told += data
        put(LINK, data)

    def _hear_cloud(self) -> None:
        order = take(LINK)
        self._sources.remove(LINK)
        if order:
            self._order(order)
            return
        self._deadline = time.monotonic() + self._patience_s
        send(signal.SIGCONT)  # A cloud that held processes up cannot let them go on any more.

    def _hear_caller(self, number: int) -> None:
        caller = self._callers.pop(number)
        self._sources.remove(number)
        with caller:
            wish, files = _hear(caller)
            if wish == ADOPT:
                os.dup2(number, LINK, inheritable=False)
                put(LINK, self._told)
                if not self._is_ordered:
                    self._sources.add(LINK)
            elif wish == CLAIMS:
                with suppress(OSError):
                    socket.send_fds(caller, [CLAIMS], self._claims)
            elif wish == HOLD:
                self._hold(caller, files)
            elif wish == DISMISS and self._is_orphan:
                self._end_alone()

    def _hold(self, caller: socket.socket, files: list[int]) -> None:
        """Hold other claims in place of those before, and say so once those are given up."""
        before, self._claims = self._claims, files
        for file in before:
            os.close(file)
        with suppress(OSError):
            caller.sendall(HOLD)

    def _end_alone(self) -> None:
        mark = os.path.join(self._folder, MARK_NAME)
        if os.path.exists(mark):
            os.unlink(mark)
        self._order(b"0")

    def _order(self, order: bytes) -> None:
        self._is_ordered = True
        put(self._orders, order)


def _hear(caller: socket.socket) -> tuple[bytes, list[int]]:
    """Read what somebody at the door wishes, and the files that come with it."""
    try:
        wish, files, _, _ = socket.recv_fds(caller, READ_BYTES, MOST_CLAIMS)
    except ConnectionResetError:
        return b"", []
    return wish, files
