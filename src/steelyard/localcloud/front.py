"""The cloud's one port, on which TLS and plain HTTP are told apart.

Terraform's provider calls some actions over HTTPS whatever its `protocol` is, and the others as it is told.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine, Sequence
from typing import Any

import uvicorn

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
    """

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext) -> None:
        super().__init__(config)
        self._tls = tls
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
                    self._make_protocol, connection, ssl=self._tls if first == _TLS_HANDSHAKE else None
                )
                return
        except (OSError, TimeoutError) as err:
            # ssl.SSLError is an OSError: a client that does not trust the certificate says so and goes.
            _log.info("a connection came to nothing: %s", err)
        except asyncio.CancelledError:
            connection.close()
            raise
        connection.close()

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return _Joined(protocol)


class _Joined(asyncio.Protocol):
    """Speaks as another protocol does, and sends what it writes in one turn of the loop at once.

    uvicorn writes an answer's head and its body apart: the client would be woken for each.

    Args:
        inner: The other protocol.
    """

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand on the connection, with its writes joined."""
        assert isinstance(transport, asyncio.Transport)
        self._inner.connection_made(_JoiningTransport(transport))

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on that no more will come."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on the end."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on that the client does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that it reads again."""
        self._inner.resume_writing()


class _JoiningTransport(asyncio.Transport):
    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(bytes(data))

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._parts = []
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._transport.get_protocol()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size() + sum(map(len, self._parts))


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
