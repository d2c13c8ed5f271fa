"""A job as the launcher takes it, and how its workers end; importing it imports neither torch nor Ray."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a worker of a job runs.

    Attributes:
        node_id: Instance id.
        private_ip: Private IPv4 address.
        ray_node_id: Ray's id of it, in hex.
        num_gpus: Accelerators that Ray found there.
        imitated_speed: Relative speed to imitate; None where nothing is imitated.
        local_rank: Number of the worker on its node.
        local_world_size: Workers of the job on the node.
        group_rank: Number of the node in the job.
    """

    node_id: str
    private_ip: str
    ray_node_id: str
    num_gpus: int = 0
    imitated_speed: float | None = None
    local_rank: int = 0
    local_world_size: int = 1
    group_rank: int = 0


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A job as the launcher takes it.

    Attributes:
        run_id: The job's id.
        script: Path of the script in the package.
        args: The script's arguments.
        package: The archive that holds the script.
        balance: `speed` or `equal`.
        placements: Where each worker runs, in the order of their ranks.
        environment: What the job adds to the environment.
        nproc_per_node: Workers on each node; None for one per accelerator, and one where there is none.
        min_nodes: How few nodes may go on where some are lost; None where none may be.
        max_nodes: How many nodes the job takes, of those that come while it runs; None for those it began with.
        peer_timeout_s: Seconds after which a worker that answers nothing counts as hung; None for the default.
        is_resumable: Whether the job has checkpoints, so that workers which are started anew go on from one.
        takes_all: Whether it asked for all nodes, however many there are.
        has_own_nodes: Whether it asked for these very nodes and no others.
    """

    run_id: str
    script: str
    args: Sequence[str]
    package: bytes
    balance: str
    placements: Sequence[Placement]
    environment: Mapping[str, str] = field(default_factory=dict)
    nproc_per_node: int | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    peer_timeout_s: float | None = None
    is_resumable: bool = False
    takes_all: bool = False
    has_own_nodes: bool = False

    @property
    def num_nodes(self) -> int:
        """How many nodes it runs on."""
        return len({placement.node_id for placement in self.placements})

    @property
    def min_workers(self) -> int:
        """How few workers may go on."""
        fewest = min((placement.local_world_size for placement in self.placements), default=1)
        return (self.min_nodes or 1) * fewest


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


class Sink(Protocol):
    """Where a job's output goes."""

    def write_lines(self, rank: int, lines: Sequence[str]) -> None:
        """Take lines of one worker's output."""

    def write_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take training events of rank 0."""


class Fleet(Protocol):
    """The cluster's nodes, as one job may ask for them while it runs."""

    async def locate(self, node_id: str) -> Placement | None:
        """Return a node of the job as it is now, or None while it is not alive."""

    async def claim(self, count: int) -> Sequence[Placement]:
        """Give the job up to so many nodes that are free and that no other job waits for."""

    async def settle(self, placements: Sequence[Placement]) -> None:
        """Take note of where the job's workers run now; other nodes that it had are free."""


def spread(
    nodes: Sequence[Placement], nproc_per_node: int | None, *, first_group: int = 0
) -> list[Placement]:
    """Return the placement of every worker: as many on each node as were asked for, else one per accelerator.

    Args:
        nodes: One placement per node, in order.
        nproc_per_node: Workers on each node; None for one per accelerator, and one where there is none.
        first_group: Number of the first of these nodes in the job.
    """
    placements = []
    for group_rank, node in enumerate(nodes, start=first_group):
        count = nproc_per_node or max(node.num_gpus, 1)
        placements += [
            replace(node, local_rank=local_rank, local_world_size=count, group_rank=group_rank)
            for local_rank in range(count)
        ]
    return placements


def named(rank: int, placement: Placement) -> str:
    """Name a worker for people."""
    return f"rank {rank} on node {placement.node_id}"


def words_for(exit_code: int) -> str:
    """Say how a process ended."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
