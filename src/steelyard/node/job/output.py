"""What jobs print and tell: written as it comes, read while it grows."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.node.job.log import BoundedLog
from steelyard.node.job.queue import JobQueue
from steelyard.node.job.record import JobState
from steelyard.node.job.store import JobStore

_MAX_READ_BYTES = 256 * 1024
_MAX_READ_WAIT_S = 30.0


class JobOutput:
    """The logs and events of all jobs; whoever reads one at its end is woken by the next line, or by the job's end.

    Args:
        store: Where they are kept.
        queue: The jobs.
    """

    def __init__(self, store: JobStore, queue: JobQueue) -> None:
        self._store = store
        self._queue = queue
        self._changes: dict[str, asyncio.Event] = {}

    def sink(self, job_id: str) -> JobSink:
        """Return what takes the output of a job's workers."""
        return JobSink(output=self, job_id=job_id)

    def add_lines(self, job_id: str, lines: Sequence[str]) -> None:
        """Add lines to a job's log."""
        self._store.log(job_id).append(lines)
        self.notify(job_id)

    def add_events(self, job_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Add events to a job's."""
        self._store.events(job_id).append([json.dumps(event) for event in events])
        steps = [event for event in events if event.get("kind") == "step"]
        if steps and self._queue.record(job_id).state is JobState.RUNNING:
            self._queue.note_steps(job_id, steps)
        self.notify(job_id)

    async def read_log(self, job_id: str, offset: int, max_wait_s: float) -> dict[str, Any]:
        """Return a piece of a job's log: `{"text", "offset", "is_end"}`."""
        return await self._read(job_id, self._store.log, offset, max_wait_s)

    async def read_events(self, job_id: str, offset: int, max_wait_s: float) -> dict[str, Any]:
        """Return a piece of a job's events: `{"text", "offset", "is_end"}`."""
        return await self._read(job_id, self._store.events, offset, max_wait_s)

    def notify(self, job_id: str) -> None:
        """Wake those who wait for news of a job."""
        change = self._changes.pop(job_id, None)
        if change is not None:
            change.set()

    async def wait_for_end(self, job_ids: Sequence[str], *, timeout_s: float) -> None:
        """Wait until jobs have ended, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for job_id in job_ids:
                    while not self._queue.record(job_id).state.is_final:
                        await self._change(job_id)

    async def _read(
        self, job_id: str, open_log: Callable[[str], BoundedLog], offset: int, max_wait_s: float
    ) -> dict[str, Any]:
        record = self._queue.record(job_id)
        log = open_log(job_id)
        if offset >= log.end and not record.state.is_final and max_wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(max_wait_s, _MAX_READ_WAIT_S)):
                    await self._change(job_id)
        body, offset = log.read(offset, _MAX_READ_BYTES)
        is_end = offset >= log.end and self._queue.record(job_id).state.is_final
        return {"text": body.decode("utf-8", "replace"), "offset": offset, "is_end": is_end}

    async def _change(self, job_id: str) -> None:
        await self._changes.setdefault(job_id, asyncio.Event()).wait()


@dataclass(frozen=True, kw_only=True)
class JobSink:
    """Takes one job's output."""

    output: JobOutput
    job_id: str

    def write_lines(self, rank: int, lines: Sequence[str]) -> None:
        """Add lines to the log, with the rank of who printed them."""
        self.output.add_lines(self.job_id, [f"[rank {rank}] {line}" for line in lines])

    def write_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Add events."""
        self.output.add_events(self.job_id, events)
