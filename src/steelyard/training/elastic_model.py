"""A model whose gradients are summed over the quorum of the step."""

# Without `from __future__ import annotations`: torch compares the hook's annotations with classes, not strings.

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel
from torchft.process_group import ProcessGroupDummy
from torchft.work import _DummyWork

from steelyard.errors import UsageError
from steelyard.training.attachment import attach
from steelyard.training.elastic_cycle import ElasticCycle
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.used_parameters import UsedParameters

_FIXING_OPTIONS = frozenset(
    {
        "process_group",
        "device_mesh",
        "broadcast_buffers",
        "forward_sync_buffers",
        "static_graph",
        "inner_hook",
    }
)


class QuorumGroup(ProcessGroupDummy):
    """What `DistributedDataParallel` takes for its process group: alone, as gradients go through its hook.

    Beside them it asks the group for one sum: of the flags that tell which parameters a worker has used.

    Args:
        used: Takes the flags; they are told with the vote.
    """

    def __init__(self, used: UsedParameters) -> None:
        super().__init__(0, 1)
        self._used = used

    def allreduce(self, tensors: list[torch.Tensor], opts: object) -> dist.Work:
        """Take note of this worker's flags, and call all parameters used."""
        for tensor in tensors:
            self._used.note(tensor)
        work: dist.Work = _DummyWork(tensors)
        return work


def sum_bucket(state: ElasticTeam, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Sum a bucket that is weighed already over the quorum: the hook inside `gradient.weigh_bucket`.

    torchft's own hook divides by the number of participants; here the weights n_i/B make the sum the mean over the
    window, whoever takes part.

    Args:
        state: The quorum.
        bucket: Weighed gradients of some parameters, changed in place.

    Returns:
        A future of the bucket's gradients; it does not fail where a peer is lost, the step's vote does.
    """
    return state.all_reduce(bucket.buffer(), is_awaited=bucket.is_last())


def prepare_elastic(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    cycle: ElasticCycle,
    ddp_options: Mapping[str, Any],
) -> DistributedDataParallel:
    """Wrap a model for an elastic run and have its optimizer make the steps that all make, and no other.

    Args:
        model: The plain model, on its device.
        optimizer: The optimizer of its parameters.
        cycle: The steps.
        ddp_options: Options of `DistributedDataParallel`.

    Raises:
        UsageError: The model is wrapped already, or an option would fix its workers.
    """
    fixed = sorted(_FIXING_OPTIONS & ddp_options.keys())
    if fixed or isinstance(model, DistributedDataParallel | FSDPModule):
        what = f"the option {', '.join(fixed)} of DistributedDataParallel" if fixed else type(model).__name__
        raise UsageError(
            f"{what} fixes the set of workers, which an elastic run changes",
            "give the plain model to Balancer.prepare, without such options",
        )
    # Without it DDP sorts its buckets anew after the first step, and a newcomer's would differ from the others'.
    options = {
        **ddp_options,
        "find_unused_parameters": True,
        "forward_sync_buffers": False,
        "init_sync": False,
    }
    team = cycle.team
    used = UsedParameters([each for each in model.parameters() if each.requires_grad])
    wrapped = DistributedDataParallel(model, process_group=QuorumGroup(used), **options)
    attach(wrapped, optimizer, cycle, world_size=team.world_size, inner_hook=sum_bucket, inner_state=team)
    optimizer.register_step_pre_hook(lambda *_: _drop_gradients(optimizer, cycle))
    team.register("model", model.state_dict, model.load_state_dict)
    team.register("optimizer", optimizer.state_dict, optimizer.load_state_dict)
    cycle.follow(optimizer, used)
    return wrapped


def _drop_gradients(optimizer: torch.optim.Optimizer, cycle: ElasticCycle) -> None:
    """Leave the optimizer nothing to update with where the step is not made.

    torch's optimizers leave a parameter without a gradient alone, its momentum and its counters too.
    """
    if not cycle.is_made:
        optimizer.zero_grad(set_to_none=True)
