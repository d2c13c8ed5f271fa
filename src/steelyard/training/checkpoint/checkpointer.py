"""Saves a training from time to time while it goes on, and finds the newest good checkpoint."""

from __future__ import annotations

import logging
import secrets
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import torch.distributed as dist
import torch.distributed.checkpoint as dcp

from steelyard.errors import SteelyardError, TrainingError
from steelyard.training.checkpoint.manifest import (
    Manifest,
    by_age,
    checkpoint_name,
    first_fault,
    prune,
    read_manifest,
)
from steelyard.training.checkpoint.snapshot import PLACE_FILE, Place, Trained, pack_place, read_place
from steelyard.training.checkpoint.storage import Storage
from steelyard.training.checkpoint.writer import CheckpointWriter

logger = logging.getLogger(__name__)

DEFAULT_NUM_KEPT = 3
"""How many good checkpoints are kept, where nothing else is said."""


class Writers(Protocol):
    """The workers that write a checkpoint together."""

    @property
    def rank(self) -> int:
        """This worker."""
        ...

    @property
    def world_size(self) -> int:
        """Number of workers."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """Collect a small value from every worker."""
        ...


class Checkpointer:
    """Saves every so many steps, in the background, and resumes from the newest good checkpoint.

    A save stops training for as long as it takes to copy the state within the memory; torch.distributed.checkpoint
    writes the copy. One save is under way at a time: the next one waits for it. One that fails is told of in a
    warning, and training goes on.

    Workers of a fixed set each write their part. Where workers come and go, the first of the quorum writes all.

    Args:
        storage: Where checkpoints are kept.
        trained: What is trained.
        place: Where training stands.
        team: The workers.
        is_elastic: Whether they come and go.
        every_steps: Steps from one checkpoint to the next; None saves when asked to only.
        num_kept: How many good checkpoints are kept.
        tell: Takes an event: its kind, and its fields.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        trained: Trained,
        place: Place,
        team: Writers,
        is_elastic: bool,
        every_steps: int | None,
        num_kept: int,
        tell: Callable[..., None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        # A lone writer is told of by torch at every save.
        warnings.filterwarnings(
            "ignore", message="torch.distributed is disabled, unavailable or uninitialized"
        )
        self._storage = storage
        self._trained = trained
        self._place = place
        self._team = team
        self._every_steps = every_steps
        self._num_kept = num_kept
        self._tell = tell
        self._clock = clock
        self._is_alone = is_elastic or team.world_size == 1
        self._group = None if self._is_alone else dist.new_group(backend="gloo")
        own = secrets.token_hex(4)
        self._token: str = own if self._is_alone else team.gather(own)[0]
        self._under_way: Future[Any] | None = None
        self.last_step = 0
        """Steps made when the last checkpoint was taken or resumed from."""

    def is_due(self, step: int) -> bool:
        """Return whether a checkpoint is to be taken after so many steps."""
        every = self._every_steps
        return every is not None and step // every > self.last_step // every

    def save(self, step: int) -> None:
        """Begin to save; every worker must call it after the same step.

        Args:
            step: Steps made.
        """
        self.last_step = step
        place = self._place.save()  # settles the step's report, for which every worker is needed
        if self._is_alone and self._team.rank != 0:
            return
        began_s = self._clock()
        self.wait()
        writer = CheckpointWriter(
            self._storage,
            name := checkpoint_name(step, self._token),
            step=step,
            world_size=1 if self._is_alone else self._team.world_size,
            extra={PLACE_FILE: pack_place(place)},
            on_done=lambda manifest: self._note_done(name, manifest, began_s, writer.staged_s),
            clock=self._clock,
        )
        saving = dcp.async_save(
            self._trained.state_dict(),
            storage_writer=writer,
            process_group=self._group,
            no_dist=self._is_alone,
        )
        assert isinstance(saving, Future)
        self._under_way = saving

    def wait(self) -> None:
        """Wait for the save under way, if there is one; a failure is told of."""
        saving, self._under_way = self._under_way, None
        if saving is None:
            return
        error = saving.exception()
        if error is not None:
            root = _root(error)
            hint = f" ({root.hint})" if isinstance(root, SteelyardError) and root.hint else ""
            message = f"a checkpoint could not be written to {self._storage.url}: {root}{hint}"
            logger.warning(message)
            self._tell("warning", name="checkpoint_failed", message=message)

    def close(self) -> None:
        """Wait for the save under way and give up what was needed for it."""
        self.wait()
        group, self._group = self._group, None
        if group is not None:
            dist.destroy_process_group(group)

    def restore(self) -> int:
        """Go on from the newest good checkpoint; every worker must call it before the first step.

        A newer one that is torn is told of in a warning.

        Returns:
            Steps made by then; 0 where there is none.

        Raises:
            TrainingError: A checkpoint that was found good cannot be read, or is of another model.
        """
        for step, name in self._together(by_age(self._storage)):
            fault = self._fault(name)
            if fault:
                message = f"the checkpoint {name} in {self._storage.url} is passed over: {fault}"
                logger.warning(message)
                self._tell("warning", name="checkpoint_skipped", message=message)
                continue
            try:
                self._trained.load(self._storage, name, group=self._group, is_alone=self._is_alone)
                self._place.load(read_place(self._storage, name))
            except (dcp.CheckpointException, RuntimeError, KeyError, ValueError) as error:
                raise TrainingError(
                    f"the checkpoint {name} in {self._storage.url} does not fit: {_root(error)}",
                    "resume with the model and the optimizer that it was taken of, or give another folder",
                ) from error
            self.last_step = step
            self._tell("resume", step=step, path=f"{self._storage.url}/{name}")
            return step
        return 0

    def _fault(self, name: str) -> str:
        """Return what is wrong with a checkpoint; every worker checks a part and all say the same."""
        found = read_manifest(self._storage, name)
        own = ["", found] if isinstance(found, str) else [found.to_json().decode(), ""]
        text, words = self._together(own)
        if words:
            return str(words)
        manifest = Manifest.from_json(text.encode())
        is_alone, team = self._is_alone, self._team
        part, num_parts = (0, 1) if is_alone else (team.rank, team.world_size)
        fault = first_fault(self._storage, name, manifest, part=part, num_parts=num_parts)
        faults = [fault] if is_alone else team.gather(fault)
        return next((each for each in faults if each), "")

    def _together(self, value: Any) -> Any:
        """Return what the first worker found; files that another one sees may lag behind."""
        return value if self._is_alone else self._team.gather(value)[0]

    def _note_done(self, name: str, manifest: Manifest, began_s: float, staged_s: float) -> None:
        prune(self._storage, num_kept=self._num_kept)
        self._tell(
            "checkpoint",
            step=manifest.step,
            path=f"{self._storage.url}/{name}",
            num_bytes=manifest.num_bytes,
            seconds=self._clock() - began_s,
            stall_s=staged_s - began_s,
        )


def _root(error: BaseException) -> BaseException:
    """Return what went wrong on the first worker that failed, without all of torch's traceback."""
    if isinstance(error, dcp.CheckpointException) and error.failures:
        first: BaseException = next(iter(error.failures.values()))[0]
        return first
    return error
