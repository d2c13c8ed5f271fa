"""The exact gradient of a model sharded by FSDP2 (`fully_shard`): weighed before its reduce-scatter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule

from steelyard.errors import NotExactError
from steelyard.training.gradient import scale_gradients


class ShardedStep(Protocol):
    """The step whose gradients are weighed; see `cycle.StepCycle`."""

    @property
    def weight(self) -> float:
        """This worker's share of the step's samples or tokens, in [0, 1]."""
        ...

    def mark_compute(self) -> None:
        """Take note that the local work was done up to here."""
        ...

    def note_wait(self, seconds: float) -> None:
        """Take note that this long was spent waiting for other workers."""
        ...


class TimedCollective:
    """A collective of FSDP2 that tells how long it took: most of it waits for other workers.

    Args:
        step: Is told.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, step: ShardedStep, clock: Callable[[], float] = time.perf_counter) -> None:
        self._step = step
        self._clock = clock

    def allocate(self, size: Any, *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Return memory for what is communicated."""
        return torch.empty(size, dtype=dtype, device=device)

    def _time(self, run: Callable[[], dist.Work | None]) -> dist.Work | None:
        began_s = self._clock()
        work = run()
        self._step.note_wait(self._clock() - began_s)
        return work


class TimedAllGather(TimedCollective):
    """Gathers parameters as FSDP2 does."""

    def __call__(
        self,
        output_tensor: torch.Tensor,
        input_tensor: torch.Tensor,
        group: dist.ProcessGroup,
        async_op: bool = False,
    ) -> dist.Work | None:
        """Gather the shards of all workers."""
        return self._time(
            lambda: dist.all_gather_single(output_tensor, input_tensor, group=group, async_op=async_op)
        )


class WeighedReduceScatter(TimedCollective):
    """Sums gradients as FSDP2 does, each worker's weighed by its share first.

    FSDP2 then divides by the number of workers, which is multiplied in here. The local work was done when
    the last of these begins.
    """

    def __call__(
        self,
        output_tensor: torch.Tensor,
        input_tensor: torch.Tensor,
        group: dist.ProcessGroup,
        op: Any,
        async_op: bool = False,
    ) -> dist.Work | None:
        """Weigh the gradients and sum them, each worker keeping its shard."""
        self._step.mark_compute()
        scale_gradients(input_tensor, self._step.weight * group.size())
        return self._time(
            lambda: dist.reduce_scatter_single(
                output_tensor, input_tensor, group=group, op=op, async_op=async_op
            )
        )


def weigh_sharded(model: nn.Module, step: ShardedStep, num_workers: int) -> None:
    """Weigh the gradients of a sharded model by the worker's share.

    Args:
        model: A model to whose root ``fully_shard`` was applied.
        step: The step under way.
        num_workers: Number of workers of the run.

    Raises:
        NotExactError: If the model is sharded in a way in which the weights would not be right.
    """
    meshes = {getattr(parameter, "device_mesh", None) for parameter in model.parameters()}
    for mesh in meshes:
        if mesh is None:
            raise NotExactError(
                "a parameter of the model is not sharded by fully_shard, so its gradient would stay this worker's own",
                "apply fully_shard to the root of the model as well",
            )
        if mesh.ndim != 1 or mesh.size() != num_workers:
            raise NotExactError(
                f"the model is sharded over a mesh of shape {tuple(mesh.shape)}, and the global batch over"
                f" {num_workers} workers: hybrid sharding and tensor parallelism are not weighed",
                "apply fully_shard with a one-dimensional mesh of all workers",
            )
    for module in model.modules():
        if isinstance(module, FSDPModule):
            _set_collectives(module, step)


def _set_collectives(module: FSDPModule, step: ShardedStep) -> None:
    # Any: torch types these methods by abstract classes that it does not export.
    all_gather: Any = TimedAllGather(step)
    reduce_scatter: Any = WeighedReduceScatter(step)
    try:
        module.set_custom_all_gather(all_gather)
        module.set_custom_reduce_scatter(reduce_scatter)
    except ValueError as err:  # a shard_placement_fn with several meshes
        raise NotExactError(
            f"{type(module).__name__} does not take weighed collectives: {err}",
            "apply fully_shard with one mesh for all parameters",
        ) from err


def set_gradient_sync(model: FSDPModule, *, is_on: bool) -> None:
    """Let the next backward pass reduce the gradients, or keep them.

    Workers with different numbers of micro-batches must still make the same collectives. So parameters,
    once gathered, stay whole until the step's last backward pass: that costs their memory, and saves the
    gathering for each micro-batch.

    Args:
        model: The root of a sharded model.
        is_on: Whether it is the last backward pass of the step.
    """
    model.set_reshard_after_forward(False)
    model.set_requires_gradient_sync(is_on)
    model.set_reshard_after_backward(is_on)
