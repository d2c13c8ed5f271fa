"""Connections of the cloud's port, over real sockets, to an application of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from steelyard.localcloud.door.connection import MAX_HEAD_BYTES, Connection
from steelyard.localcloud.wire.message import HttpReply, WireRequest

QUICK = b"GET /?quick HTTP/1.1\r\nHost: cloud.test\r\n\r\n"
SLOW = b"GET /?slow HTTP/1.1\r\nHost: cloud.test\r\n\r\n"
BROKEN = b"GET /?broken HTTP/1.1\r\nHost: cloud.test\r\n\r\n"
IDLE_S = 600.0
BIG = 1 << 20

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def answer_now(request: WireRequest) -> HttpReply | None:
    """Answer at once but to what is slow."""
    if request.query_string == "broken":
        raise RuntimeError("a bug")
    if request.query_string == "slow":
        return None
    content = b"x" * BIG if request.query_string == "big" else b"at once"
    return HttpReply(status=200, content_type="text/plain", content=content)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock a test puts forward, so that a slow machine leaves no connection idle."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


async def let_pass(seconds: float) -> None:
    """Put the clock forward, and let all happen that is due then."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.ahead_s += seconds
    for _ in range(3):
        await asyncio.sleep(0)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(story())


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer in uvicorn's way."""
    await let_pass(IDLE_S * 1.5)
    head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]}
    await send(head)
    await send({"type": "http.response.body", "body": b"in time."})


@asynccontextmanager
async def served() -> AsyncIterator[Connect]:
    config = uvicorn.Config(application, http="httptools", ws="none", proxy_headers=False, log_config=None)
    config.load()
    config.timeout_keep_alive = IDLE_S  # type: ignore[assignment]
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, answer_now), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield lambda: asyncio.open_connection(host, port)
        for connection in list(state.connections):
            connection.shutdown()


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Give an answer's first line and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.partition(b"\r\n")[0], await reader.readexactly(length)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    return (await read_answer(reader))[1]


def test_a_connection_is_kept_for_as_long_as_it_is_used():
    async def use() -> None:
        async with served() as connect:
            reader, writer = await connect()
            assert await ask(reader, writer, SLOW) == b"in time."
            for _ in range(8):
                await let_pass(IDLE_S / 4)
                assert await ask(reader, writer, QUICK) == b"at once"
            await let_pass(IDLE_S)
            assert await reader.read() == b""
            writer.close()

    run(use)


def test_a_connection_is_kept_while_an_answer_takes_longer_than_it_may_be_idle():
    async def use() -> None:
        async with served() as connect:
            reader, writer = await connect()
            for _ in range(2):
                assert await ask(reader, writer, SLOW) == b"in time."
            writer.close()

    run(use)


def test_a_bug_answers_500_and_leaves_the_connection_standing():
    async def use() -> None:
        async with served() as connect:
            reader, writer = await connect()
            writer.write(BROKEN)
            assert (await read_answer(reader))[0] == b"HTTP/1.1 500 Internal Server Error"
            assert await ask(reader, writer, QUICK) == b"at once"
            writer.close()

    run(use)


def test_answers_that_nobody_reads_are_not_heaped_up():
    answered = 0

    async def use() -> None:
        nonlocal answered
        async with served() as connect:
            reader, writer = await connect()
            writer.transport.pause_reading()
            big = QUICK.replace(b"quick", b"big")
            for _ in range(60):
                writer.write(big)
                await asyncio.sleep(0.01)
            writer.transport.resume_reading()
            while True:
                body = (await read_answer(reader))[1]
                answered += body == b"x" * BIG
                if body == b"in time.":
                    break
            writer.close()

    run(use)
    assert 0 < answered < 60


@pytest.mark.parametrize("line", [b"x-more: " + b"a" * 8000 + b"\r\n", b"a" * 8000])
def test_a_head_that_does_not_end_is_refused_and_not_held(line: bytes) -> None:
    async def use() -> None:
        async with served() as connect:
            reader, writer = await connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: cloud.test\r\nx-long: ")
            with contextlib.suppress(ConnectionError):
                for _ in range(100 * MAX_HEAD_BYTES // len(line)):
                    writer.write(line)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            writer.close()

    run(use)


def test_a_long_head_is_read_where_it_ends() -> None:
    async def use() -> None:
        async with served() as connect:
            reader, writer = await connect()
            long = b"x-more: " + b"a" * (MAX_HEAD_BYTES // 2) + b"\r\n\r\n"
            for _ in range(3):
                assert await ask(reader, writer, SLOW.removesuffix(b"\r\n") + long) == b"in time."
            writer.close()

    run(use)
