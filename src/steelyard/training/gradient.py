"""The exact gradient: every worker's mean weighted by its share, and the models it cannot be kept for."""

# Without `from __future__ import annotations`: torch compares the hook's annotations with classes, not strings.

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from steelyard.errors import NotExactError
from steelyard.training.one_hop import is_small, start_sum

CommunicationHook = Callable[[Any, dist.GradBucket], torch.futures.Future[torch.Tensor]]
"""A hook as `DistributedDataParallel` takes it: its state and a bucket in, the reduced bucket out."""


class WeightedStep(Protocol):
    """The step whose gradients are weighed; see `cycle.StepCycle`."""

    @property
    def weight(self) -> float:
        """This worker's share of the step's samples, in [0, 1]."""
        ...

    def end_compute(self) -> None:
        """Take note that the local backward pass has ended."""
        ...

    def note_unsynced(self) -> None:
        """Take note of a forward pass under ``no_sync``."""
        ...


@dataclass(frozen=True, kw_only=True)
class BucketWeigher:
    """State of the communication hook.

    Attributes:
        group: The workers whose gradients are summed.
        step: Gives the weight, and is told when the local backward pass has ended: before its last
            gradients leave for the others, which is the one moment that tells computing from waiting.
        inner_hook: Reduces the weighed bucket, as a mean over the workers; a plain sum where None.
        inner_state: What `inner_hook` is called with.
        has_quick_sums: Whether small buckets of the host may go from all to all in one hop.
    """

    group: dist.ProcessGroup
    step: WeightedStep
    inner_hook: CommunicationHook | None = None
    inner_state: Any = None
    has_quick_sums: bool = False


def weigh_bucket(state: BucketWeigher, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Sum ``weight * gradient`` over the workers: a hook for `DistributedDataParallel`.

    With weights n_i/B the sum of local means over n_i samples is the mean over all B samples. DDP's own
    hook weighs every worker alike, which is wrong for unequal shares.

    Args:
        state: The weight and whom to tell.
        bucket: Gradients of some parameters, changed in place.

    Returns:
        A future of the bucket's summed gradients.
    """
    gradients = bucket.buffer()
    if bucket.is_last():
        wait_for_device(gradients.device)
        state.step.end_compute()
    if state.inner_hook is not None:
        scale_gradients(gradients, state.step.weight * state.group.size())
        return state.inner_hook(state.inner_state, bucket)
    scale_gradients(gradients, state.step.weight)
    if state.has_quick_sums and is_small(gradients, state.group.size()):
        return start_sum(state.group, gradients)
    work = dist.all_reduce(gradients, group=state.group, async_op=True)
    return work.get_future().then(_first_value)


def scale_gradients(gradients: torch.Tensor, factor: float) -> None:
    """Multiply gradients in place; a factor of zero drops even those that are not finite."""
    if factor == 0.0:
        gradients.zero_()
    elif factor != 1.0:
        gradients.mul_(factor)


def _first_value(future: torch.futures.Future[list[torch.Tensor]]) -> torch.Tensor:
    return future.value()[0]


def wait_for_device(device: torch.device) -> None:
    """Wait until the device has done what the current stream holds; a CPU has always done it.

    Other streams, such as that of the collectives, are not waited for: they wait for other workers.
    """
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()


def weigh_gradients(
    model: DistributedDataParallel,
    step: WeightedStep,
    *,
    inner_hook: CommunicationHook | None = None,
    inner_state: Any = None,
) -> None:
    """Weigh a model's gradients by the worker's share, in place of DDP's plain mean.

    Args:
        model: A model that has no communication hook yet.
        step: The step under way.
        inner_hook: Reduces the weighed gradients, as a mean over the workers.
        inner_state: What `inner_hook` is called with.

    Raises:
        NotExactError: If the model cannot take the hook.
    """
    if model.static_graph:
        raise NotExactError(
            "DistributedDataParallel was built with static_graph=True: a first backward pass under no_sync fails in"
            " torch's reducer, and later ones may silently stop reducing (pytorch issue 143580)",
            "build it without static_graph",
        )
    if model._comm_hooks:
        names = ", ".join(str(hook.__qualname__) for hook, _ in model._comm_hooks)
        raise NotExactError(
            f"DistributedDataParallel already has the communication hook {names}, and torch allows one",
            "hand the model to Balancer.prepare without a hook, and the hook as inner_hook",
        )
    weigher = BucketWeigher(
        group=model.process_group,
        step=step,
        inner_hook=inner_hook,
        inner_state=inner_state,
        has_quick_sums=inner_hook is None and "gloo" in dist.get_backend(model.process_group),
    )
    model.register_comm_hook(weigher, weigh_bucket)

    def note_unsynced(module: nn.Module, args: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled() and not module.require_backward_grad_sync:
            step.note_unsynced()

    model.register_forward_pre_hook(note_unsynced)


def refuse_inexact(model: nn.Module, *, has_unequal_shares: bool) -> None:
    """Refuse a model whose gradient would not be that of the global batch.

    Args:
        model: The model, wrapped or not.
        has_unequal_shares: Whether workers may get different numbers of samples.

    Raises:
        NotExactError: Names the part and the reason.
    """
    kinds = {base.__name__ for base in type(model).__mro__}
    if "FullyShardedDataParallel" in kinds:
        raise NotExactError(
            "FullyShardedDataParallel (FSDP1) reduces gradients where no weight per worker can be applied",
            "shard the model with fully_shard (FSDP2), or train with DistributedDataParallel",
        )
    if not has_unequal_shares:
        return
    batch_norms = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    }
    if not batch_norms:
        return
    names = f"{', '.join(list(batch_norms)[:3])}{', …' if len(batch_norms) > 3 else ''}"
    hint = "use GroupNorm or LayerNorm, or the equal split (--balance equal)"
    if all(isinstance(module, nn.SyncBatchNorm) for module in batch_norms.values()):
        # Its backward pass sums d(local mean loss) over the workers, unweighted, before the hook sees a gradient;
        # and a zero share's dummy sample would be part of the statistics.
        raise NotExactError(
            f"{len(batch_norms)} SyncBatchNorm layers ({names}) sum gradients of the statistics over the workers with"
            " equal weights inside the backward pass, which is wrong for unequal shares",
            hint,
        )
    raise NotExactError(
        f"{len(batch_norms)} BatchNorm layers ({names}) normalise by the statistics of the local share, so the result"
        " would depend on how the batch is shared out",
        hint,
    )
