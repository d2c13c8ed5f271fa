"""What is cancelled in the very moment in which that comes which it waits for ends all the same."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from steelyard.node.health import Health
from steelyard.node.job.service import JobService
from steelyard.node.job.store import JobStore
from steelyard.node.ray_bridge import Bridge, BridgeConfig
from steelyard.node.ray_cluster import RayConfig
from steelyard.node.ray_process import RayProcess

NUM_TURNS = 8
"""Turns of the loop from the news to the cancellation, one more in each try: one of them meets the moment."""

CONFIG = BridgeConfig(
    ray=RayConfig(
        role="head",
        address="127.0.1.10",
        head_address="127.0.1.10",
        temp_dir="/nowhere",
        labels={},
        shares_machine=True,
    ),
    data_dir="/nowhere",
)

Work = Callable[[], Coroutine[Any, Any, Any]]


@asynccontextmanager
async def connection() -> AsyncIterator[asyncio.StreamWriter]:
    ours, theirs = socket.socketpair()
    with theirs:
        _, writer = await asyncio.open_connection(sock=ours)
        yield writer
        writer.close()
        await writer.wait_closed()


async def cancel_at_the_news(work: Work, tell: Callable[[], None], num_turns: int) -> None:
    """Begin, tell what is waited for, and cancel so many turns of the loop later."""
    task = asyncio.create_task(work())
    for _ in range(NUM_TURNS):
        await asyncio.sleep(0)
    tell()
    for _ in range(num_turns):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(30):
        await asyncio.wait({task})
    assert num_turns or task.cancelled()


def test_a_call_of_the_job_queue_whose_answer_comes() -> None:
    async def story() -> None:
        async with connection() as writer:
            process = RayProcess(CONFIG, {}, Health())
            process._writer = writer
            call = lambda: process.call("running")  # noqa: E731
            await cancel_at_the_news(call, lambda: process._give({"id": 1, "result": []}), 0)

    asyncio.run(story())


@pytest.mark.parametrize("num_turns", range(NUM_TURNS))
def test_the_planning_of_jobs_that_is_woken(
    bench: Callable[..., Any], tmp_path: Path, num_turns: int
) -> None:
    async def story() -> None:
        async with bench(num_nodes=0) as it:
            service = JobService(JobStore(tmp_path / "others"), it.cluster, it.clock)
            await service.submit({"id": f"job-{0:012x}", "name": "j", "script": "a", "accepted_by": "i"}, "")
            await cancel_at_the_news(service.run, service._wake.set, num_turns)

    asyncio.run(story())


@pytest.mark.parametrize("num_turns", range(NUM_TURNS))
def test_the_watch_over_a_job_queue_that_answers(num_turns: int) -> None:
    async def story() -> None:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        ours, theirs = socket.socketpair()
        async with connection() as writer:
            with ours, theirs:
                bridge = Bridge(CONFIG, ours)
                bridge._writer = writer
                bridge._node = SimpleNamespace(node_id="ray-0", dead_processes=tuple)
                bridge._queue = SimpleNamespace(call=SimpleNamespace(remote=lambda *_: answer))
                await cancel_at_the_news(bridge._watch, lambda: answer.set_result({}), num_turns)

    asyncio.run(story())
