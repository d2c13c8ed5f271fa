"""What a training process is told by whoever started it: torchrun, the launcher, or nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard import settings
from steelyard.errors import UsageError
from steelyard.training.elastic_environment import ElasticEnvironment

DEFAULT_IMITATED_SAMPLE_S = 0.006
"""Seconds per sample of an imitated accelerator of relative speed 1, where nothing else is set."""


@dataclass(frozen=True, kw_only=True)
class WorkerEnvironment:
    """This worker's place among the workers and what is asked of it.

    Attributes:
        rank: Number of this worker, from 0.
        world_size: Number of workers.
        local_rank: Number of this worker on its node, from 0.
        node_id: Id of the node, for people to read.
        policy_name: How the global batch is shared out, ``speed`` or ``equal``.
        events_path: File for the training events; None where nobody reads them.
        imitated_speed: Relative speed to imitate by waiting; None on a real accelerator.
        imitated_sample_s: Seconds per sample at relative speed 1 while imitating; None leaves the choice
            to the script.
        elastic: How to find the other workers where they may come and go; None where they are fixed.
        peer_timeout_s: Seconds after which a peer that answers nothing counts as hung; None where nobody says.
        checkpoint: Folder or ``oss://BUCKET/PREFIX`` for checkpoints; None where nobody asks for any.
        checkpoint_every: Steps from one checkpoint to the next; None leaves the choice to the script.
        checkpoint_keep: How many checkpoints are kept; None leaves the choice to the script.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    node_id: str = "rank-0"
    policy_name: str = "speed"
    events_path: Path | None = None
    imitated_speed: float | None = None
    imitated_sample_s: float | None = None
    elastic: ElasticEnvironment | None = None
    peer_timeout_s: float | None = None
    checkpoint: str | None = None
    checkpoint_every: int | None = None
    checkpoint_keep: int | None = None

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> WorkerEnvironment:
        """Read the variables that torchrun and Steelyard's launcher set; without them, one lone worker.

        Args:
            variables: The process's environment.

        Raises:
            UsageError: If a variable does not hold what it should.
        """
        world_size = _whole(variables, settings.WORLD_SIZE, 1)
        rank = _whole(variables, settings.RANK, 0)
        if not 0 <= rank < world_size:
            raise UsageError(
                f"{settings.RANK} is {rank}, not from 0 to below {settings.WORLD_SIZE}, which is {world_size}",
                "start the script with torchrun or `steelyard train`, or unset both to train alone",
            )
        events_path = variables.get(settings.EVENTS_PATH)
        sample_ms = _above_zero(variables, settings.IMITATED_SAMPLE_MS)
        return cls(
            rank=rank,
            world_size=world_size,
            local_rank=_whole(variables, settings.LOCAL_RANK, 0),
            node_id=variables.get(settings.NODE_ID) or f"rank-{rank}",
            policy_name=variables.get(settings.BALANCE) or "speed",
            events_path=Path(events_path) if events_path else None,
            imitated_speed=_above_zero(variables, settings.IMITATED_SPEED),
            imitated_sample_s=None if sample_ms is None else sample_ms / 1000.0,
            elastic=ElasticEnvironment.read(variables),
            peer_timeout_s=_above_zero(variables, settings.PEER_TIMEOUT_S),
            checkpoint=variables.get(settings.CHECKPOINT) or None,
            checkpoint_every=_count(variables, settings.CHECKPOINT_EVERY),
            checkpoint_keep=_count(variables, settings.CHECKPOINT_KEEP),
        )


def _whole(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError as err:
        raise UsageError(f"{name} is {text!r}, not a whole number", f"set {name} to a whole number") from err


def _count(variables: Mapping[str, str], name: str) -> int | None:
    count = _whole(variables, name, 0)
    if variables.get(name) and count < 1:
        raise UsageError(f"{name} is {count}", f"set {name} to 1 or more")
    return count or None


def _above_zero(variables: Mapping[str, str], name: str) -> float | None:
    text = variables.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0.0 and math.isfinite(value)):
        raise UsageError(f"{name} is {text!r}, not a number above 0", f"set {name} to a number above 0")
    return value
