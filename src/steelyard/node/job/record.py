"""What is known of a job, and of the nodes that it can run on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from steelyard.node.job.gain import Gain


class JobState(StrEnum):
    """Where a job is: queued → running → succeeded, failed or cancelled; a queued one can be cancelled too."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state stays in it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class ClusterNode:
    """A node as Ray sees it.

    Attributes:
        node_id: Instance id.
        private_ip: Private IPv4 address.
        instance_type: Such as `ecs.gn7i-c8g1.2xlarge`.
        ray_node_id: Ray's id of it, in hex; another one after each restart of Ray.
        is_alive: Whether Ray counts on it.
        num_gpus: Accelerators that Ray found there.
        imitated_speed: Relative speed that it imitates; None on real accelerators.
        takes_work: Whether jobs may have workers there; a dedicated head has none.
    """

    node_id: str
    private_ip: str
    instance_type: str
    ray_node_id: str
    is_alive: bool
    num_gpus: int = 0
    imitated_speed: float | None = None
    takes_work: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return what `/v1/nodes` says of it."""
        body = dataclasses.asdict(self)
        del body["ray_node_id"]
        return body


@dataclass(frozen=True, kw_only=True)
class JobNode:
    """A worker's place in a job.

    Attributes:
        node_id: Instance id.
        private_ip: Private IPv4 address.
        rank: Rank of the worker.
        exit_code: How the worker ended; None while it runs or where the node was lost.
        local_rank: Number of the worker on its node.
    """

    node_id: str
    private_ip: str
    rank: int
    exit_code: int | None = None
    local_rank: int = 0


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job.

    Attributes:
        id: Such as `job-3f9c2a1b8d04`.
        name: What its owner calls it.
        script: Path of the script in the package.
        args: The script's arguments.
        num_nodes: How many nodes it asks for; None for all.
        min_nodes: How few nodes it may start with and go on with; None where it needs all that it asks for.
        node_ids: The very nodes it asks for, by rank; None where any will do.
        balance: `speed` or `equal`.
        nproc_per_node: Workers on each node; None for one per accelerator, and one where there is none.
        checkpoint: Folder or `oss://BUCKET/PREFIX` of its checkpoints; None where it has none.
        checkpoint_every: Steps from one checkpoint to the next; None leaves it to the script.
        checkpoint_keep: How many checkpoints are kept; None leaves it to the script.
        peer_timeout_s: Seconds after which a worker that answers nothing counts as hung; None for the default.
        env: What it adds to the environment; may hold secrets, so it is never shown.
        accepted_by: Instance id of the node whose gateway took it.
        created_at: When it was taken, ISO 8601 in UTC; so are the other times.
        state: Where it is.
        started_at: When its workers were started.
        ended_at: When it came to its end.
        nodes: Its workers' places, by rank, once it runs.
        exit_code: Exit code of the worker that failed first, 0 where none did.
        error: Why it failed, in words.
        last_event: The last training event of kind `step`.
        gain: What balancing gained so far against the equal split, estimated.
    """

    id: str
    name: str
    script: str
    accepted_by: str
    created_at: str
    args: Sequence[str] = ()
    num_nodes: int | None = None
    min_nodes: int | None = None
    node_ids: Sequence[str] | None = None
    balance: str = "speed"
    nproc_per_node: int | None = None
    checkpoint: str | None = None
    checkpoint_every: int | None = None
    checkpoint_keep: int | None = None
    peer_timeout_s: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    started_at: str | None = None
    ended_at: str | None = None
    nodes: Sequence[JobNode] = ()
    exit_code: int | None = None
    error: str | None = None
    last_event: Mapping[str, Any] | None = None
    gain: Gain = field(default_factory=Gain)

    @property
    def num_needed(self) -> int:
        """How many nodes it needs at least."""
        return self.min_nodes or self.num_nodes or 1

    def to_json(self) -> dict[str, Any]:
        """Return what the API says of it."""
        body = self.to_state()
        del body["env"]
        body["gain"] |= {"saved_s": self.gain.saved_s, "speedup": self.gain.speedup, "is_estimate": True}
        return body

    def to_state(self) -> dict[str, Any]:
        """Return all of it, for its file."""
        body = dataclasses.asdict(self)
        body["nodes"] = [dataclasses.asdict(node) for node in self.nodes]
        body["args"] = list(self.args)
        return body

    @classmethod
    def from_state(cls, body: Mapping[str, Any]) -> JobRecord:
        """Return the record that `to_state` gave; keys that this version does not know are left out.

        Raises:
            ValueError: It is not such a record.
        """
        known = {item.name for item in dataclasses.fields(cls)}
        values = {key: value for key, value in body.items() if key in known}
        try:
            values["state"] = JobState(values["state"])
            values["gain"] = Gain(**values.get("gain", {}))
            values["nodes"] = tuple(JobNode(**node) for node in values.get("nodes", ()))
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a job record: {error}") from error


def iso_time(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC, to the millisecond, with a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
