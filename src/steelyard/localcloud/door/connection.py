from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from steelyard.localcloud.wire.message import HttpReply, WireRequest
from steelyard.localcloud.wire.plain import read_plain

MAX_HEAD_BYTES = 256 << 10
"""What a request's line and headers may take; 16 KiB of user data, twice encoded, is the longest that clients send."""
_MAX_HELD_BYTES = 64 << 10
# One for all connections: what came is copied out of it before the loop turns to another one.
_arrivals = memoryview(bytearray(256 << 10))

_log = logging.getLogger(__name__)

AnswerNow = Callable[[WireRequest], HttpReply | None]
"""Answers a request without waiting for anything; None where that cannot be done."""


class Connection(asyncio.BufferedProtocol):
    """One client's connection: uvicorn's, with a shorter way for plain requests that are answered at once.

    uvicorn makes a task of each request and hands its parts and those of its answer around as messages, which costs as
    much as a quick answer itself. It gets every request that is not plain or has no quick answer, byte for byte as it
    came, and from one that is not plain on the whole connection.

    Args:
        config: The application and how it is served.
        server_state: What the server's connections share.
        answer_now: Answers what can be answered at once.
    """

    def __init__(self, config: uvicorn.Config, server_state: ServerState, answer_now: AnswerNow) -> None:
        self._loop = asyncio.get_running_loop()
        self._inner = _Inner(config, server_state, app_state={})
        self._keep_alive_s = config.timeout_keep_alive
        self._heard_at = self._loop.time()
        self._server_state = server_state
        self._answer_now = answer_now
        self._client, self._is_secure = "", False
        self._held = b""
        self._is_plain = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        # Of uvloop's transports, which are none by their class, the type checker knows nothing.
        self._transport = JoiningTransport(cast(asyncio.Transport, transport))
        self._inner.connection_made(self._transport)
        self._client = self._inner.client[0] if self._inner.client else ""
        self._is_secure = transport.get_extra_info("sslcontext") is not None
        self._timer = self._loop.call_later(self._keep_alive_s, self._close_if_idle)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give what the loop writes into what comes."""
        return _arrivals

    def buffer_updated(self, nbytes: int) -> None:
        """Answer a request, or hand on what came."""
        data = bytes(_arrivals[:nbytes])
        self._heard_at = self._loop.time()
        if self._is_plain and not self._is_busy:
            self._take(self._held + data)
        else:
            self._hand_over(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on the end."""
        self._timer.cancel()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on that the client does not read."""
        self._is_plain = False
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that it reads again."""
        self._inner.resume_writing()

    def _close_if_idle(self) -> None:
        left_s = self._heard_at + self._keep_alive_s - self._loop.time()
        if left_s <= 0 and not self._is_busy:
            self._transport.close()
        else:
            after_s = left_s if left_s > 0 else self._keep_alive_s
            self._timer = self._loop.call_later(after_s, self._close_if_idle)

    @property
    def _is_busy(self) -> bool:
        """Whether uvicorn is answering."""
        cycle = self._inner.cycle
        return cycle is not None and not cycle.response_complete

    def _take(self, data: bytes) -> None:
        self._held = b""
        read = read_plain(data, self._client, is_secure=self._is_secure)
        if read is None or read[1] < 0 or len(data) + read[1] > _MAX_HELD_BYTES:
            self._hand_over(data)
            return
        request, num_missing = read
        if num_missing:
            self._held = data
            return
        reply = self._reply(request)
        if reply is None:
            self._inner.data_received(data)
        else:
            self._send(reply)

    def _hand_over(self, data: bytes) -> None:
        """Let uvicorn speak with the client from now on: where its requests begin and end is not known here."""
        self._is_plain = False
        data, self._held = self._held + data, b""
        self._inner.data_received(data)

    def _reply(self, request: WireRequest) -> HttpReply | None:
        try:
            return self._answer_now(request)
        except Exception:  # noqa: BLE001 - a bug must answer 500 and leave the connection standing
            _log.exception("%s %s failed", request.method, request.path)
            return HttpReply(status=500, content_type="text/plain", content=b"Internal Server Error")

    def _send(self, reply: HttpReply) -> None:
        general = b"".join([b"%b: %b\r\n" % header for header in self._server_state.default_headers])
        self._transport.write_now(
            b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (
                STATUS_LINE[reply.status],
                general,
                reply.content_type.encode(),
                len(reply.content),
                reply.content,
            )
        )


class _Inner(HttpToolsProtocol):
    _is_in_head = False
    _num_head_bytes = 0

    def timeout_keep_alive_handler(self) -> None:
        """Leave it to the connection, which knows of more requests."""

    def data_received(self, data: bytes) -> None:
        """Refuse a request whose head does not end: it would be held in memory for as long as it goes on."""
        was_in_head = self._is_in_head
        super().data_received(data)
        if was_in_head and self._is_in_head:
            self._num_head_bytes += len(data)
            if self._num_head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        self._is_in_head, self._num_head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()


class JoiningTransport(asyncio.Transport):
    """Sends what is written in one turn of the loop at once.

    uvicorn writes an answer's head and its body apart: the client would be woken for each.

    Args:
        transport: What sends.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send soon."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(bytes(data))

    def write_now(self, data: bytes) -> None:
        """Send at once, after what waits."""
        self._parts.append(data)
        self._flush()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def close(self) -> None:
        """Send what waits, then close."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell something about what sends."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()
