"""Launches a job's workers on its nodes, through Ray; importing it imports neither torch nor Ray."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from steelyard.training.agent import WorkerAgent, WorkerSpec
from steelyard.training.launch import (
    Ending,
    Fleet,
    Launch,
    Outcome,
    Placement,
    Sink,
    named,
    spread,
    words_for,
)
from steelyard.training.retry import Cause, RetryBudget, cause_of
from steelyard.training.worker import WorkerReport

STOP_GRACE_S = 3.0
"""How long workers that are asked to end may take for it, where nothing else is said."""

_REPORT_WAIT_S = 20.0
_LOST_WAIT_S = 30.0
_START_TIMEOUT_S = 60.0
_NUM_LAST_LINES = 20
_SETTLE_S = 1.0
_PLACE_PAUSE_S = 1.0
_PLACE_TIMEOUT_S = 120.0


class AgentPool:
    """The agents of the cluster's nodes, started once and kept."""

    def __init__(self) -> None:
        self._agents: dict[str, Any] = {}

    def agent(self, placement: Placement) -> Any:
        """Return a node's agent, started where it is not there; it may not have come up yet."""
        agent = self._agents.get(placement.ray_node_id)
        if agent is None:
            agent = self._agents[placement.ray_node_id] = self._start(placement)
        return agent

    def forget(self, placement: Placement, agent: Any) -> None:
        """Drop a node's agent, which has died or is to die; one that has taken its place is left alone."""
        import ray

        if self._agents.get(placement.ray_node_id) is agent:
            ray.kill(self._agents.pop(placement.ray_node_id))

    def _start(self, placement: Placement) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(placement.ray_node_id, soft=False)
        actor = ray.remote(WorkerAgent).options(
            num_cpus=0, max_restarts=-1, max_concurrency=64, scheduling_strategy=strategy
        )
        return actor.remote(placement.private_ip)


class WorkerGroup:
    """The workers of one job, a fixed set.

    The first that fails ends the others, and so does a lost node. Where the job has checkpoints, all are then started
    anew and go on from the newest one, as often as the retry budget allows.

    Args:
        launch: The job.
        pool: The nodes' agents.
        sink: Where output and events go.
        fleet: The cluster's nodes.
    """

    def __init__(self, launch: Launch, pool: AgentPool, sink: Sink, fleet: Fleet) -> None:
        self._launch = launch
        self._pool = pool
        self._sink = sink
        self._fleet = fleet
        self._agents: list[Any] = []
        self._last_lines = [deque[str](maxlen=_NUM_LAST_LINES) for _ in launch.placements]
        self._is_stopping = asyncio.Event()
        self._released: set[str] = set()
        self._attempts = RetryBudget()
        self._attempt = 0

    def stop(self) -> None:
        """Ask all workers to end; `run` then returns soon."""
        self._is_stopping.set()

    async def release(self, node_id: str, grace_s: float) -> bool:
        """Give a node back: its workers end with the step they are in.

        Args:
            node_id: The node.
            grace_s: How long they may take for it, in seconds.

        Returns:
            Whether the job goes on without it. One with a fixed set of workers does so from its checkpoint.
        """
        if not self._launch.is_resumable:
            return False
        ranks = self._note_release(node_id)
        if ranks:
            # Workers of a fixed set tell each other and leave after the same step.
            await self._stop_workers(ranks, grace_s=grace_s)
        return True

    async def run(self) -> Outcome:
        """Start the workers, wait for their end, and start them anew where that may help."""
        while True:
            outcome, cause = await self._run_once()
            if outcome.error is None or cause is None or self._is_stopping.is_set():
                return outcome
            if not self._launch.is_resumable or not self._attempts.allows(cause):
                return outcome
            self._tell(0, f"{outcome.error} ({cause}); all go on from the newest checkpoint")
            if not await self._place_anew():
                return outcome
            self._attempt += 1

    async def _run_once(self) -> tuple[Outcome, Cause | None]:
        """Run the workers to their end; returns the cause of a failure too."""
        self._agents = [self._pool.agent(placement) for placement in self._launch.placements]
        failure = await self._start_workers()
        if failure is not None:
            await self._stop_workers()
            return self._outcome([failure], failure), Cause.INFRASTRUCTURE
        follows = {asyncio.create_task(self._follow(rank)) for rank in range(len(self._agents))}
        stopping = asyncio.create_task(self._is_stopping.wait())
        endings: list[Ending] = []
        pending: set[asyncio.Task[Any]] = {*follows, stopping}
        try:
            while pending & follows and not self._is_stopping.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                endings += [task.result() for task in done & follows]
                if any(ending.exit_code != 0 for ending in endings):
                    break
            if pending & follows and not self._is_stopping.is_set():
                # What a killed worker does to its peers may be seen before its own end; who leaves, leaves together.
                done, pending = await asyncio.wait(pending & follows, timeout=_SETTLE_S)
                endings += [task.result() for task in done]
            own = list(endings)
            endings += await self._end_rest(pending & follows)
        finally:
            stopping.cancel()
        failure = self._first_failure(own, endings)
        return self._outcome(endings, failure), self._cause(failure, own)

    def _first_failure(self, own: Sequence[Ending], endings: Sequence[Ending]) -> Ending | None:
        """Return the ending that explains the others: a lost node, a killed worker, else the first that failed.

        Args:
            own: Endings that nobody here asked for, in their order.
            endings: All of them.
        """
        lost = next((ending for ending in endings if ending.exit_code is None), None)
        if lost is not None:
            return lost  # peers of a lost node fail before Ray misses it
        causes = [(self._cause_of(ending), ending) for ending in own]
        for wanted in (Cause.RECLAIM, Cause.INFRASTRUCTURE, Cause.USER):
            for cause, ending in causes:
                if cause is wanted:
                    return ending
        return next((ending for ending in endings if ending.exit_code != 0), None)

    def _cause(self, failure: Ending | None, own: Sequence[Ending]) -> Cause | None:
        if failure is None or (failure.exit_code is not None and failure not in own):
            return None  # it was asked to end
        return self._cause_of(failure)

    def _cause_of(self, ending: Ending) -> Cause:
        is_released = self._launch.placements[ending.rank].ray_node_id in self._released
        return cause_of(ending.exit_code, is_released=is_released)

    async def _place_anew(self) -> bool:
        """Find nodes for all workers: those that they had, and free ones in place of those that are gone.

        A job that asked for all nodes goes on with those that are left, once nothing more is to be expected.

        Returns:
            Whether there are enough.
        """
        wanted = self._launch.num_nodes
        own = list(dict.fromkeys(placement.node_id for placement in self._launch.placements))
        claimed: list[Placement] = []
        end_s = time.monotonic() + _PLACE_TIMEOUT_S
        while not self._is_stopping.is_set():
            await asyncio.sleep(_PLACE_PAUSE_S)
            found = [each for node_id in own if (each := await self._fleet.locate(node_id)) is not None]
            kept = [each for each in found if each.ray_node_id not in self._released]
            if not self._launch.has_own_nodes and len(kept) + len(claimed) < wanted:
                claimed += await self._fleet.claim(wanted - len(kept) - len(claimed))
            nodes = [*kept, *claimed][:wanted]
            is_late = time.monotonic() > end_s
            is_known = len(found) == len(own) or time.monotonic() > end_s - _PLACE_TIMEOUT_S + _LOST_WAIT_S
            if len(nodes) == wanted or (self._launch.takes_all and nodes and is_known):
                placements = spread(nodes, self._launch.nproc_per_node)
                self._launch = dataclasses.replace(self._launch, placements=placements)
                self._last_lines = [deque(maxlen=_NUM_LAST_LINES) for _ in placements]
                await self._fleet.settle(placements)
                return True
            if is_late:
                self._tell(0, f"{len(nodes)} of {wanted} nodes came within {_PLACE_TIMEOUT_S:.0f} s")
                return False
        return False

    async def _start_workers(self) -> Ending | None:
        import ray

        reference = ray.put(self._launch.package)
        try:
            port = await asyncio.wait_for(_answer(self._agents[0].free_port.remote()), _START_TIMEOUT_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            return self._lost(0, error)
        starts = [
            asyncio.wait_for(_answer(agent.start.remote(self._spec(rank, port), reference)), _START_TIMEOUT_S)
            for rank, agent in enumerate(self._agents)
        ]
        results = await asyncio.gather(*starts, return_exceptions=True)
        for rank, result in enumerate(results):
            if isinstance(result, Exception):
                return self._lost(rank, result)
        return None

    def _spec(self, rank: int, port: int) -> WorkerSpec:
        launch, placement = self._launch, self._launch.placements[rank]
        return WorkerSpec(
            run_id=launch.run_id,
            rank=rank,
            world_size=len(launch.placements),
            master_address=launch.placements[0].private_ip,
            master_port=port,
            script=launch.script,
            args=tuple(launch.args),
            node_id=placement.node_id,
            balance=launch.balance,
            imitated_speed=placement.imitated_speed,
            environment=dict(launch.environment),
            restart_count=self._attempt,
            attempt=self._attempt,
            local_rank=placement.local_rank,
            local_world_size=placement.local_world_size,
            group_rank=placement.group_rank,
            num_groups=launch.num_nodes,
        )

    async def _follow(self, rank: int) -> Ending:
        import ray

        agent = self._agents[rank]
        while True:
            try:
                report: WorkerReport = await agent.read.remote(self._launch.run_id, rank, _REPORT_WAIT_S)
            except ray.exceptions.RayError as error:
                return self._lost(rank, error)
            if report.lines:
                self._last_lines[rank].extend(report.lines)
                self._sink.write_lines(rank, report.lines)
            if report.events:
                self._sink.write_events(report.events)
            if report.exit_code is not None:
                return Ending(rank=rank, exit_code=report.exit_code)

    async def _end_rest(self, follows: set[asyncio.Task[Any]]) -> list[Ending]:
        if not follows:
            return []
        stopping = asyncio.create_task(self._stop_workers())
        done, pending = await asyncio.wait(follows, timeout=_LOST_WAIT_S)
        for task in pending:
            task.cancel()
        stopping.cancel()
        await asyncio.gather(stopping, *pending, return_exceptions=True)
        return [task.result() for task in done]

    async def _stop_workers(
        self, ranks: Sequence[int] | None = None, *, grace_s: float = STOP_GRACE_S
    ) -> None:
        calls = [
            _answer(agent.stop.remote(self._launch.run_id, rank, grace_s))
            for rank, agent in enumerate(self._agents)  # none before the start
            if ranks is None or rank in ranks
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), grace_s + _LOST_WAIT_S)

    def _note_release(self, node_id: str) -> list[int]:
        """Take note that a node is given back; returns the ranks of its workers."""
        ranks = [
            rank for rank, placement in enumerate(self._launch.placements) if placement.node_id == node_id
        ]
        self._released |= {self._launch.placements[rank].ray_node_id for rank in ranks}
        return ranks

    def _tell(self, rank: int, words: str) -> None:
        self._sink.write_lines(rank, [f"steelyard: {words}"])

    def _lost(self, rank: int, error: BaseException) -> Ending:
        import ray

        placement = self._launch.placements[rank]
        if isinstance(error, ray.exceptions.RayTaskError):
            cause = getattr(error, "cause", error)
            return Ending(rank=rank, exit_code=None, reason=f"{named(rank, placement)}: {cause}")
        self._pool.forget(placement, self._agents[rank])
        reason = f"{named(rank, placement)} was lost: the node or Ray on it ended ({type(error).__name__})"
        return Ending(rank=rank, exit_code=None, reason=reason)

    def _outcome(self, endings: Sequence[Ending], failure: Ending | None) -> Outcome:
        by_rank = {ending.rank: ending.exit_code for ending in endings}
        exit_codes = [by_rank.get(rank) for rank in range(len(self._launch.placements))]
        if failure is None:
            return Outcome(exit_codes=exit_codes, exit_code=0, error=None)
        return Outcome(exit_codes=exit_codes, exit_code=failure.exit_code, error=self._words(failure))

    def _words(self, ending: Ending) -> str:
        """Say how a worker ended."""
        if ending.exit_code is None:
            return ending.reason
        placement = self._launch.placements[ending.rank]
        last_line = next((line for line in reversed(self._last_lines[ending.rank]) if line.strip()), "")
        how = words_for(ending.exit_code)
        return f"{named(ending.rank, placement)} {how}" + (f": {last_line.strip()}" if last_line else "")


async def _answer(reference: Any) -> Any:
    """Await a Ray reference as a coroutine, which `asyncio.wait_for` and `gather` ask for."""
    return await reference
