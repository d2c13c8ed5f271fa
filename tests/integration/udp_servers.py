"""Servers and clients of datagrams."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

TIMEOUT_S = 5.0


class EchoServer:
    """Answers each datagram with its own name and what it got.

    It listens on a free port of an address unless one is given, in the network namespace of the thread that makes it.
    """

    def __init__(self, name: str, address: str = "127.0.0.1", port: int = 0) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._socket.settimeout(0.05)
        self.address, self.port = self._socket.getsockname()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._is_over.is_set():
            try:
                data, client = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            self._socket.sendto(self.name.encode() + b" " + data, client)

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._socket.close()


class UdpClient:
    """Calls one port from one port of its own."""

    def __init__(self, address: str, port: int, source: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.settimeout(TIMEOUT_S)
        self._to = (address, port)

    def __enter__(self) -> UdpClient:
        return self

    def __exit__(self, *reason: object) -> None:
        self._socket.close()

    def ask(self, text: str = "hello", timeout_s: float = TIMEOUT_S) -> str | None:
        """Give the name of the server that answers; None where none does."""
        self._socket.settimeout(timeout_s)
        self._socket.sendto(text.encode(), self._to)
        try:
            answer = self._socket.recv(65535).decode()
        except TimeoutError:
            return None
        name, _, echo = answer.partition(" ")
        assert echo == text
        return name


def names(address: str, port: int, num_clients: int, source: str = "127.0.0.1") -> list[str | None]:
    """Give the servers that answer new clients, one after the other; no two have the same port."""
    with ExitStack() as stack:
        return [stack.enter_context(UdpClient(address, port, source)).ask() for _ in range(num_clients)]
