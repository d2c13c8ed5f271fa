"""What is weighed in the hook, and which models are refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import init_device_mesh
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from steelyard.errors import NotExactError, UsageError
from steelyard.training.attachment import wrap
from steelyard.training.gradient import refuse_inexact, weigh_gradients
from steelyard.training.sharded import weigh_sharded


@dataclass
class Step:
    weight: float = 1.0
    seen: list[str] = field(default_factory=list)

    def end_compute(self) -> None:
        self.seen.append("end of compute")

    def note_unsynced(self) -> None:
        self.seen.append("unsynced")


def backward(model: nn.Module, scale: float = 1.0) -> None:
    (model(torch.ones(2, 3)).sum() * scale).backward()


def test_the_local_gradient_is_weighed_and_its_end_is_told(group_of_one: dist.ProcessGroup) -> None:
    linear = nn.Linear(3, 1)
    model, step = DistributedDataParallel(linear), Step(weight=0.25)
    weigh_gradients(model, step)
    backward(model)
    assert torch.equal(linear.weight.grad, torch.full((1, 3), 0.5))
    assert step.seen == ["end of compute"]


def test_a_weight_of_zero_drops_even_an_infinite_gradient(group_of_one: dist.ProcessGroup) -> None:
    linear = nn.Linear(3, 1)
    model = DistributedDataParallel(linear)
    weigh_gradients(model, Step(weight=0.0))
    backward(model, scale=float("inf"))
    assert torch.equal(linear.weight.grad, torch.zeros(1, 3))


def test_a_forward_pass_under_no_sync_is_noticed(group_of_one: dist.ProcessGroup) -> None:
    model, step = DistributedDataParallel(nn.Linear(3, 1)), Step()
    weigh_gradients(model, step)
    with model.no_sync():
        backward(model)
    with torch.no_grad(), model.no_sync():
        model(torch.ones(2, 3))
    assert step.seen == ["unsynced"]


def test_a_static_graph_is_refused(group_of_one: dist.ProcessGroup) -> None:
    model = DistributedDataParallel(nn.Linear(3, 1), static_graph=True)
    with pytest.raises(NotExactError, match="static_graph=True"):
        weigh_gradients(model, Step())


def test_a_model_with_a_hook_of_its_own_is_refused(group_of_one: dist.ProcessGroup) -> None:
    model = DistributedDataParallel(nn.Linear(3, 1))
    model.register_comm_hook(None, default_hooks.fp16_compress_hook)
    with pytest.raises(NotExactError, match="fp16_compress_hook"):
        weigh_gradients(model, Step())


def test_batch_norm_is_refused_where_shares_may_differ() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm1d(3)))
    with pytest.raises(NotExactError, match=r"2 BatchNorm layers \(1, 2\.0\)") as caught:
        refuse_inexact(model, has_unequal_shares=True)
    assert "GroupNorm" in caught.value.hint


def test_batch_norm_is_as_good_as_in_plain_ddp_where_shares_are_equal() -> None:
    refuse_inexact(nn.Sequential(nn.BatchNorm1d(3)), has_unequal_shares=False)


def test_synchronised_batch_norm_is_refused_where_shares_may_differ() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.SyncBatchNorm(3))
    with pytest.raises(
        NotExactError, match=r"1 SyncBatchNorm layers \(1\) sum gradients .* with equal weights"
    ):
        refuse_inexact(model, has_unequal_shares=True)
    refuse_inexact(model, has_unequal_shares=False)


@pytest.mark.parametrize("norm", [nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.InstanceNorm1d(3)])
def test_norms_that_do_not_depend_on_the_share_are_fine(norm: nn.Module) -> None:
    refuse_inexact(nn.Sequential(norm), has_unequal_shares=True)


def test_fsdp1_is_refused_by_name() -> None:
    class FullyShardedDataParallel(nn.Module):
        pass

    with pytest.raises(NotExactError, match="FSDP1") as caught:
        refuse_inexact(FullyShardedDataParallel(), has_unequal_shares=True)
    assert "fully_shard" in caught.value.hint


def test_a_model_sharded_but_at_its_root_is_refused(group_of_one: dist.ProcessGroup) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    fully_shard(model[0], mesh=init_device_mesh("cpu", (1,)))
    with pytest.raises(NotExactError, match="not to its root"):
        wrap(model, world_size=1, has_unequal_shares=True, ddp_options={})


def test_a_model_sharded_over_some_workers_only_is_refused(group_of_one: dist.ProcessGroup) -> None:
    model = fully_shard(nn.Linear(3, 1), mesh=init_device_mesh("cpu", (1,)))
    with pytest.raises(NotExactError, match=r"mesh of shape \(1,\), and the global batch over 2 workers"):
        weigh_sharded(model, Step(), 2)


def test_options_that_come_too_late_are_refused(group_of_one: dist.ProcessGroup) -> None:
    model = DistributedDataParallel(nn.Linear(3, 1))
    with pytest.raises(UsageError, match="find_unused_parameters cannot be applied"):
        wrap(model, world_size=1, has_unequal_shares=False, ddp_options={"find_unused_parameters": True})


def test_an_inner_hook_gets_the_weighed_gradient_to_take_the_mean_of(group_of_one: dist.ProcessGroup) -> None:
    linear, seen = nn.Linear(3, 1), []

    def hook(state: list[torch.Tensor], bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        state.append(bucket.buffer().clone())
        return default_hooks.allreduce_hook(None, bucket)

    model = DistributedDataParallel(linear)
    weigh_gradients(model, Step(weight=0.25), inner_hook=hook, inner_state=seen)
    backward(model)
    assert torch.equal(linear.weight.grad, torch.full((1, 3), 0.5))
    assert len(seen) == 1
