"""What calls that cross each other do to the workers of one agent; the workers are real processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from steelyard.node.packing import pack_files
from steelyard.training.agent import WorkerAgent, WorkerSpec

DEADLINE_S = 30.0
STAYS = pack_files({"a.py": "import os, time; print(os.getpid(), flush=True); time.sleep(600)"})
ENDS = pack_files({"a.py": "print('done')"})


@pytest.fixture
def agent(tmp_path: Path) -> WorkerAgent:
    return WorkerAgent("127.0.0.1", tmp_path / "work")


def spec(run_id: str = "job-000000000001", **changes: Any) -> WorkerSpec:
    return WorkerSpec(
        **{
            "run_id": run_id,
            "rank": 0,
            "world_size": 1,
            "master_address": "127.0.0.1",
            "master_port": 4567,
            "script": "a.py",
            "args": (),
            "node_id": "i-1",
            "balance": "equal",
            **changes,
        }
    )


async def first_line(agent: WorkerAgent, run_id: str = "job-000000000001") -> str:
    while not (lines := (await agent.read(run_id, 0, DEADLINE_S)).lines):
        pass
    return lines[0]


async def exit_code(agent: WorkerAgent, run_id: str = "job-000000000001") -> int:
    while (code := (await agent.read(run_id, 0, DEADLINE_S)).exit_code) is None:
        pass
    return code


def test_a_stop_that_comes_while_a_worker_is_being_started_ends_it(agent: WorkerAgent) -> None:
    async def story() -> None:
        starting = asyncio.create_task(agent.start(spec(), STAYS))
        await asyncio.sleep(0)  # it unpacks
        assert not starting.done()
        await agent.stop("job-000000000001", 0, 0.0)
        await starting
        assert await asyncio.wait_for(exit_code(agent), DEADLINE_S) < 0

    asyncio.run(story())


def test_a_worker_that_is_started_anew_takes_the_place_of_one_that_still_runs(agent: WorkerAgent) -> None:
    async def story() -> None:
        await agent.start(spec(), STAYS)
        first = psutil.Process(int(await first_line(agent)))
        late = asyncio.create_task(agent.read("job-000000000001", 0, DEADLINE_S))
        await asyncio.sleep(0)  # it waits for news of the first one

        await agent.start(spec(attempt=1), STAYS)

        assert (await asyncio.wait_for(late, DEADLINE_S)).exit_code is not None
        assert not first.is_running()
        assert int(await first_line(agent)) != first.pid
        await agent.stop("job-000000000001", 0, 0.0)
        assert await exit_code(agent) < 0

    asyncio.run(story())


class OwnWorkers(dict[tuple[str, int], Any]):
    """Workers that tell who looks through them."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[tuple[str, int]]:
        self.threads.add(threading.current_thread())
        return super().__iter__()


def test_no_other_thread_looks_through_workers_that_come_and_go(agent: WorkerAgent) -> None:
    agent._workers = workers = OwnWorkers()

    async def story() -> None:
        for number in range(2):
            await agent.start(spec(f"job-{number:012x}"), ENDS)
            assert await exit_code(agent, f"job-{number:012x}") == 0

    asyncio.run(story())
    assert workers.threads == {threading.current_thread()}


def test_the_end_of_a_worker_is_seen_however_many_others_go_on(agent: WorkerAgent) -> None:
    async def story() -> None:
        pool = ThreadPoolExecutor(2)  # as few as a small machine has
        asyncio.get_running_loop().set_default_executor(pool)
        others = [f"job-{number:012x}" for number in range(1, 3)]
        for run_id in others:
            await agent.start(spec(run_id), STAYS)
        await asyncio.wait_for(agent.start(spec("job-00000000000a"), ENDS), DEADLINE_S)
        assert await asyncio.wait_for(exit_code(agent, "job-00000000000a"), DEADLINE_S) == 0
        for run_id in others:
            await agent.stop(run_id, 0, 0.0)
            assert await exit_code(agent, run_id) < 0

    asyncio.run(story())
