"""One process that passes datagrams on, under a supervisor, and the socket that it takes orders on."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.supervised import Placement
from steelyard.localcloud.traffic.process import TrafficProcess

_ANSWER_TIMEOUT_S = 30.0


class DatagramProcess(TrafficProcess):
    """`python -m steelyard.localcloud.datagram`.

    Args:
        name: The load balancer's id.
        directory: Folder that holds the console and the lock.
        on_end: See `TrafficProcess`.
        placement: Where it lives.
    """

    def __init__(self, name: str, directory: Path, on_end: Callable[[], None], placement: Placement) -> None:
        super().__init__(
            name=name, what=f"{name}-datagrams", directory=directory, on_end=on_end, placement=placement
        )

    def start(self) -> None:
        """Start it, and wait until it takes orders.

        Raises:
            LocalCloudError: If it does not come up.
        """
        self._start(lambda path: [sys.executable, "-I", "-m", "steelyard.localcloud.datagram", str(path)])

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

    def serves(self) -> bool:
        """Tell whether it answers."""
        try:
            return "statuses" in self.order('{"order": "statuses"}')
        except LocalCloudError:
            return False

    def _complaint(self) -> str:
        return f"the load balancer {self._name} does not pass datagrams on"
