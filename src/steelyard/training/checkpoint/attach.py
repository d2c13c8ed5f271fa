"""How checkpoints are tied to a training: between two steps, where all of a step is done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from steelyard.errors import UsageError
from steelyard.training.checkpoint.checkpointer import DEFAULT_NUM_KEPT, Checkpointer
from steelyard.training.checkpoint.place import storage_at
from steelyard.training.checkpoint.snapshot import Place, Trained
from steelyard.training.cycle import StepCycle
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.environment import WorkerEnvironment
from steelyard.training.team import Team


class Checkpoints:
    """The checkpoints of one training, once the script asks for them.

    Args:
        environment: This worker's place, with what the launcher asks for; what the script says counts before it.
        team: The workers.
        cycle: Their steps.
        tell: Takes an event.
    """

    def __init__(
        self,
        environment: WorkerEnvironment,
        team: Team | ElasticTeam,
        cycle: StepCycle,
        tell: Callable[..., None],
    ) -> None:
        self._environment = environment
        self._team = team
        self._cycle = cycle
        self._tell = tell
        self._checkpointer: Checkpointer | None = None
        self.on_begin: Callable[[], None] = lambda: None
        """Called once there are checkpoints."""
        self.trained: Trained | None = None
        """What is trained; None until the model was prepared."""

    def begin(
        self, path: str | Path | None, *, every_steps: int | None, num_kept: int | None, place: Place
    ) -> int:
        """Save from now on, and go on from the newest good checkpoint.

        Args:
            path: Folder or ``oss://BUCKET/PREFIX``; without one, nothing is saved.
            every_steps: Steps from one checkpoint to the next.
            num_kept: How many are kept.
            place: Where training stands.

        Returns:
            Steps made by the checkpoint; 0 where there is none.

        Raises:
            UsageError: If the model was not prepared yet, or a number is below 1.
            TrainingError: If nothing can be kept there, or a checkpoint is of another model.
        """
        environment = self._environment
        target = path or environment.checkpoint
        if target is None:
            return 0
        if self.trained is None:
            raise UsageError(
                "Balancer.checkpoint was called before the model and the optimizer were prepared",
                "call it after Balancer.prepare, before the loop",
            )
        every_steps = every_steps if every_steps is not None else environment.checkpoint_every
        num_kept = num_kept if num_kept is not None else environment.checkpoint_keep or DEFAULT_NUM_KEPT
        for name, count in (("every_steps", every_steps), ("keep", num_kept)):
            if count is not None and count < 1:
                raise UsageError(f"{name} of the checkpoints is {count}", "give 1 or more")
        self._checkpointer = Checkpointer(
            storage_at(target, os.environ),
            trained=self.trained,
            place=place,
            team=self._team,
            is_elastic=environment.elastic is not None,
            every_steps=every_steps,
            num_kept=num_kept,
            tell=self._tell,
        )
        self.on_begin()
        if environment.elastic is not None and environment.elastic.restart_count > 0:
            return 0  # a worker that was started again takes the live state of its peers
        return self._checkpointer.restore()

    def take(self) -> None:
        """Take a checkpoint where one is due."""
        step = self._cycle.cursor.step
        checkpointer = self._checkpointer
        if checkpointer is not None and self._cycle.has_update and checkpointer.is_due(step):
            checkpointer.save(step)

    def close(self, *, saves: bool = True) -> None:
        """Save the last step, and wait for what is being written; every worker must call it after the same step.

        Args:
            saves: Whether to save the last step; not where others go on.
        """
        checkpointer, self._checkpointer = self._checkpointer, None
        if checkpointer is None:
            return
        step = self._cycle.cursor.step
        if saves and self._cycle.has_update and step > checkpointer.last_step:
            checkpointer.save(step)
        checkpointer.close()
