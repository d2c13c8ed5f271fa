"""The order of jobs: first come, first served, one job on a node at a time. Pure: no Ray, no files, no clock."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steelyard.errors import GatewayError
from steelyard.node.job.gain import Gain
from steelyard.node.job.record import ClusterNode, JobNode, JobRecord, JobState, iso_time
from steelyard.training.launch import Placement, spread


@dataclass(frozen=True, kw_only=True)
class JobStart:
    """A job that can start now, and its nodes in the order of their ranks."""

    job_id: str
    nodes: Sequence[ClusterNode]


class JobQueue:
    """Every job that is known, and the rules by which it moves from state to state.

    Args:
        records: Jobs known from before, oldest first.
    """

    def __init__(self, records: Iterable[JobRecord] = ()) -> None:
        self._records = {record.id: record for record in records}

    def records(self) -> Sequence[JobRecord]:
        """Return all jobs, oldest first."""
        return tuple(self._records.values())

    def record(self, job_id: str) -> JobRecord:
        """Return one job.

        Raises:
            GatewayError: There is no such job (404).
        """
        record = self._records.get(job_id)
        if record is None:
            raise GatewayError(
                f"there is no job {job_id!r}", hint="`steelyard jobs list` names them", status=404
            )
        return record

    def submit(self, record: JobRecord, nodes: Sequence[ClusterNode]) -> JobRecord:
        """Take a new job; the same id again gives the job that is there.

        Args:
            record: The job, queued.
            nodes: The cluster's nodes.

        Raises:
            GatewayError: It asks for nodes that the cluster does not have (422).
        """
        if record.id in self._records:
            return self._records[record.id]
        alive = [node for node in nodes if node.is_alive]
        if record.node_ids is not None:
            unknown = sorted(set(record.node_ids) - {node.node_id for node in alive})
            if unknown:
                raise GatewayError(
                    f"node_ids: no living node {', '.join(unknown)}",
                    hint=f"the living nodes are {', '.join(node.node_id for node in alive) or 'none'}",
                    status=422,
                )
        elif (record.num_nodes or record.min_nodes) is not None and record.num_needed > len(alive):
            name = "num_nodes" if record.min_nodes is None else "min_nodes"
            raise GatewayError(
                f"{name}: {record.num_needed} are asked for, {len(alive)} are alive",
                hint="ask for fewer, or add nodes with `steelyard up`",
                status=422,
            )
        return self._put(record)

    def plan(self, nodes: Sequence[ClusterNode]) -> Sequence[JobStart]:
        """Return the jobs that can start now.

        A job that has to wait keeps the nodes it waits for, so that no later job overtakes it on them.

        Args:
            nodes: The cluster's nodes; the first has the first rank.
        """
        alive = [node for node in nodes if node.is_alive]
        taken = {node.node_id for record in self._in_state(JobState.RUNNING) for node in record.nodes}
        starts = []
        for record in self._in_state(JobState.QUEUED):
            chosen = _choose(record, alive, taken)
            if chosen is not None and not taken & {node.node_id for node in chosen}:
                starts.append(JobStart(job_id=record.id, nodes=chosen))
            taken |= _wanted(record, alive) if chosen is None else {node.node_id for node in chosen}
        return starts

    def unsatisfied(self, nodes: Sequence[ClusterNode]) -> Mapping[str, str]:
        """Return the queued jobs that the living nodes cannot serve, busy or not, each with the reason."""
        alive = {node.node_id for node in nodes if node.is_alive}
        reasons = {}
        for record in self._in_state(JobState.QUEUED):
            missing = sorted(set(record.node_ids or ()) - alive)
            if missing:
                reasons[record.id] = f"{', '.join(missing)} is not alive"
            elif record.num_needed > len(alive):
                reasons[record.id] = f"{record.num_needed} nodes are asked for, {len(alive)} are alive"
        return reasons

    def start(self, start: JobStart, now: datetime) -> JobRecord:
        """Move a job from queued to running."""
        record = self._expect(start.job_id, JobState.QUEUED)
        placements = spread([placement_of(node) for node in start.nodes], record.nproc_per_node)
        nodes = places_of(placements)
        return self._put(
            dataclasses.replace(record, state=JobState.RUNNING, nodes=nodes, started_at=iso_time(now))
        )

    def claim(self, job_id: str, count: int, nodes: Sequence[ClusterNode]) -> Sequence[ClusterNode]:
        """Give a running job nodes that are free, unless another job waits for nodes.

        Args:
            job_id: The job.
            count: How many it takes.
            nodes: The cluster's nodes.

        Returns:
            Those that are its own from now on.
        """
        record = self._expect(job_id, JobState.RUNNING)
        if self._in_state(JobState.QUEUED):
            return ()
        taken = {node.node_id for other in self._in_state(JobState.RUNNING) for node in other.nodes}
        given = [node for node in nodes if node.is_alive and node.node_id not in taken][: max(count, 0)]
        added = [
            JobNode(node_id=node.node_id, private_ip=node.private_ip, rank=rank)
            for rank, node in enumerate(given, start=len(record.nodes))
        ]
        self._put(dataclasses.replace(record, nodes=(*record.nodes, *added)))
        return given

    def settle(self, job_id: str, placements: Sequence[Placement]) -> JobRecord:
        """Take note of where a running job's workers are now; its other nodes are free."""
        record = self._expect(job_id, JobState.RUNNING)
        return self._put(dataclasses.replace(record, nodes=places_of(placements)))

    def note_steps(self, job_id: str, events: Sequence[Mapping[str, Any]]) -> JobRecord:
        """Keep the last of a running job's steps, and what all of them gained."""
        record = self._expect(job_id, JobState.RUNNING)
        gain = functools.reduce(Gain.with_step, events, record.gain)
        return self._put(dataclasses.replace(record, last_event=dict(events[-1]), gain=gain))

    def finish(
        self,
        job_id: str,
        state: JobState,
        now: datetime,
        *,
        exit_codes: Sequence[int | None] = (),
        exit_code: int | None = None,
        error: str | None = None,
    ) -> JobRecord:
        """Bring a job to its end.

        Args:
            job_id: The job.
            state: A final state.
            now: The time.
            exit_codes: Those of its workers, by rank.
            exit_code: The job's own.
            error: Why it failed.
        """
        record = self.record(job_id)
        if record.state.is_final or not state.is_final:
            raise ValueError(f"{job_id} cannot go from {record.state} to {state}")
        codes = [*exit_codes, *[None] * (len(record.nodes) - len(exit_codes))]
        nodes = tuple(
            dataclasses.replace(node, exit_code=code) for node, code in zip(record.nodes, codes, strict=False)
        )
        return self._put(
            dataclasses.replace(
                record, state=state, ended_at=iso_time(now), nodes=nodes, exit_code=exit_code, error=error
            )
        )

    def forget(self, job_id: str) -> None:
        """Drop a job that has come to its end."""
        if not self.record(job_id).state.is_final:
            raise ValueError(f"{job_id} has not ended")
        del self._records[job_id]

    def running_on(self, node_id: str) -> Sequence[JobRecord]:
        """Return the running jobs that have a worker on a node."""
        return [
            record
            for record in self._in_state(JobState.RUNNING)
            if any(node.node_id == node_id for node in record.nodes)
        ]

    def _in_state(self, state: JobState) -> Sequence[JobRecord]:
        return [record for record in self._records.values() if record.state is state]

    def _expect(self, job_id: str, state: JobState) -> JobRecord:
        record = self.record(job_id)
        if record.state is not state:
            raise ValueError(f"{job_id} is {record.state}, not {state}")
        return record

    def _put(self, record: JobRecord) -> JobRecord:
        self._records[record.id] = record
        return record


def placement_of(node: ClusterNode) -> Placement:
    """Return a node as the launcher takes it."""
    return Placement(
        node_id=node.node_id,
        private_ip=node.private_ip,
        ray_node_id=node.ray_node_id,
        num_gpus=node.num_gpus,
        imitated_speed=node.imitated_speed,
    )


def places_of(placements: Sequence[Placement]) -> tuple[JobNode, ...]:
    """Return what a job's record says of its workers."""
    return tuple(
        JobNode(node_id=each.node_id, private_ip=each.private_ip, rank=rank, local_rank=each.local_rank)
        for rank, each in enumerate(placements)
    )


def _choose(record: JobRecord, alive: Sequence[ClusterNode], taken: set[str]) -> Sequence[ClusterNode] | None:
    """Return the nodes that a job would run on, or None where there are not enough."""
    if record.node_ids is not None:
        by_id = {node.node_id: node for node in alive}
        if any(node_id not in by_id for node_id in record.node_ids):
            return None
        return [by_id[node_id] for node_id in record.node_ids]
    if record.num_nodes is None and record.min_nodes is None:
        return list(alive) or None
    free = [node for node in alive if node.node_id not in taken]
    return free[: record.num_nodes] if len(free) >= record.num_needed else None


def _wanted(record: JobRecord, alive: Sequence[ClusterNode]) -> set[str]:
    """Return the nodes that are kept for a job that has to wait."""
    if record.node_ids is not None:
        return set(record.node_ids)
    return {node.node_id for node in alive}
