from __future__ import annotations

import asyncio
import gc
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from steelyard.localcloud.certificate import server_context
from steelyard.localcloud.door.front import Front


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Let nothing be freed that is not freed by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def nobody(scope: object, receive: object, send: object) -> None:
    raise AssertionError("no request came")


def num_protocols() -> int:
    # Not `isinstance`, which asks the class of each object of every test before, proxies among them.
    return sum(type(one) is SSLProtocol for one in gc.get_objects())


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("hello", [b"\x16\x03\x01 no hello", b"\x16"])
def test_a_handshake_that_fails_leaves_no_memory_behind(tmp_path: Path, hello: bytes) -> None:
    """Each has a buffer of 256 KiB; some hundreds of them waited for the garbage collector."""

    async def greet(front: Front, listener: socket.socket) -> None:
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(hello)
        connection, _ = listener.accept()
        connection.setblocking(False)
        await front._greet(connection)

    async def run() -> int:
        front = Front(uvicorn.Config(nobody), server_context(tmp_path), lambda request: None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for _ in range(5):
                await greet(front, listener)
        await asyncio.sleep(0)
        return num_protocols()

    before = num_protocols()
    assert asyncio.run(run()) == before
