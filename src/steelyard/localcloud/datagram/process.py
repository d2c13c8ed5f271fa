"""One process that passes datagrams on, under a supervisor, and the socket that it takes orders on."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import Placement, SupervisedProcess

_START_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 10.0
_POLL_S = 0.01
_SOCKET_NAME = "orders.sock"


class DatagramProcess:
    """`python -m steelyard.localcloud.datagram`.

    Args:
        name: The load balancer's id.
        directory: Folder that holds the console and the lock.
        on_end: Called once, in a thread of its own, when the process and its supervisor are gone.
        placement: Where it lives.
    """

    def __init__(self, name: str, directory: Path, on_end: Callable[[], None], placement: Placement) -> None:
        self._name = name
        self._supervised = SupervisedProcess(
            name=f"{name}-datagrams",
            directory=directory,
            environment={},
            stays=False,
            placement=placement,
            on_end=on_end,
        )
        self._socket_path = Path()

    @property
    def is_running(self) -> bool:
        """Whether a process of it may be alive."""
        return self._supervised.is_running

    def start(self) -> None:
        """Start it, and wait until it takes orders.

        Raises:
            LocalCloudError: If it does not come up.
        """
        # The socket lives in the supervisor's private folder: a Unix socket's path has to be short.
        self._socket_path = self._supervised.prepare() / _SOCKET_NAME
        module = ["-I", "-m", "steelyard.localcloud.datagram"]
        self._supervised.start([sys.executable, *module, str(self._socket_path)])
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._serves():
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise LocalCloudError(
                    f"the load balancer {self._name} does not pass datagrams on",
                    hint=f"See {self._supervised.console_path}.",
                )
            time.sleep(_POLL_S)

    def adopt(self) -> bool:
        """Take up a process that an earlier cloud left running in the folder; False where none serves there."""
        if not self._supervised.adopt():
            return False
        self._socket_path = self._supervised.scratch / _SOCKET_NAME
        if self._serves():
            return True
        self.stop()
        return False

    def order(self, text: str) -> Mapping[str, Any]:
        """Give an order, one line of JSON, and return the answer.

        Raises:
            LocalCloudError: If it does not answer.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ANSWER_TIMEOUT_S)
                connection.connect(str(self._socket_path))
                connection.sendall(text.encode() + b"\n")
                with connection.makefile() as answers:
                    answer: Mapping[str, Any] = json.loads(answers.readline())
                    return answer
        except (OSError, ValueError) as err:
            raise LocalCloudError(
                f"the process of the load balancer {self._name} for datagrams does not answer: {err}"
            ) from err

    def stop(self) -> None:
        """End it with all of its sessions, and wait until it is gone."""
        self._supervised.stop(0)

    def process_ids(self) -> list[int]:
        """Return the ids of the supervisor and the process."""
        return self._supervised.process_ids()

    def _serves(self) -> bool:
        try:
            return "statuses" in self.order('{"order": "statuses"}')
        except LocalCloudError:
            return False
