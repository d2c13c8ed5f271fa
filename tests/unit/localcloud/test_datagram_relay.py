from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from steelyard.localcloud.datagram.plan import DatagramListener, Place, Target
from steelyard.localcloud.datagram.relay import Relay

DEADLINE_S = 30.0


async def until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_servers_that_come_and_go_leave_no_memory_behind() -> None:
    """A scaling group's members pass through one listener for as long as that stands."""

    async def run(server: socket.socket, client: socket.socket) -> int:
        port = server.getsockname()[1]
        nobody = DatagramListener(name="udp", port=0, drain_timeout_s=0)
        relay = Relay([Place(address="127.0.0.1")], nobody)
        try:
            (front,) = relay._fronts.values()
            for number in range(20):
                target = Target(name=f"i-{number}", address="127.0.0.1", port=port, weight=100)
                relay.change(replace(nobody, targets=(target,)))
                client.sendto(b"hello", front.getsockname())
                await until(lambda: bool(relay._sessions))
                assert relay.statuses()[f"i-{number}"]["num_sessions"] == 1
                relay.change(nobody)
                await until(lambda: not relay._sessions)
            return len(relay._num_sessions)
        finally:
            relay.close()

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        assert asyncio.run(run(server, client)) == 0
