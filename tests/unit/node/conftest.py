"""A gateway over a job service whose nodes are imagined; everything else in it is real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from steelyard.errors import GatewayError
from steelyard.node.gateway.app import create_app
from steelyard.node.gateway.context import Gateway
from steelyard.node.gateway.counters import create_counters
from steelyard.node.health import Health
from steelyard.node.identity import Identity
from steelyard.node.job.record import ClusterNode, JobRecord
from steelyard.node.job.service import JobService
from steelyard.node.job.store import JobStore
from steelyard.training.launch import Fleet, Outcome, Sink

TOKEN = "t0ken-of-the-cluster"


def cluster_node(index: int, *, is_alive: bool = True) -> ClusterNode:
    return ClusterNode(
        node_id=f"i-{index}",
        private_ip=f"127.0.1.{10 + index}",
        instance_type="ecs.gn7i-c8g1.2xlarge",
        ray_node_id=f"ray-{index}",
        is_alive=is_alive,
    )


@dataclass
class ImaginedGroup:
    """Workers that end when a test says so, or soon after they are asked to."""

    record: JobRecord
    nodes: Sequence[ClusterNode]
    sink: Sink
    fleet: Fleet
    ended: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_elastic: bool = False
    released: list[str] = field(default_factory=list)

    async def run(self) -> Outcome:
        return await self.ended

    async def release(self, node_id: str, grace_s: float) -> bool:
        self.released.append(node_id)
        return self.is_elastic

    def stop(self) -> None:
        if not self.ended.done():
            self.ended.set_result(
                Outcome(
                    exit_codes=[-15] * len(self.nodes), exit_code=-15, error="rank 0 was ended by SIGTERM"
                )
            )

    def succeed(self) -> None:
        self.ended.set_result(Outcome(exit_codes=[0] * len(self.nodes), exit_code=0, error=None))


@dataclass
class ImaginedCluster:
    """Nodes that a test lists."""

    listed: list[ClusterNode]
    groups: dict[str, ImaginedGroup] = field(default_factory=dict)
    prepared: list[str] = field(default_factory=list)

    async def nodes(self) -> Sequence[ClusterNode]:
        return tuple(self.listed)

    def prepare(self, node: ClusterNode) -> None:
        self.prepared.append(node.node_id)

    def group(
        self, record: JobRecord, nodes: Sequence[ClusterNode], package: bytes, sink: Sink, fleet: Fleet
    ) -> ImaginedGroup:
        group = ImaginedGroup(record=record, nodes=nodes, sink=sink, fleet=fleet)
        self.groups[record.id] = group
        return group


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class DirectCalls:
    """Calls a job service in this process, as the bridge would through Ray."""

    service: JobService
    num_restarts: int = 0
    is_cut: bool = False

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        if self.is_cut:
            raise GatewayError("the job queue on the head does not answer", status=503)
        answer = await self.service.call(method, arguments)
        if "error" in answer:
            raise GatewayError(**answer["error"])
        return answer["result"]


@dataclass
class Bench:
    """A job service and a gateway before it, with what a test holds on to."""

    cluster: ImaginedCluster
    service: JobService
    calls: DirectCalls
    health: Health
    http: httpx.AsyncClient
    clock: Clock

    def add_node(self, index: int) -> None:
        self.cluster.listed.append(cluster_node(index))

    async def wait_for(self, claim: Callable[[], bool], timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not claim():  # noqa: ASYNC110 - a claim is no event
                await asyncio.sleep(0.005)

    async def group(self, job_id: str) -> ImaginedGroup:
        await self.wait_for(lambda: job_id in self.cluster.groups)
        return self.cluster.groups[job_id]


@asynccontextmanager
async def open_bench(folder: Path, *, num_nodes: int = 2) -> AsyncIterator[Bench]:
    cluster = ImaginedCluster(listed=[cluster_node(index) for index in range(num_nodes)])
    clock = Clock()
    service = JobService(JobStore(folder / "jobs"), cluster, clock)
    running = asyncio.create_task(service.run())
    calls, health = DirectCalls(service), Health()
    health.set_reason(None)
    gateway = Gateway(
        identity=Identity(
            node_id="i-0",
            private_ip="127.0.1.10",
            instance_type="ecs.gn7i-c8g1.2xlarge",
            region_id="cn-hangzhou",
            zone_id="cn-hangzhou-h",
        ),
        role="head",
        health=health,
        queue=calls,
        counters=create_counters(),
        is_shimmed=True,
    )
    transport = httpx.ASGITransport(app=create_app(gateway, TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as http:
            yield Bench(cluster=cluster, service=service, calls=calls, health=health, http=http, clock=clock)
    finally:
        for group in cluster.groups.values():
            group.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(0)


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Any]:
    """Opens a bench: `async with bench(num_nodes=3) as it`."""
    return lambda **options: open_bench(tmp_path, **options)
