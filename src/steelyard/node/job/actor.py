"""The one Ray actor that holds the cluster's jobs: detached, named, on the head, started again when it dies."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steelyard import settings
from steelyard.node.job.queue import placement_of
from steelyard.node.job.record import ClusterNode, JobRecord
from steelyard.node.job.service import JobService
from steelyard.node.job.store import JobStore
from steelyard.node.ray_cluster import (
    IMITATED_SPEED_LABEL,
    INSTANCE_TYPE_LABEL,
    NODE_ID_LABEL,
    TAKES_WORK_LABEL,
)
from steelyard.training.elastic_launcher import ElasticGroup
from steelyard.training.launch import Fleet, Launch, Sink, spread
from steelyard.training.launcher import AgentPool, WorkerGroup


class JobQueueActor:
    """Serves the gateways of all nodes.

    Args:
        data_dir: Where jobs are kept, on the head.
    """

    def __init__(self, data_dir: str) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._data_dir = Path(data_dir)
        self._service: JobService | None = None
        self._loop_task: asyncio.Task[None] | None = None

    async def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a gateway; see `JobService.call`."""
        if self._service is None:  # made here, because __init__ has no running event loop
            cluster = RayNodes(AgentPool())
            self._service = JobService(JobStore(self._data_dir), cluster, lambda: datetime.now(UTC))
            self._loop_task = asyncio.create_task(self._service.run())
        return await self._service.call(method, arguments)


class RayNodes:
    """The cluster's nodes, through Ray.

    Args:
        pool: The agents that start workers.
    """

    def __init__(self, pool: AgentPool) -> None:
        self._pool = pool

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the nodes by their addresses; of a node that was restarted, what it is now."""
        import ray

        return cluster_nodes(await asyncio.to_thread(ray.nodes))

    def prepare(self, node: ClusterNode) -> None:
        """Start a node's agent."""
        self._pool.agent(placement_of(node))

    def group(
        self, record: JobRecord, nodes: Sequence[ClusterNode], package: bytes, sink: Sink, fleet: Fleet
    ) -> WorkerGroup:
        """Return a job's workers, not yet started."""
        import ray

        launch = Launch(
            run_id=record.id,
            script=record.script,
            args=record.args,
            package=package,
            balance=record.balance,
            placements=spread([placement_of(node) for node in nodes], record.nproc_per_node),
            environment={**record.env, **asked_variables(record)},
            nproc_per_node=record.nproc_per_node,
            min_nodes=record.min_nodes,
            max_nodes=record.num_nodes if record.min_nodes is not None else None,
            peer_timeout_s=record.peer_timeout_s,
            is_resumable=record.checkpoint is not None,
            takes_all=record.num_nodes is None and record.node_ids is None,
            has_own_nodes=record.node_ids is not None,
        )
        if record.min_nodes is None:
            return WorkerGroup(launch, self._pool, sink, fleet)
        return ElasticGroup(launch, self._pool, sink, fleet, address=ray.util.get_node_ip_address())


def asked_variables(record: JobRecord) -> dict[str, str]:
    """Return the environment variables that tell a job's workers what was asked for with it."""
    values = {
        settings.CHECKPOINT: record.checkpoint,
        settings.CHECKPOINT_EVERY: record.checkpoint_every,
        settings.CHECKPOINT_KEEP: record.checkpoint_keep,
        settings.PEER_TIMEOUT_S: record.peer_timeout_s,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def cluster_nodes(entries: Sequence[Mapping[str, Any]]) -> Sequence[ClusterNode]:
    """Return the nodes that Ray lists, one for each instance, sorted by address.

    Args:
        entries: What `ray.nodes()` gives.
    """
    by_id: dict[str, ClusterNode] = {}
    for entry in sorted(entries, key=lambda entry: bool(entry["Alive"])):
        labels = entry.get("Labels", {})
        if NODE_ID_LABEL not in labels:
            continue
        speed = labels.get(IMITATED_SPEED_LABEL)
        node = ClusterNode(
            node_id=labels[NODE_ID_LABEL],
            private_ip=entry["NodeManagerAddress"],
            instance_type=labels.get(INSTANCE_TYPE_LABEL, ""),
            ray_node_id=entry["NodeID"],
            is_alive=bool(entry["Alive"]),
            num_gpus=int(entry.get("Resources", {}).get("GPU", 0)),
            imitated_speed=None if speed is None else float(speed),
            takes_work=labels.get(TAKES_WORK_LABEL) != "no",
        )
        by_id[node.node_id] = node
    return sorted(by_id.values(), key=lambda node: ipaddress.ip_address(node.private_ip))
