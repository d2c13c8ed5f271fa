"""The cloud's API and object storage as instances of a VPC reach them: an address of their router, passed on.

On the real cloud they are internal endpoints in 100.64.0.0/10, too. What passes is not looked into: it is signed.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress

CLOUD_ADDRESS = "100.100.100.201"
"""Beside the metadata service's; the real endpoints' addresses differ by region."""
CLOUD_PORT = 80

_CHUNK_BYTES = 1 << 16
_CONNECT_TIMEOUT_S = 10.0

logger = logging.getLogger(__name__)


class CloudDoor:
    """Passes connections on, each by two threads, one for each direction.

    Args:
        listener: Listening socket in the VPC's router; it is closed with the door.
        target: Host and port that connections are passed on to.
    """

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        self._listener = listener
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._accept, name="cloud-door", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._is_closed:
                    return
                logger.exception("a connection to the cloud could not be accepted")
                continue
            threading.Thread(target=self._pass_on, args=(client,), name="cloud-pass", daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        try:
            cloud = socket.create_connection(self._target, timeout=_CONNECT_TIMEOUT_S)
        except OSError as err:
            logger.warning("the cloud does not answer: %s", err)
            client.close()
            return
        cloud.settimeout(None)
        with self._lock:
            self._open |= {client, cloud}
            is_late = self._is_closed
        if is_late:
            _cut((client, cloud))
        back = threading.Thread(target=_copy, args=(cloud, client), name="storage-back", daemon=True)
        back.start()
        _copy(client, cloud)
        back.join()
        with self._lock:
            self._open -= {client, cloud}
        client.close()
        cloud.close()

    def close(self) -> None:
        """Accept no more and cut what is open."""
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread that accepts.
        self._listener.close()
        self._thread.join()
        with self._lock:
            _cut(self._open)


def _cut(connections: Iterable[socket.socket]) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
