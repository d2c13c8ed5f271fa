"""One process that carries traffic, under a supervisor, and the socket that it takes commands on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import Placement, SupervisedProcess

_START_TIMEOUT_S = 30.0
_POLL_S = 0.005
_SOCKET_NAME = "commands.sock"


class TrafficProcess(ABC):
    """A tree of processes that serves once its socket answers; it outlives a cloud that is killed.

    Args:
        name: The load balancer's id.
        what: Its short name, for the log.
        directory: Folder that holds the console and the lock.
        on_end: Called once, in a thread of its own, when the process and its supervisor are gone.
        placement: Where it lives.
    """

    def __init__(
        self, *, name: str, what: str, directory: Path, on_end: Callable[[], None], placement: Placement
    ) -> None:
        self._name = name
        self._supervised = SupervisedProcess(
            name=what,
            directory=directory,
            environment={},
            stays=False,
            placement=placement,
            on_end=on_end,
        )
        self._socket_path = Path()

    @abstractmethod
    def serves(self) -> bool:
        """Tell whether it answers on its socket."""

    @abstractmethod
    def _complaint(self) -> str:
        """Say that it does not come up, and why, as far as it is known."""

    @property
    def is_running(self) -> bool:
        """Whether a process of it may be alive."""
        return self._supervised.is_running

    def adopt(self) -> bool:
        """Take up a process that an earlier cloud left running in the folder; False where none serves there."""
        if not self._supervised.adopt():
            return False
        self._socket_path = self._supervised.scratch / _SOCKET_NAME
        if self.serves():
            return True
        self.stop()
        return False

    def hold_claims(self) -> None:
        """Let its supervisor hold what the placement's claims are now."""
        self._supervised.hold_claims()

    def stop(self) -> None:
        """End it with all that passes through it, and wait until it is gone."""
        self._supervised.stop(0)

    def process_ids(self) -> list[int]:
        """Return the ids of the supervisor and of the processes below it."""
        return self._supervised.process_ids()

    def _start(self, command: Callable[[Path], list[str]]) -> None:
        """Start it, and wait until it serves.

        Args:
            command: Gives absolute path and arguments, from the path of the socket.

        Raises:
            LocalCloudError: If it does not come up.
        """
        # The socket lives in the supervisor's private folder: a Unix socket's path has to be short.
        self._socket_path = self._supervised.prepare() / _SOCKET_NAME
        self._supervised.start(command(self._socket_path))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.serves():
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise LocalCloudError(self._complaint(), hint=f"See {self._supervised.console_path}.")
            time.sleep(_POLL_S)
