"""How a model and its optimizer are tied to the steps: gradients weighed, computing measured."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from steelyard.errors import NotExactError, UsageError
from steelyard.training.cycle import GradientLink, StepCycle
from steelyard.training.gradient import CommunicationHook, wait_for_device, weigh_gradients
from steelyard.training.sharded import set_gradient_sync, weigh_sharded

_BUFFER_OPTIONS = frozenset({"broadcast_buffers", "forward_sync_buffers"})
"""The deprecated and the new name, in torch 2.13, of what sends rank 0's buffers at each forward pass."""


def wrap(
    model: nn.Module, *, world_size: int, has_unequal_shares: bool, ddp_options: dict[str, Any]
) -> nn.Module:
    """Wrap a plain model in `DistributedDataParallel` where there are other workers.

    Args:
        model: The model; one that is wrapped or sharded already is returned as it is.
        world_size: Number of workers.
        has_unequal_shares: Whether workers may get different numbers of samples. Buffers are then left alone
            after the start, unless ``forward_sync_buffers`` is given: sending them at each forward pass would make
            every worker wait for rank 0 in what is measured.
        ddp_options: Options of `DistributedDataParallel`.

    Raises:
        NotExactError: If only parts of the model are sharded.
        UsageError: If options are given for a wrapping that does not take place.
    """
    if isinstance(model, DistributedDataParallel | FSDPModule):
        if ddp_options:
            raise UsageError(
                f"{', '.join(ddp_options)} cannot be applied: the model is a {type(model).__name__} already",
                "give the options where the model is wrapped, or hand Balancer.prepare the plain model",
            )
        return model
    if any(isinstance(module, FSDPModule) for module in model.modules()):
        raise NotExactError(
            "fully_shard was applied to parts of the model but not to its root",
            "apply fully_shard to the root of the model as well",
        )
    if world_size == 1:
        return model
    options = dict(ddp_options)
    if has_unequal_shares and not _BUFFER_OPTIONS & options.keys():
        options["forward_sync_buffers"] = False
    return DistributedDataParallel(model, **options)


def attach(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    cycle: StepCycle,
    *,
    world_size: int,
    inner_hook: CommunicationHook | None = None,
    inner_state: Any = None,
) -> None:
    """Have the model's gradients weighed, and the cycle told of each step.

    Args:
        model: The model to train with.
        optimizer: The optimizer of its parameters; its step ends the step.
        cycle: Follows the steps.
        world_size: Number of workers.
        inner_hook: Communication hook for the weighed gradients of a `DistributedDataParallel` model.
        inner_state: What `inner_hook` is called with.

    Raises:
        NotExactError: If the gradient could not be kept exact.
        UsageError: If there is a communication hook that is never called.
    """
    if isinstance(model, DistributedDataParallel):
        weigh_gradients(model, cycle, inner_hook=inner_hook, inner_state=inner_state)
        cycle.gradients = _link_to_replica(model)
    else:
        if inner_hook is not None and world_size > 1:
            raise UsageError(
                f"a {type(model).__name__} takes no communication hook",
                "leave inner_hook out, or train with DDP",
            )
        cycle.gradients = _link(model, cycle, world_size)
        device = next(model.parameters()).device
        optimizer.register_step_pre_hook(lambda *_: wait_for_device(device))
        optimizer.register_step_pre_hook(lambda *_: cycle.end_compute())
    optimizer.register_step_pre_hook(lambda *_: cycle.before_update())
    optimizer.register_step_post_hook(lambda *_: cycle.after_update())


def _link(model: nn.Module, cycle: StepCycle, world_size: int) -> GradientLink:
    if isinstance(model, FSDPModule):
        weigh_sharded(model, cycle, world_size)
        if world_size > 1:
            return _link_to_shards(model, next(model.parameters()).device)
    parameters = list(model.parameters())
    return GradientLink(rescale=lambda factor: _rescale(parameters, factor))


def _link_to_replica(model: DistributedDataParallel) -> GradientLink:
    def set_sync(is_on: bool) -> None:
        model.require_backward_grad_sync = is_on  # what no_sync() sets, for as long as its block lasts

    return GradientLink(set_sync=set_sync, is_synced=lambda: bool(model.require_backward_grad_sync))


def _link_to_shards(model: FSDPModule, device: torch.device) -> GradientLink:
    is_synced = True

    def set_sync(is_on: bool) -> None:
        nonlocal is_synced
        is_synced = is_on
        set_gradient_sync(model, is_on=is_on)

    # An accelerator runs these collectives beside the computing, and how long the one waited for the other could not
    # be measured without one at hand. A wrong figure would drive the shares apart.
    is_measured = device.type == "cpu"
    return GradientLink(set_sync=set_sync, is_synced=lambda: is_synced, is_measured=is_measured)


def _rescale(parameters: list[nn.Parameter], factor: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(factor)
