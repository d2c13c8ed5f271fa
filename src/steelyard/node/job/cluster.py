"""What the job service asks of a cluster: its nodes, and groups of workers on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from steelyard.node.job.record import ClusterNode, JobRecord
from steelyard.training.launch import Fleet, Outcome, Sink


class RunningGroup(Protocol):
    """The workers of one job while they run."""

    async def run(self) -> Outcome:
        """Start them and wait for their end."""

    def stop(self) -> None:
        """Ask them to end."""

    async def release(self, node_id: str, grace_s: float) -> bool:
        """Give a node back, within so many seconds; returns whether the job goes on without it."""


class Cluster(Protocol):
    """The nodes, and what can be run on them."""

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the nodes, in the order of ranks."""

    def prepare(self, node: ClusterNode) -> None:
        """Have a node ready to start workers without delay."""

    def group(
        self, record: JobRecord, nodes: Sequence[ClusterNode], package: bytes, sink: Sink, fleet: Fleet
    ) -> RunningGroup:
        """Return a job's workers, not yet started."""
