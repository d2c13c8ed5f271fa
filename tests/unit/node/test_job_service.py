from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steelyard.node.job.queue import placement_of
from steelyard.node.job.service import JobService
from steelyard.node.job.store import JobStore
from steelyard.node.packing import pack_files
from steelyard.training.launch import spread

PACKAGE = base64.b64encode(pack_files({"a.py": "pass"})).decode()


def fields(index: int, **changes: Any) -> dict[str, Any]:
    return {"id": f"job-{index:012x}", "name": "j", "script": "a.py", "accepted_by": "i-0", **changes}


async def state_of(service: JobService, index: int) -> str:
    return (await service.job(fields(index)["id"]))["state"]


def test_what_was_acknowledged_is_there_after_a_restart(bench: Callable[..., Any], tmp_path: Path) -> None:
    async def story() -> None:
        async with bench() as it:
            for index in range(3):
                await it.service.submit(fields(index), PACKAGE)
            await it.group(fields(0)["id"])

            again = JobService(JobStore(tmp_path / "jobs"), it.cluster, lambda: datetime.now(UTC))
            assert [await state_of(again, index) for index in range(3)] == ["failed", "queued", "queued"]
            error = (await again.job(fields(0)["id"]))["error"]
            assert error == "the job queue was restarted while the job ran, which ended its workers"

    asyncio.run(story())


def test_a_submission_that_is_repeated_is_taken_once(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            await it.service.submit(fields(1), PACKAGE)
            await it.service.submit(fields(1), PACKAGE)
            assert len(await it.service.jobs()) == 1

    asyncio.run(story())


def test_a_drained_node_gets_no_more_jobs_and_its_running_one_fails_with_the_reason(
    bench: Callable[..., Any],
) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1), PACKAGE)
            await it.group(fields(1)["id"])
            await it.service.drain("i-1")
            job = await it.service.job(fields(1)["id"])
            assert (job["state"], job["error"]) == ("failed", "node i-1 was stopped while the job ran on it")

            await it.service.submit(fields(2), PACKAGE)
            group = await it.group(fields(2)["id"])
            assert [node.node_id for node in group.nodes] == ["i-0"]
            assert [node["is_alive"] for node in await it.service.nodes()] == [True, False]

    asyncio.run(story())


def test_a_node_that_retires_gets_no_more_jobs_and_keeps_its_running_one_to_the_end(
    bench: Callable[..., Any],
) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1), PACKAGE)
            group = await it.group(fields(1)["id"])
            assert await it.service.retire("i-1") == [fields(1)["id"]]
            assert (await it.service.job(fields(1)["id"]))["state"] == "running"
            group.succeed()
            await it.service.submit(fields(2), PACKAGE)
            assert [node.node_id for node in (await it.group(fields(2)["id"])).nodes] == ["i-0"]
            assert await it.service.retire("i-1") == []

    asyncio.run(story())


def test_a_job_may_come_to_its_end_in_the_time_that_a_notice_leaves(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1), PACKAGE)
            group = await it.group(fields(1)["id"])
            draining = asyncio.create_task(it.service.drain("i-1", grace_s=3600))
            await it.wait_for(lambda: group.released == ["i-1"])
            group.succeed()
            await asyncio.wait_for(draining, 60)
            assert await state_of(it.service, 1) == "succeeded"

            await it.service.submit(fields(2, num_nodes=1), PACKAGE)
            await it.group(fields(2)["id"])
            await it.service.drain("i-0", grace_s=3.1)
            assert await state_of(it.service, 2) == "failed"

    asyncio.run(story())


def test_a_queued_job_is_cancelled_before_it_starts(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            await it.service.submit(fields(1), PACKAGE)
            first = await it.group(fields(1)["id"])
            await it.service.submit(fields(2), PACKAGE)
            assert (await it.service.cancel(fields(2)["id"]))["state"] == "cancelled"
            first.succeed()
            await it.service.submit(fields(3), PACKAGE)
            await it.group(fields(3)["id"])
            assert fields(2)["id"] not in it.cluster.groups

    asyncio.run(story())


def test_a_job_whose_nodes_stay_away_fails_after_a_while(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1, num_nodes=2), PACKAGE)
            running = await it.group(fields(1)["id"])
            await it.service.submit(fields(2, num_nodes=2), PACKAGE)
            it.cluster.listed.pop()
            running.succeed()
            await it.wait_for(lambda: bool(it.service._unsatisfied_since))
            it.clock.advance(121)
            it.service._wake.set()
            await it.wait_for(lambda: not it.service._unsatisfied_since)
            job = await it.service.job(fields(2)["id"])
            assert (job["state"], job["error"]) == (
                "failed",
                "waited 121 s for its nodes: 2 nodes are asked for, 1 are alive",
            )

    asyncio.run(story())


def test_a_node_is_made_ready_the_first_time_its_gateway_calls(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            for ray_node_id in ("ray-0", "ray-1", "ray-0", "ray-unknown"):
                await it.service.ping(ray_node_id)
            assert it.cluster.prepared == ["i-0", "i-1"]

    asyncio.run(story())


def test_a_node_that_stops_is_given_back_by_an_elastic_job_which_goes_on(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1, num_nodes=2, min_nodes=1), PACKAGE)
            group = await it.group(fields(1)["id"])
            group.is_elastic = True
            await it.service.drain("i-1")
            assert group.released == ["i-1"]
            assert (await it.service.job(fields(1)["id"]))["state"] == "running"
            group.succeed()

    asyncio.run(story())


def test_the_folders_of_jobs_are_for_their_owner_alone(bench: Callable[..., Any], tmp_path: Path) -> None:
    async def story() -> None:
        async with bench() as it:
            await it.service.submit(fields(1), PACKAGE)
            group = await it.group(fields(1)["id"])
            group.sink.write_lines(0, ["hello"])
            for path in (tmp_path / "jobs").rglob("*"):
                assert path.stat().st_mode & 0o077 == 0, path
            group.succeed()

    asyncio.run(story())


def test_a_running_job_is_given_a_node_that_comes_later_and_tells_where_its_workers_are(
    bench: Callable[..., Any],
) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1, num_nodes=3, min_nodes=1), PACKAGE)
            group = await it.group(fields(1)["id"])
            assert await group.fleet.claim(1) == []
            it.add_node(2)
            (newcomer,) = await group.fleet.claim(1)
            assert newcomer.node_id == "i-2"
            assert await group.fleet.claim(1) == []  # it is the job's own by now
            assert await it.service.job(fields(1)["id"]) == json_of(it, fields(1)["id"])

            await group.fleet.settle(spread([placement_of(it.cluster.listed[2])], 2))
            nodes = (await it.service.job(fields(1)["id"]))["nodes"]
            assert [(node["node_id"], node["rank"], node["local_rank"]) for node in nodes] == [
                ("i-2", 0, 0),
                ("i-2", 1, 1),
            ]
            await it.service.submit(fields(2, num_nodes=2), PACKAGE)  # the other two are free
            assert [node.node_id for node in (await it.group(fields(2)["id"])).nodes] == ["i-0", "i-1"]

    asyncio.run(story())


def json_of(it: Any, job_id: str) -> dict[str, Any]:
    """Return a job's record as its file holds it."""
    record = next(each for each in it.service._store.load() if each.id == job_id)
    return record.to_json()


def test_a_running_job_takes_no_node_that_another_one_waits_for(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=2) as it:
            await it.service.submit(fields(1, num_nodes=3, min_nodes=1), PACKAGE)
            group = await it.group(fields(1)["id"])
            await it.service.submit(fields(2, num_nodes=2), PACKAGE)
            it.add_node(2)
            assert await group.fleet.claim(1) == []

    asyncio.run(story())


def test_a_dedicated_head_is_listed_and_gets_no_workers(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench(num_nodes=3) as it:
            it.cluster.listed[0] = replace(it.cluster.listed[0], takes_work=False)
            await it.service.submit(fields(1), PACKAGE)
            group = await it.group(fields(1)["id"])
            assert [node.node_id for node in group.nodes] == ["i-1", "i-2"]
            nodes = await it.service.nodes()
            assert [(node["node_id"], node["takes_work"]) for node in nodes] == [
                ("i-0", False),
                ("i-1", True),
                ("i-2", True),
            ]

    asyncio.run(story())
