"""The life of jobs: taken, started when their nodes are free, watched to their end; it runs in one Ray actor."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from steelyard.errors import GatewayError, SteelyardError
from steelyard.node.job.cluster import Cluster, RunningGroup
from steelyard.node.job.output import JobOutput
from steelyard.node.job.queue import JobQueue, JobStart, placement_of
from steelyard.node.job.record import ClusterNode, JobRecord, JobState, iso_time
from steelyard.node.job.store import JobStore
from steelyard.training.launch import Outcome, Placement
from steelyard.training.launcher import STOP_GRACE_S

logger = logging.getLogger(__name__)

_LOOK_PAUSE_S = 2.0
_PATIENCE_S = 120.0
_END_TIMEOUT_S = 15.0
_NUM_KEPT_JOBS = 500


@dataclass(frozen=True, kw_only=True)
class _JobFleet:
    """The cluster's nodes, as one running job may ask for them."""

    service: JobService
    job_id: str

    async def locate(self, node_id: str) -> Placement | None:
        nodes = await self.service.living_nodes()
        return next((placement_of(node) for node in nodes if node.node_id == node_id), None)

    async def claim(self, count: int) -> Sequence[Placement]:
        return [placement_of(node) for node in await self.service.claim(self.job_id, count)]

    async def settle(self, placements: Sequence[Placement]) -> None:
        self.service.settle(self.job_id, placements)


class JobService:
    """Holds the queue, keeps it on disk, and runs what it plans.

    Every change is on disk before it is answered. Jobs that ran when the service last ended are failed: their workers
    ended with it.

    Args:
        store: Where jobs are kept.
        cluster: The nodes.
        clock: Gives the time, in UTC.
    """

    def __init__(self, store: JobStore, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._cluster = cluster
        self._clock = clock
        self._queue = JobQueue(store.load())
        self._output = JobOutput(store, self._queue)
        self._groups: dict[str, RunningGroup] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_reasons: dict[str, tuple[JobState, str | None]] = {}
        self._draining: set[str] = set()
        self._prepared: set[str] = set()
        self._unsatisfied_since: dict[str, datetime] = {}
        self._wake = asyncio.Event()
        for record in self._queue.records():
            if record.state is JobState.RUNNING:
                error = "the job queue was restarted while the job ran, which ended its workers"
                self._finish(record.id, JobState.FAILED, error=error)

    async def run(self) -> None:
        """Start jobs as their nodes become free, for ever."""
        while True:
            self._wake.clear()
            try:
                await self._start_planned()
            except Exception:
                logger.exception("the queue could not be planned")
            is_waiting = any(record.state is JobState.QUEUED for record in self._queue.records())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_PAUSE_S if is_waiting else None):
                    await self._wake.wait()

    async def call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a gateway: `{"result": ...}`, or `{"error": {"message", "hint", "status"}}`."""
        operations: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "ping": self.ping,
            "submit": self.submit,
            "jobs": self.jobs,
            "running": self.running,
            "job": self.job,
            "cancel": self.cancel,
            "nodes": self.nodes,
            "read_log": self._output.read_log,
            "read_events": self._output.read_events,
            "drain": self.drain,
            "retire": self.retire,
        }
        try:
            return {"result": await operations[method](**arguments)}
        except SteelyardError as error:
            status = getattr(error, "status", 0) or 422
            return {"error": {"message": error.message, "hint": error.hint, "status": status}}

    async def ping(self, ray_node_id: str) -> None:
        """Show that the service answers a node's gateway, and have that node ready for jobs."""
        if ray_node_id in self._prepared:
            return
        for node in await self._workers():
            if node.ray_node_id == ray_node_id and node.is_alive:
                self._prepared.add(ray_node_id)
                self._cluster.prepare(node)
                self._wake.set()

    async def submit(self, job: Mapping[str, Any], package: str) -> dict[str, Any]:
        """Take a job; the same id again gives the job that is there.

        Args:
            job: Its record's fields.
            package: Its package, in base64.
        """
        record = JobRecord.from_state({**job, "state": "queued", "created_at": iso_time(self._clock())})
        if any(known.id == record.id for known in self._queue.records()):
            return self._queue.record(record.id).to_json()
        nodes = await self._workers()
        self._store.save_package(record.id, base64.b64decode(package))
        try:
            record = self._queue.submit(record, nodes)
        except GatewayError:
            self._store.delete(record.id)
            raise
        self._store.save(record)
        self._drop_oldest()
        self._wake.set()
        return record.to_json()

    async def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs' records, oldest first."""
        return [record.to_json() for record in self._queue.records()]

    async def running(self) -> list[dict[str, Any]]:
        """Return the records of the jobs that run."""
        return [one.to_json() for one in self._queue.records() if one.state is JobState.RUNNING]

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return a job's record."""
        return self._queue.record(job_id).to_json()

    async def nodes(self) -> list[dict[str, Any]]:
        """Return the cluster's nodes."""
        return [node.to_json() for node in await self._nodes()]

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job and return its record, once its workers have ended; one that has ended stays as it is."""
        record = self._queue.record(job_id)
        if record.state is JobState.QUEUED:
            self._finish(job_id, JobState.CANCELLED)
        elif record.state is JobState.RUNNING:
            self._stop(job_id, JobState.CANCELLED, None)
            await self._output.wait_for_end([job_id], timeout_s=_END_TIMEOUT_S)
        return self._queue.record(job_id).to_json()

    async def drain(self, node_id: str, grace_s: float = STOP_GRACE_S) -> None:
        """Start nothing more on a node that is about to stop, and end the jobs that cannot go on without it.

        Args:
            node_id: The node.
            grace_s: How long workers there may take for the step that they are in, in seconds.
        """
        job_ids = await self.retire(node_id, grace_s)
        if grace_s > STOP_GRACE_S:  # a job that cannot go on without the node may yet come to its end
            await self._output.wait_for_end(job_ids, timeout_s=grace_s)
        for job_id in job_ids:
            if not self._queue.record(job_id).state.is_final:
                self._stop(job_id, JobState.FAILED, f"node {node_id} was stopped while the job ran on it")
        await self._output.wait_for_end(job_ids, timeout_s=_END_TIMEOUT_S)

    async def retire(self, node_id: str, grace_s: float = STOP_GRACE_S) -> list[str]:
        """Start nothing more on a node that is to go, and let the jobs that can go on without it do so.

        Args:
            node_id: The node.
            grace_s: How long workers there may take for the step that they are in, in seconds.

        Returns:
            Ids of the jobs that still need it; it may be called again until there is none.
        """
        self._draining |= {
            node.ray_node_id for node in await self._cluster.nodes() if node.node_id == node_id
        }
        return [
            record.id
            for record in self._queue.running_on(node_id)
            if not await self._groups[record.id].release(node_id, grace_s)
        ]

    async def living_nodes(self) -> Sequence[ClusterNode]:
        """Return the nodes that may have workers, live and are not about to stop."""
        return [node for node in await self._workers() if node.is_alive]

    async def claim(self, job_id: str, count: int) -> Sequence[ClusterNode]:
        """Give a running job free nodes; see `JobQueue.claim`."""
        nodes = await self._workers()
        if self._queue.record(job_id).state is not JobState.RUNNING:
            return ()
        given = self._queue.claim(job_id, count, nodes)
        self._store.save(self._queue.record(job_id))
        return given

    def settle(self, job_id: str, placements: Sequence[Placement]) -> None:
        """Take note of where a running job's workers are now."""
        if self._queue.record(job_id).state is JobState.RUNNING:
            self._store.save(self._queue.settle(job_id, placements))
            self._wake.set()

    async def _start_planned(self) -> None:
        if all(record.state is not JobState.QUEUED for record in self._queue.records()):
            return
        nodes = await self._workers()
        for start in self._queue.plan(nodes):
            self._start(start)
        self._fail_unsatisfied(nodes)

    def _start(self, start: JobStart) -> None:
        record = self._queue.start(start, self._clock())
        self._store.save(record)
        package = self._store.package(record.id)
        fleet = _JobFleet(service=self, job_id=record.id)
        group = self._cluster.group(record, start.nodes, package, self._output.sink(record.id), fleet)
        self._groups[record.id] = group
        task = asyncio.create_task(self._watch(record.id, group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, job_id: str, group: RunningGroup) -> None:
        try:
            outcome = await group.run()
        except Exception as error:
            logger.exception("the workers of %s could not be run", job_id)
            outcome = Outcome(exit_codes=(), exit_code=None, error=f"the workers could not be run: {error}")
        state = JobState.SUCCEEDED if outcome.error is None and outcome.exit_code == 0 else JobState.FAILED
        error_text = outcome.error
        if job_id in self._stop_reasons:
            state, error_text = self._stop_reasons.pop(job_id)
        del self._groups[job_id]
        self._finish(
            job_id, state, exit_codes=outcome.exit_codes, exit_code=outcome.exit_code, error=error_text
        )

    def _finish(
        self,
        job_id: str,
        state: JobState,
        *,
        exit_codes: Sequence[int | None] = (),
        exit_code: int | None = None,
        error: str | None = None,
    ) -> None:
        record = self._queue.finish(
            job_id, state, self._clock(), exit_codes=exit_codes, exit_code=exit_code, error=error
        )
        self._store.save(record)
        self._store.drop_package(job_id)
        self._unsatisfied_since.pop(job_id, None)
        self._output.notify(job_id)
        self._wake.set()

    def _fail_unsatisfied(self, nodes: Sequence[ClusterNode]) -> None:
        now = self._clock()
        reasons = self._queue.unsatisfied(nodes)
        since = self._unsatisfied_since
        self._unsatisfied_since = {job_id: since.get(job_id, now) for job_id in reasons}
        for job_id, reason in reasons.items():
            waited_s = (now - self._unsatisfied_since[job_id]).total_seconds()
            if waited_s > _PATIENCE_S:
                self._finish(
                    job_id, JobState.FAILED, error=f"waited {waited_s:.0f} s for its nodes: {reason}"
                )

    def _stop(self, job_id: str, state: JobState, error: str | None) -> None:
        self._stop_reasons.setdefault(job_id, (state, error))
        self._groups[job_id].stop()

    async def _nodes(self) -> Sequence[ClusterNode]:
        nodes = await self._cluster.nodes()
        return [node if node.ray_node_id not in self._draining else _without_life(node) for node in nodes]

    async def _workers(self) -> Sequence[ClusterNode]:
        """Return the nodes that may have workers."""
        return [node for node in await self._nodes() if node.takes_work]

    def _drop_oldest(self) -> None:
        ended = [record for record in self._queue.records() if record.state.is_final]
        for record in ended[: max(0, len(ended) - _NUM_KEPT_JOBS)]:
            self._queue.forget(record.id)
            self._store.delete(record.id)


def _without_life(node: ClusterNode) -> ClusterNode:
    return replace(node, is_alive=False)
