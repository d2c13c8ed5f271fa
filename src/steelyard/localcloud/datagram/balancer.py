"""What passes a load balancer's datagrams on, as the local cloud sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.errors import LocalCloudError
from steelyard.localcloud.datagram.plan import DatagramListener, Place, to_text
from steelyard.localcloud.datagram.process import DatagramProcess
from steelyard.localcloud.traffic.kept import KeptProcess
from steelyard.localcloud.traffic.server_status import Health, ServerStatus

Wish = tuple[tuple[Place, ...], tuple[DatagramListener, ...]]
"""Where to listen, and what to do there."""


class DatagramBalancer(KeptProcess[DatagramProcess, Wish]):
    """Runs one process while there is a listener for datagrams, and changes what it does without losing a session.

    A process that dies is started again, with what it was last told to do.

    Args:
        name: The load balancer's id.
        directory: Folder of its console; made where it is missing.
        placement: Where its process lives.
    """

    def apply(self, places: Sequence[Place], listeners: Sequence[DatagramListener]) -> None:
        """Bring the process to what shall be done, and wait until that is in force.

        Raises:
            LocalCloudError: If it cannot be started, or a port is taken; what was in force before still is.
        """
        with self._lock:
            self._fulfil((tuple(places), tuple(listeners)))

    def statuses(self) -> dict[tuple[str, str], ServerStatus]:
        """Return the status of each server by listener's and server's name; empty where nothing runs.

        Raises:
            LocalCloudError: If the process does not answer.
        """
        with self._lock:
            if self._process is None or not self._process.is_running:
                return {}
            found = self._process.order('{"order": "statuses"}')["statuses"]
        return {
            (listener, server): _status(row)
            for listener, rows in found.items()
            for server, row in rows.items()
        }

    def _has_work(self, wish: Wish) -> bool:
        return bool(wish[1])

    def _new_process(self) -> DatagramProcess:
        return DatagramProcess(self._name, self._directory, self._on_end, self._placement)

    def _begin(self, process: DatagramProcess, wish: Wish) -> None:
        process.start()
        try:
            self._change(process, wish)
        except LocalCloudError:
            process.stop()
            raise

    def _change(self, process: DatagramProcess, wish: Wish) -> None:
        answer = process.order(f'{{"order": "apply", "plan": {to_text(*wish)}}}')
        if "refused" in answer:
            raise LocalCloudError(f"the load balancer {self._name} {answer['refused']}")


def _status(row: Mapping[str, Any]) -> ServerStatus:
    health = {True: Health.NORMAL, False: Health.ABNORMAL}.get(row["is_healthy"], Health.UNAVAILABLE)
    return ServerStatus(
        health=health, weight=row["weight"], reason=row["reason"], num_sessions=row["num_sessions"]
    )
