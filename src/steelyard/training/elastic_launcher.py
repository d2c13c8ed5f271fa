"""Launches the workers of an elastic job: the job goes on while enough of them live."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from steelyard.training.agent import WorkerSpec
from steelyard.training.elastic_environment import DEFAULT_PEER_TIMEOUT_S
from steelyard.training.launcher import AgentPool, Ending, Launch, Outcome, Placement, Sink, WorkerGroup
from steelyard.training.lighthouse import LighthouseProcess
from steelyard.training.retry import Cause, RetryBudget, cause_of

_LOOK_PAUSE_S = 0.2
_LOCATE_PAUSE_S = 1.0
_START_TIMEOUT_S = 60.0
_PATIENCE_S = 300.0
_FINISH_WAIT_S = 30.0

Locate = Callable[[str], Awaitable[Placement | None]]
"""Gives a node by its id as it is now, or None while it is not alive."""


class ElasticGroup(WorkerGroup):
    """The workers of a job that goes on without those it loses, and takes them in again.

    Args:
        launch: The job; `Launch.min_workers` says how few may go on.
        pool: The nodes' agents.
        sink: Where output and events go.
        address: Address of the node that this runs on, for the lighthouse.
        locate: Finds a node that was lost.
    """

    def __init__(self, launch: Launch, pool: AgentPool, sink: Sink, *, address: str, locate: Locate) -> None:
        super().__init__(launch, pool, sink)
        self._lighthouse = LighthouseProcess(
            address,
            _free_port(address),
            min_workers=launch.min_workers or 1,
            join_timeout_s=DEFAULT_PEER_TIMEOUT_S,
        )
        self._locate = locate
        self._budget = RetryBudget()
        self._num_restarts = 0
        self._endings: dict[int, Ending] = {}
        self._follows: dict[asyncio.Task[Any], int] = {}
        self._restarts: dict[asyncio.Task[Any], int] = {}
        self._released: set[str] = set()

    async def run(self) -> Outcome:
        """Start the workers and keep them going until they have ended."""
        self._lighthouse.start()
        try:
            return await self._run()
        finally:
            for task in [*self._follows, *self._restarts]:
                task.cancel()
            self._lighthouse.stop()

    async def release(self, node_id: str) -> bool:
        """End the worker of a node that is given back; the others go on."""
        for rank, placement in enumerate(self._launch.placements):
            if placement.node_id == node_id:
                self._released.add(placement.ray_node_id)
                await self._stop_workers([rank])
        return True

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
                is_few = len(self._follows) < (self._launch.min_workers or 1)
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
        for task in [task for task in self._follows if task.done()]:
            rank = self._follows.pop(task)
            ending = self._endings[rank] = task.result()
            placement = self._launch.placements[rank]
            cause = cause_of(ending.exit_code, is_released=placement.ray_node_id in self._released)
            if cause is Cause.DONE:
                continue
            self._sink.write_lines(rank, [f"steelyard: {self._words(ending)} ({cause}); the others go on"])
            if not self._budget.allows(cause) or not self._follows:
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
        is_done = self._has_finished()
        for ending in rest:
            self._endings[ending.rank] = ending
            if is_done and failure is None and cause_of(ending.exit_code) is Cause.USER:
                failure = ending
        if failure is None and not is_done:
            failure = next((each for each in self._endings.values() if each.exit_code != 0), None)
        return self._outcome(list(self._endings.values()), failure)

    async def _restart(self, rank: int) -> None:
        """Start a worker again, once its node is there."""
        import ray

        node_id = self._launch.placements[rank].node_id
        self._num_restarts += 1
        restart_count = self._num_restarts
        while True:
            await asyncio.sleep(_LOCATE_PAUSE_S)
            placement = await self._locate(node_id)
            if placement is None or placement.ray_node_id in self._released:
                continue
            placements = list(self._launch.placements)
            placements[rank] = placement
            self._launch = dataclasses.replace(self._launch, placements=placements)
            self._agents[rank] = self._pool.agent(placement)
            spec = dataclasses.replace(self._spec(rank, 0), restart_count=restart_count)
            try:
                async with asyncio.timeout(_START_TIMEOUT_S):
                    await self._agents[rank].start.remote(spec, ray.put(self._launch.package))
            except (ray.exceptions.RayError, TimeoutError):
                self._pool.forget(placement)
                continue
            return

    def _spec(self, rank: int, port: int) -> WorkerSpec:
        spec = super()._spec(rank, port)
        return dataclasses.replace(
            spec, lighthouse=self._lighthouse.address, min_workers=self._launch.min_workers or 1
        )

    def _follow_task(self, rank: int) -> None:
        self._follows[asyncio.create_task(self._follow(rank))] = rank


def _free_port(address: str) -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
