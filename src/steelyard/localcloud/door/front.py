"""The cloud's one port, on which TLS and plain HTTP are told apart.

Terraform's provider calls some actions over HTTPS whatever its `protocol` is, and the others as it is told.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

import uvicorn

from steelyard.localcloud.door.connection import AnswerNow, Connection

_log = logging.getLogger(__name__)

_TLS_HANDSHAKE = b"\x16"
"""First byte of a TLS connection: the record type of its first message (RFC 8446, section 5.1)."""

_GREETING_TIMEOUT_S = 60.0
_PAUSE_S = 0.1


class Front(uvicorn.Server):
    """Serves an application over TLS to clients whose first byte says so, and over plain HTTP to all others.

    Args:
        config: The application and how it is served.
        tls: What it speaks TLS with.
        answer_now: Answers what needs not go through the application.
    """

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext, answer_now: AnswerNow) -> None:
        super().__init__(config)
        self._tls = tls
        self._answer_now = answer_now
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Accept connections on the sockets that were bound."""
        await super().startup(sockets=[])
        for listener in sockets or ():
            listener.setblocking(False)
            self._run(self._accept(listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and let the calls under way be answered."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await super().shutdown(sockets)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as err:
                # No more files for now; connections wait in the queue.
                _log.warning("a connection could not be accepted: %s", err)
                await asyncio.sleep(_PAUSE_S)
                continue
            self._run(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(_GREETING_TIMEOUT_S):
                first = await _peek(connection)
            if first:
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._make_connection, connection, ssl=self._tls if first == _TLS_HANDSHAKE else None
                )
                return
        except (OSError, TimeoutError) as err:
            # ssl.SSLError is an OSError: a client that does not trust the certificate says so and goes.
            _log.info("a connection came to nothing: %s", err)
            # They hold the failed handshake with its buffer of 256 KiB, and the error, which holds them.
            traceback.clear_frames(err.__traceback__)
        except asyncio.CancelledError:
            connection.close()
            raise
        connection.close()

    def _make_connection(self) -> Connection:
        return Connection(self.config, self.server_state, self._answer_now)


async def _peek(connection: socket.socket) -> bytes:
    """Give a connection's first byte and leave it there; nothing where the client has gone."""
    while True:
        try:
            return connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            await _until_readable(connection)


async def _until_readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(connection, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(connection)
