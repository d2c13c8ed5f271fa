"""Launches a job's workers, one on each of its nodes, through Ray; importing it imports neither torch nor Ray."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from steelyard.training.agent import WorkerAgent, WorkerSpec
from steelyard.training.worker import WorkerReport

_REPORT_WAIT_S = 20.0
_STOP_GRACE_S = 3.0
_LOST_WAIT_S = 30.0
_START_TIMEOUT_S = 60.0
_NUM_LAST_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A node that a worker of a job runs on.

    Attributes:
        node_id: Instance id.
        private_ip: Private IPv4 address.
        ray_node_id: Ray's id of it, in hex.
        imitated_speed: Relative speed to imitate; None where nothing is imitated.
    """

    node_id: str
    private_ip: str
    ray_node_id: str
    imitated_speed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A job as the launcher takes it.

    Attributes:
        run_id: The job's id.
        script: Path of the script in the package.
        args: The script's arguments.
        package: The archive that holds the script.
        balance: `speed` or `equal`.
        placements: The nodes, in the order of their ranks.
        environment: What the job adds to the environment.
        min_workers: How few workers may go on where some are lost; None where none may be.
    """

    run_id: str
    script: str
    args: Sequence[str]
    package: bytes
    balance: str
    placements: Sequence[Placement]
    environment: Mapping[str, str] = field(default_factory=dict)
    min_workers: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job's workers ended.

    Attributes:
        exit_codes: By rank; None for a worker whose node was lost or that was never started.
        exit_code: That of the first worker that failed, 0 where none did, None where a node was lost.
        error: What went wrong, in words; None where nothing did.
    """

    exit_codes: Sequence[int | None]
    exit_code: int | None
    error: str | None


class Sink(Protocol):
    """Where a job's output goes."""

    def write_lines(self, rank: int, lines: Sequence[str]) -> None:
        """Take lines of one worker's output."""

    def write_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take training events of rank 0."""


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

    def forget(self, placement: Placement) -> None:
        """Drop a node's agent, which has died or is to die."""
        import ray

        agent = self._agents.pop(placement.ray_node_id, None)
        if agent is not None:
            ray.kill(agent)

    def _start(self, placement: Placement) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(placement.ray_node_id, soft=False)
        actor = ray.remote(WorkerAgent).options(
            num_cpus=0, max_restarts=-1, max_concurrency=64, scheduling_strategy=strategy
        )
        return actor.remote(placement.private_ip)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one worker ended: with an exit code, or with its node lost.

    Attributes:
        rank: Its rank.
        exit_code: None where its node was lost.
        reason: What is known of that.
    """

    rank: int
    exit_code: int | None
    reason: str = ""


class WorkerGroup:
    """The workers of one job.

    The first that fails ends the others; a lost node fails the job.

    Args:
        launch: The job.
        pool: The nodes' agents.
        sink: Where output and events go.
    """

    def __init__(self, launch: Launch, pool: AgentPool, sink: Sink) -> None:
        self._launch = launch
        self._pool = pool
        self._sink = sink
        self._agents: list[Any] = []
        self._last_lines = [deque[str](maxlen=_NUM_LAST_LINES) for _ in launch.placements]
        self._is_stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask all workers to end; `run` then returns soon."""
        self._is_stopping.set()

    async def release(self, node_id: str) -> bool:
        """Give a node back; returns whether the job goes on without it, which one with a fixed team does not."""
        del node_id
        return False

    async def run(self) -> Outcome:
        """Start the workers and wait for their end."""
        self._agents = [self._pool.agent(placement) for placement in self._launch.placements]
        failure = await self._start_workers()
        if failure is not None:
            await self._stop_workers()
            return self._outcome([failure], failure)
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
            endings += await self._end_rest(pending & follows)
        finally:
            stopping.cancel()
        first = next((ending for ending in endings if ending.exit_code != 0), None)
        lost = next((ending for ending in endings if ending.exit_code is None), None)
        return self._outcome(endings, lost or first)  # peers of a lost node fail before Ray misses it

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
        )

    async def _follow(self, rank: int) -> Ending:
        import ray

        agent = self._agents[rank]
        while True:
            try:
                report: WorkerReport = await agent.read.remote(self._launch.run_id, _REPORT_WAIT_S)
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

    async def _stop_workers(self, ranks: Sequence[int] | None = None) -> None:
        agents = self._agents if ranks is None else [self._agents[rank] for rank in ranks]
        calls = [_answer(agent.stop.remote(self._launch.run_id, _STOP_GRACE_S)) for agent in agents]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), _LOST_WAIT_S)

    def _lost(self, rank: int, error: BaseException) -> Ending:
        import ray

        placement = self._launch.placements[rank]
        if isinstance(error, ray.exceptions.RayTaskError):
            cause = getattr(error, "cause", error)
            return Ending(rank=rank, exit_code=None, reason=f"{_named(rank, placement)}: {cause}")
        self._pool.forget(placement)
        reason = f"{_named(rank, placement)} was lost: the node or Ray on it ended ({type(error).__name__})"
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
        how = _words_for(ending.exit_code)
        return f"{_named(ending.rank, placement)} {how}" + (f": {last_line.strip()}" if last_line else "")


async def _answer(reference: Any) -> Any:
    """Await a Ray reference as a coroutine, which `asyncio.wait_for` and `gather` ask for."""
    return await reference


def _named(rank: int, placement: Placement) -> str:
    return f"rank {rank} on node {placement.node_id}"


def _words_for(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
