"""Launches the workers of an elastic job: the job goes on while enough of them live."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from typing import Any

from steelyard.training.agent import WorkerSpec
from steelyard.training.elastic_environment import DEFAULT_PEER_TIMEOUT_S
from steelyard.training.launch import Ending, Fleet, Launch, Outcome, Placement, Sink, spread
from steelyard.training.launcher import AgentPool, WorkerGroup
from steelyard.training.lighthouse import LighthouseProcess
from steelyard.training.port import free_port
from steelyard.training.retry import Cause, RetryBudget, cause_of

_LOOK_PAUSE_S = 0.2
_LOCATE_PAUSE_S = 1.0
_GROW_PAUSE_S = 2.0
_START_TIMEOUT_S = 60.0
_PATIENCE_S = 300.0
_FINISH_WAIT_S = 30.0


class ElasticGroup(WorkerGroup):
    """The workers of a job that goes on without those it loses, takes them in again, and takes in new nodes.

    Where all are lost and the job has checkpoints, all are started anew from the newest one.

    Args:
        launch: The job; `Launch.min_nodes` says how few nodes may go on, `Launch.max_nodes` how many it takes.
        pool: The nodes' agents.
        sink: Where output and events go.
        fleet: The cluster's nodes.
        address: Address of the node that this runs on, for the lighthouse.
    """

    def __init__(self, launch: Launch, pool: AgentPool, sink: Sink, fleet: Fleet, *, address: str) -> None:
        super().__init__(launch, pool, sink, fleet)
        self._lighthouse = LighthouseProcess(
            address,
            free_port(),
            min_workers=launch.min_workers,
            join_timeout_s=launch.peer_timeout_s or DEFAULT_PEER_TIMEOUT_S,
        )
        self._budget = RetryBudget()
        self._num_restarts = 0
        self._are_all_lost = False
        self._endings: dict[int, Ending] = {}
        self._follows: dict[asyncio.Task[Any], int] = {}
        self._restarts: dict[asyncio.Task[Any], int] = {}
        self._starts: dict[int, asyncio.Future[None]] = {}

    async def release(self, node_id: str, grace_s: float) -> bool:
        """End the workers of a node that is given back; the others go on."""
        await self._stop_workers(self._note_release(node_id), grace_s=grace_s)
        return True

    async def _run_once(self) -> tuple[Outcome, Cause | None]:
        self._endings, self._are_all_lost = {}, False
        self._lighthouse.start()
        growth = asyncio.create_task(self._grow())
        try:
            outcome = await self._run()
        finally:
            for task in [growth, *self._follows, *self._restarts]:
                task.cancel()
            await asyncio.gather(growth, return_exceptions=True)
            self._lighthouse.stop()
        last = next(reversed(self._endings.values()), None)
        self._follows, self._restarts, self._starts = {}, {}, {}
        return outcome, self._cause_of(last) if self._are_all_lost and last is not None else None

    async def _run(self) -> Outcome:
        self._agents = [self._pool.agent(placement) for placement in self._launch.placements]
        failure = await self._start_workers()
        if failure is not None:
            await self._stop_workers()
            return self._outcome([failure], failure)
        for rank in range(len(self._agents)):
            self._follow_task(rank)
        stopping = asyncio.create_task(self._is_stopping.wait())
        failure = None
        few_since_s: float | None = None
        try:
            while failure is None and self._follows and not self._is_stopping.is_set():
                await asyncio.wait(
                    {*self._follows, *self._restarts, stopping},
                    timeout=_LOOK_PAUSE_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._lighthouse.start()  # where it has died; a job goes on as soon as it answers again
                failure = self._take_endings()
                if self._has_finished():
                    break
                is_few = len(self._follows) < (self._launch.min_workers)
                few_since_s = (few_since_s or time.monotonic()) if is_few else None
                if few_since_s is not None and time.monotonic() - few_since_s > _PATIENCE_S:
                    failure = self._too_few()
        finally:
            stopping.cancel()
        return await self._end(failure)

    def _take_endings(self) -> Ending | None:
        """Take note of what has ended or begun; returns what fails the job."""
        for task in [task for task in self._restarts if task.done()]:
            rank = self._restarts.pop(task)
            self._follow_task(rank)
        endings = [task.result() for task in self._follows if task.done()]
        self._follows = {task: rank for task, rank in self._follows.items() if not task.done()}
        self._endings |= {ending.rank: ending for ending in endings}
        if self._has_finished():
            return None
        for ending in endings:
            rank, cause = ending.rank, self._cause_of(ending)
            self._are_all_lost = not self._follows
            if self._are_all_lost:
                return ending
            self._tell(rank, f"{self._words(ending)} ({cause}); the others go on")
            if not self._budget.allows(cause):
                return ending
            self._restarts[asyncio.create_task(self._restart(rank))] = rank
        return None

    def _has_finished(self) -> bool:
        return any(ending.exit_code == 0 for ending in self._endings.values())

    def _too_few(self) -> Ending:
        last = next(reversed(self._endings.values()))
        reason = (
            f"{len(self._follows)} of at least {self._launch.min_workers} workers lived for {_PATIENCE_S:.0f} s:"
            f" {self._words(last)}"
        )
        return Ending(rank=last.rank, exit_code=None, reason=reason)

    async def _end(self, failure: Ending | None) -> Outcome:
        """End what is left: gently where the job is done, for the others are at its last step too."""
        for task in self._restarts:
            task.cancel()
        if failure is None and self._follows and not self._is_stopping.is_set():
            await asyncio.wait(self._follows, timeout=_FINISH_WAIT_S)
        rest = await self._end_rest(set(self._follows))
        await self._end_starts()
        is_done = self._has_finished()
        for ending in rest:
            self._endings[ending.rank] = ending
            if is_done and failure is None and cause_of(ending.exit_code) is Cause.USER:
                failure = ending
        if failure is None and not is_done:
            failure = next((each for each in self._endings.values() if each.exit_code != 0), None)
        return self._outcome(list(self._endings.values()), failure)

    async def _end_starts(self) -> None:
        """End workers that are being started: their agents start them, whether anybody waits for it or not."""
        if not self._starts:
            return
        with contextlib.suppress(TimeoutError):
            starts = asyncio.gather(*self._starts.values(), return_exceptions=True)
            await asyncio.wait_for(starts, _FINISH_WAIT_S)
        await self._stop_workers(tuple(self._starts), grace_s=0.0)

    async def _restart(self, rank: int) -> None:
        """Start a worker, once its node is there and the job has room for it."""
        import ray

        node_id = self._launch.placements[rank].node_id
        self._num_restarts += 1
        restart_count = self._num_restarts
        while True:
            await asyncio.sleep(_LOCATE_PAUSE_S)
            found = await self._fleet.locate(node_id)
            if found is None or found.ray_node_id in self._released or not self._has_room_for(node_id):
                continue
            placements = list(self._launch.placements)
            placement = placements[rank] = dataclasses.replace(
                placements[rank], private_ip=found.private_ip, ray_node_id=found.ray_node_id
            )
            self._launch = dataclasses.replace(self._launch, placements=placements)
            self._agents[rank] = self._pool.agent(placement)
            spec = dataclasses.replace(self._spec(rank, 0), restart_count=restart_count)
            package = ray.put(self._launch.package)
            start = self._starts[rank] = asyncio.ensure_future(self._agents[rank].start.remote(spec, package))
            try:
                async with asyncio.timeout(_START_TIMEOUT_S):
                    await asyncio.shield(start)
            except (ray.exceptions.RayError, TimeoutError):
                self._pool.forget(placement, self._agents[rank])
                continue
            del self._starts[rank]
            return

    async def _grow(self) -> None:
        """Take in nodes that are free, up to as many as the job takes, until a worker has come to the job's end."""
        most = self._launch.max_nodes
        while most is not None:
            await asyncio.sleep(_GROW_PAUSE_S)
            count = most - len(self._live_nodes())
            if not self._follows or count <= 0 or self._has_finished():
                continue
            first = 1 + max(placement.group_rank for placement in self._launch.placements)
            nodes = await self._fleet.claim(count)
            if nodes:
                self._take_in(spread(nodes, self._launch.nproc_per_node, first_group=first))
                await self._fleet.settle(self._launch.placements)

    def _take_in(self, newcomers: list[Placement]) -> None:
        begin = len(self._launch.placements)
        placements = [*self._launch.placements, *newcomers]
        self._launch = dataclasses.replace(self._launch, placements=placements)
        for rank, placement in enumerate(newcomers, start=begin):
            self._agents.append(self._pool.agent(placement))
            self._last_lines.append(deque(maxlen=self._last_lines[0].maxlen))
            self._tell(rank, f"node {placement.node_id} is taken in")
            self._restarts[asyncio.create_task(self._restart(rank))] = rank

    def _live_nodes(self) -> set[str]:
        """Return the nodes of workers that live, or that are being started again where they were."""
        coming = {
            rank
            for rank in self._restarts.values()
            if rank not in self._endings or self._endings[rank].exit_code is not None
        }
        placements = [self._launch.placements[rank] for rank in coming.union(self._follows.values())]
        return {each.node_id for each in placements if each.ray_node_id not in self._released}

    def _has_room_for(self, node_id: str) -> bool:
        most = self._launch.max_nodes
        return most is None or len(self._live_nodes() - {node_id}) < most

    def _spec(self, rank: int, port: int) -> WorkerSpec:
        return dataclasses.replace(
            super()._spec(rank, port),
            lighthouse=self._lighthouse.address,
            min_workers=self._launch.min_workers,
            restart_count=0,
        )

    def _follow_task(self, rank: int) -> None:
        self._follows[asyncio.create_task(self._follow(rank))] = rank
