"""A parameter that no worker has used is left alone by the optimizer, as in one process."""

# Without `from __future__ import annotations`: torch compares the hook's annotations with classes, not strings.

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from steelyard.training.elastic_model import QuorumGroup
from steelyard.training.used_parameters import UsedParameters


class Branches(nn.Module):
    """A model of which a step uses one branch or the other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(2, 1), nn.Linear(2, 1)
        self.is_left = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = (self.left if self.is_left else self.right)(x)
        return output


def leave_bucket(state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    future: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future


def test_after_a_vote_only_what_nobody_used_is_without_a_gradient() -> None:
    model = Branches()
    used = UsedParameters(list(model.parameters()))
    everything = used.words
    wrapped = DistributedDataParallel(
        model, process_group=QuorumGroup(used), find_unused_parameters=True, init_sync=False
    )
    wrapped.register_comm_hook(None, leave_bucket)
    wrapped(torch.ones(3, 2)).sum().backward()
    assert model.right.weight.grad is not None  # the sum of the others, whoever they are
    mine = used.words
    assert mine != everything
    used.settle([mine, mine])
    assert model.right.weight.grad is None
    assert model.left.weight.grad is not None
    wrapped(torch.ones(3, 2)).sum().backward()
    used.settle([used.words, everything])
    assert model.right.weight.grad is not None


def test_flags_of_many_parameters_travel_in_few_numbers() -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(100)]
    used = UsedParameters(parameters)
    assert len(used.words) == 3
    flags = torch.ones(100, dtype=torch.int32)
    flags[[0, 47, 48, 99]] = 0
    used.note(flags)
    assert bool(flags.all())
    rows = [used.words, used.words]
    for parameter in parameters:
        parameter.grad = torch.zeros(1)
    used.settle(rows)
    assert [index for index, each in enumerate(parameters) if each.grad is None] == [0, 47, 48, 99]


def test_a_gradient_that_was_there_before_stays() -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    parameters[0].grad = torch.ones(1)
    used = UsedParameters(parameters)
    used.note(torch.zeros(2, dtype=torch.int32))
    row = used.words
    parameters[1].grad = torch.zeros(1)
    used.settle([row])
    assert parameters[0].grad is not None
    assert parameters[1].grad is None
