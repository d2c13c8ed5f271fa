"""The one small collective of a step: what everyone measured, and the plan of rank 0."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import torch
import torch.distributed as dist

from steelyard.balance import Measurement, Shares
from steelyard.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one worker tells the others about a step.

    Attributes:
        step: Number of the step, from 0.
        start: Place of the step's window in the epoch.
        num_samples: Samples that the worker computed, a zero share's one dummy included; 0 where it
            measured nothing.
        compute_s: Seconds of its own work.
        loss: Mean loss over its share; NaN where the script did not give it.
        is_pace_held: Whether the imitated accelerator held its pace; True where none is imitated.
        is_leaving: Whether the worker was asked to leave, and will.
    """

    step: int
    start: int
    num_samples: int
    compute_s: float
    loss: float
    is_pace_held: bool
    is_leaving: bool = False

    @property
    def measurement(self) -> Measurement:
        """The part that the policy learns from."""
        return Measurement(num_samples=self.num_samples, compute_s=self.compute_s)


NUM_FIELDS = 7
"""Numbers of one worker's report."""


class Exchange:
    """Sums one vector over the workers, off the critical path.

    Every worker fills its own row and leaves the others zero; rank 0 also fills in the shares it
    proposes. So one all-reduce of 8 numbers per worker, started in one step and read in the next, brings
    every worker all reports and one and the same plan.

    Args:
        rank: This worker.
        world_size: Number of workers.
        group: Gloo group to use; None for a lone worker.
    """

    def __init__(self, rank: int, world_size: int, group: dist.ProcessGroup | None) -> None:
        self._rank = rank
        self._world_size = world_size
        self._group = group
        # Numbers are read and written as an array: a dozen small tensor operations would cost a millisecond.
        self._numbers = array("d", bytes(8 * world_size * (NUM_FIELDS + 1)))
        self._vector = torch.frombuffer(self._numbers, dtype=torch.float64)
        self._work: dist.Work | None = None

    def send(self, report: StepReport, proposal: Shares) -> None:
        """Start the exchange of a step.

        Args:
            report: This worker's report.
            proposal: Shares of coming steps; only those of rank 0 count.
        """
        numbers = array("d", bytes(8 * len(self._numbers)))
        row = (
            report.step,
            report.start,
            report.num_samples,
            report.compute_s,
            report.loss,
            report.is_pace_held,
            report.is_leaving,
        )
        first = self._rank * NUM_FIELDS
        numbers[first : first + NUM_FIELDS] = array("d", row)
        if self._rank == 0:
            numbers[self._world_size * NUM_FIELDS :] = array("d", proposal)
        self._numbers[:] = numbers
        if self._group is not None:
            self._work = dist.all_reduce(self._vector, group=self._group, async_op=True)

    def receive(self) -> tuple[list[StepReport], Shares]:
        """Wait for the exchange that was sent.

        Returns:
            The reports in rank order and the shares that rank 0 proposes.

        Raises:
            TrainingError: If the workers are not at the same step of the same order of samples.
        """
        if self._work is not None:
            self._work.wait()
            self._work = None
        plan = self._numbers[self._world_size * NUM_FIELDS :]
        reports = [self._report(rank) for rank in range(self._world_size)]
        if len({(report.step, report.start) for report in reports}) > 1:
            raise TrainingError(
                f"the workers are at different steps: {[(report.step, report.start) for report in reports]}",
                "load the same state on every worker and let each make every step",
            )
        return reports, tuple(int(share) for share in plan)

    def _report(self, rank: int) -> StepReport:
        first = rank * NUM_FIELDS
        step, start, num_samples, compute_s, loss, is_pace_held, is_leaving = self._numbers[
            first : first + NUM_FIELDS
        ]
        return StepReport(
            step=int(step),
            start=int(start),
            num_samples=int(num_samples),
            compute_s=compute_s,
            loss=loss,
            is_pace_held=bool(is_pace_held),
            is_leaving=bool(is_leaving),
        )
