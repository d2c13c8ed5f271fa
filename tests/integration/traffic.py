from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def wait_until(read: Callable[[], T], is_done: Callable[[T], object] = bool, deadline_s: float = 40.0) -> T:
    """Poll until what is read is as it should be."""
    deadline = time.monotonic() + deadline_s
    while not is_done(value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {deadline_s} s"
        time.sleep(0.02)
    return value


class Traffic:
    """Clients that ask again and again who serves them, each on a connection that it keeps; by TLS where told to.

    Where told not to keep it, each request comes on a connection of its own. A request that fails may be sent a second
    time, as clients do with what changes nothing; why is noted.
    """

    def __init__(
        self,
        address: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        *,
        is_kept: bool = True,
        repeats: bool = False,
    ) -> None:
        self.repeated: list[str] = []
        self._is_kept, self._repeats = is_kept, repeats
        self.answers: list[tuple[float, str]] = []
        self.errors: list[str] = []
        self._where = address, port
        self._tls = tls
        self._is_over = threading.Event()

    def names(self, since: float = 0.0) -> Counter[str]:
        """Count the answers by server, those to requests that began after a monotonic time."""
        return Counter(name for moment, name in list(self.answers) if moment >= since)

    def run(self, num_requests: int | None = None) -> None:
        connection = self._connection()
        while not self._is_over.is_set() and num_requests != 0:
            error = self._ask(connection)
            if error and self._repeats:
                self.repeated.append(error)
                error = self._ask(connection)
            if error:
                self.errors.append(error)
            if num_requests is not None:
                num_requests -= 1
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        """Send a request and note who answers; where nobody does, say what came instead."""
        began = time.monotonic()
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as err:
            connection.close()
            return repr(err)
        if not self._is_kept:
            connection.close()
        if answer.status != 200:
            return f"{answer.status} {text}"
        self.answers.append((began, text.split(" ")[0]))
        return ""

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self._where, timeout=10)
        return http.client.HTTPSConnection(*self._where, timeout=10, context=self._tls)

    @contextmanager
    def flowing(self, num_clients: int = 4) -> Iterator[Traffic]:
        """Let the clients run until the end of the block."""
        clients = [threading.Thread(target=self.run) for _ in range(num_clients)]
        for client in clients:
            client.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for client in clients:
                client.join()


def ask(
    address: str,
    port: int,
    num_requests: int,
    num_clients: int = 4,
    tls: ssl.SSLContext | None = None,
    *,
    is_kept: bool = True,
) -> Traffic:
    """Send a number of requests and wait for all answers."""
    traffic = Traffic(address, port, tls, is_kept=is_kept)
    clients = [
        threading.Thread(target=traffic.run, args=(num_requests // num_clients,)) for _ in range(num_clients)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return traffic
