"""One HAProxy: master and worker under a supervisor, and the master's command socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement
from steelyard.localcloud.proxy.binary import find_haproxy
from steelyard.localcloud.proxy.session import (
    old_workers,
    open_listeners,
    sessions_at,
    sessions_through,
    sessions_with,
)
from steelyard.localcloud.traffic.process import TrafficProcess

_COMMAND_TIMEOUT_S = 30.0
_LOOK_TIMEOUT_S = 10.0
_OLD_WORKER_TIMEOUT_S = 2.0
_RECEIVE_BYTES = 1 << 16
_BATCH = 100  # HAProxy reads 16 KiB of commands at once.


class HaproxyProcess(TrafficProcess):
    """HAProxy in master-worker mode; the master outlives each reload.

    Args:
        name: The load balancer's id.
        directory: Folder that holds the configuration, the console and the lock.
        config_path: The configuration file, written before the start and before each reload.
        on_end: See `TrafficProcess`.
        placement: Where it lives.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        config_path: Path,
        on_end: Callable[[], None],
        placement: Placement = AT_LARGE,
    ) -> None:
        super().__init__(name=name, what=name, directory=directory, on_end=on_end, placement=placement)
        self._config_path = config_path

    def start(self) -> None:
        """Start HAProxy and wait until its worker serves.

        Raises:
            LocalCloudError: If it does not come up; the message holds its own words.
        """
        binary = str(find_haproxy())
        self._start(lambda path: [binary, "-W", "-db", "-f", str(self._config_path), "-S", str(path)])

    def reload(self) -> None:
        """Take the configuration file over without losing a connection, and wait until the new worker serves.

        The old worker serves its connections to their end.

        Raises:
            LocalCloudError: If the configuration is refused; the old one stays in force.
        """
        answer = self._exchange("reload")
        if not answer.startswith("Success=1"):
            raise LocalCloudError(f"the load balancer {self._name} refused its configuration: {answer}")

    def command(self, text: str) -> str:
        """Carry out one command of HAProxy's runtime interface on the current worker.

        Returns:
            The answer, without blank lines at its ends.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        return self._exchange(f"@1 {text}")

    def commands(self, texts: Iterable[str]) -> None:
        """Carry out commands on the current worker, many at a time, and leave their answers aside.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        waiting = iter(texts)
        while batch := list(islice(waiting, _BATCH)):
            self._exchange(";".join(f"@1 {text}" for text in batch))

    def close_entrances(self) -> None:
        """Let the workers that only serve their connections to the end take no others: in their grace they do.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        for worker in old_workers(self._exchange("show proc")):
            for listener in open_listeners(self._ask_old(worker, "show stat -1 1 -1")):
                self._ask_old(worker, f"shutdown frontend {listener}")

    def close_with(self, pool: str, server: str) -> None:
        """Close the connections to a server.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        self.command(f"shutdown sessions server {pool}/{server}")
        self._close_old("show sess", lambda text: sessions_with(text, pool, server))

    def close_through(self, listeners: Collection[str]) -> None:
        """Close the connections that came in through listeners which a reload has taken away.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        self._close_old("show sess", lambda text: sessions_through(text, listeners))

    def close_at(self, addresses: Collection[str]) -> None:
        """Close the connections that came in at addresses which it served before a reload, and serves no more.

        Raises:
            LocalCloudError: If HAProxy does not answer.
        """
        self._close_old("show sess all", lambda text: sessions_at(text, addresses))

    def _close_old(self, question: str, find: Callable[[str], list[str]]) -> None:
        """Close connections of the workers that only serve theirs to the end, by the answer of each to a question."""
        for worker in old_workers(self._exchange("show proc")):
            for session in find(self._ask_old(worker, question)):
                self._ask_old(worker, f"shutdown session {session}")

    def _ask_old(self, worker: int, text: str) -> str:
        """Have an old worker carry out a command; one that ends meanwhile may leave it without an answer."""
        deadline = time.monotonic() + _COMMAND_TIMEOUT_S
        while True:
            try:
                return self._send(f"@!{worker} {text}", _OLD_WORKER_TIMEOUT_S)
            except OSError as err:
                if worker not in old_workers(self._exchange("show proc")):
                    return ""
                if time.monotonic() > deadline:
                    raise self._silence(f"@!{worker} {text}", err) from err

    def serves(self) -> bool:
        """Tell whether its worker answers."""
        # While the master forks its first worker it refuses, resets or ends what it has just accepted.
        try:
            return "Uptime_sec" in self._send("@1 show info", _LOOK_TIMEOUT_S)
        except OSError:
            return False

    def _exchange(self, text: str) -> str:
        try:
            return self._send(text)
        except OSError as err:
            raise self._silence(text, err) from err

    def _silence(self, text: str, err: OSError) -> LocalCloudError:
        return LocalCloudError(f"the load balancer {self._name} does not answer {text!r}: {err}")

    def _send(self, text: str, timeout_s: float = _COMMAND_TIMEOUT_S) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self._socket_path))
            connection.sendall(text.encode() + b"\n")
            # Without the end of the input the master waits for more commands.
            connection.shutdown(socket.SHUT_WR)
            parts: list[bytes] = []
            while part := connection.recv(_RECEIVE_BYTES):
                parts.append(part)
        return b"".join(parts).decode(errors="replace").strip()

    def _complaint(self) -> str:
        return f"the load balancer {self._name} did not start: {self._last_words()}"

    def _last_words(self) -> str:
        lines = self._supervised.console_path.read_text(errors="replace").splitlines()
        alerts = [line for line in lines if "ALERT" in line]
        return explained(" ".join((alerts or lines)[-3:]))


def explained(words: str) -> str:
    """Add to HAProxy's words what to do, where they do not say it."""
    if "cannot bind" in words and "Permission denied" in words:
        return f"{words} - a port below 1024 takes root, or a shell in `unshare -Urn`; one from 1024 on takes neither"
    return words
