"""The process that passes a load balancer's datagrams on, as the local cloud sees it."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.errors import LocalCloudError
from steelyard.localcloud.datagram.plan import DatagramListener, Place, to_text
from steelyard.localcloud.hosts.supervised import AT_LARGE, Placement, SupervisedProcess
from steelyard.localcloud.proxy.health import Health, ServerStatus

_START_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 10.0
_POLL_S = 0.01
_MIN_LIFE_S = 5.0

logger = logging.getLogger(__name__)

Wish = tuple[tuple[Place, ...], tuple[DatagramListener, ...]]
"""Where to listen, and what to do there."""


class DatagramBalancer:
    """Runs one such process while there is a listener for datagrams, and changes what it does without losing a session.

    A process that dies is started again, with what it was last told to do.

    Args:
        name: The load balancer's id.
        directory: Folder of its console; made where it is missing.
        placement: Where its process lives.
    """

    def __init__(self, name: str, directory: Path, placement: Placement = AT_LARGE) -> None:
        self._name = name
        self._directory = directory
        self._placement = placement
        self._process: SupervisedProcess | None = None
        self._socket_path = Path()
        self._wish: Wish = ((), ())
        self._started_at = 0.0
        self._lock = threading.RLock()

    def apply(self, places: Sequence[Place], listeners: Sequence[DatagramListener]) -> None:
        """Bring the process to what shall be done, and wait until that is in force.

        Raises:
            LocalCloudError: If it cannot be started, or a port is taken; what was in force before still is.
        """
        with self._lock:
            wish = (tuple(places), tuple(listeners))
            if not listeners:
                self._end()
            elif self._process is None or not self._process.is_running:
                self._start(wish)
            elif wish != self._wish:
                self._tell(wish)
            self._wish = wish

    def statuses(self) -> dict[tuple[str, str], ServerStatus]:
        """Return the status of each server by listener's and server's name; empty where nothing runs.

        Raises:
            LocalCloudError: If the process does not answer.
        """
        with self._lock:
            if self._process is None or not self._process.is_running:
                return {}
            found = self._exchange('{"order": "statuses"}')["statuses"]
        return {
            (listener, server): _status(row)
            for listener, rows in found.items()
            for server, row in rows.items()
        }

    def process_ids(self) -> list[int]:
        """Return the ids of the processes that run for it."""
        process = self._process
        return process.process_ids() if process is not None else []

    def stop(self) -> None:
        """End the process with all of its sessions, and wait until it is gone."""
        with self._lock:
            self._end()

    def discard(self) -> None:
        """Stop, and remove the files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop(0)

    def _start(self, wish: Wish) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = SupervisedProcess(
            name=f"{self._name}-datagrams",
            directory=self._directory,
            environment={},
            stays=False,
            placement=self._placement,
            on_end=self._on_end,
        )
        # The socket lives in the supervisor's private folder: a Unix socket's path has to be short.
        self._socket_path = process.prepare() / "orders.sock"
        process.start([sys.executable, "-I", "-m", "steelyard.localcloud.datagram", str(self._socket_path)])
        self._process, self._started_at = process, time.monotonic()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._serves():
            if not process.is_running or time.monotonic() > deadline:
                self._end()
                raise LocalCloudError(
                    f"the load balancer {self._name} does not pass datagrams on",
                    hint=f"See {process.console_path}.",
                )
            time.sleep(_POLL_S)
        try:
            self._tell(wish)
        except LocalCloudError:
            self._end()
            raise

    def _serves(self) -> bool:
        try:
            return "statuses" in self._exchange('{"order": "statuses"}')
        except LocalCloudError:
            return False

    def _tell(self, wish: Wish) -> None:
        answer = self._exchange(f'{{"order": "apply", "plan": {to_text(*wish)}}}')
        if "refused" in answer:
            raise LocalCloudError(f"the load balancer {self._name} {answer['refused']}")

    def _exchange(self, order: str) -> Mapping[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ANSWER_TIMEOUT_S)
                connection.connect(str(self._socket_path))
                connection.sendall(order.encode() + b"\n")
                with connection.makefile() as answers:
                    answer: Mapping[str, Any] = json.loads(answers.readline())
                    return answer
        except (OSError, ValueError) as err:
            raise LocalCloudError(
                f"the process of the load balancer {self._name} for datagrams does not answer: {err}"
            ) from err

    def _on_end(self) -> None:
        with self._lock:
            process = self._process
            if process is None or process.is_running:
                return  # It was stopped, or is running again already.
            self._process = None
            if time.monotonic() - self._started_at < _MIN_LIFE_S:
                logger.error("%s died soon after its start and passes no datagrams on", self._name)
                return
            logger.warning("the process of %s for datagrams died and is started again", self._name)
            try:
                self._start(self._wish)
            except LocalCloudError as err:
                logger.error("%s passes no datagrams on: %s", self._name, err)


def _status(row: Mapping[str, Any]) -> ServerStatus:
    health = {True: Health.NORMAL, False: Health.ABNORMAL}.get(row["is_healthy"], Health.UNAVAILABLE)
    return ServerStatus(
        health=health, weight=row["weight"], reason=row["reason"], num_sessions=row["num_sessions"]
    )
