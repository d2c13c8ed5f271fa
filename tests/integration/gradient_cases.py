"""Fixed cases of `gradient_server.py`: a worker compares its gradient with that of one process on the whole batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import TensorDataset

from steelyard.balance import Measurement, Shares
from steelyard.training import Balancer
from steelyard.training.gradient import BucketWeigher, weigh_bucket
from steelyard.training.window import Cursor, WindowSampler

BATCH = 48
SPLITS: Mapping[str, Shares] = {
    "equal": (16, 16, 16),
    "by speed": (21, 20, 7),
    "lopsided": (46, 1, 1),
    "one zero": (0, 40, 8),
    "two zeros": (0, 48, 0),
}


class Scripted:
    """A policy that proposes the given shares, one after the other."""

    name = "scripted"
    is_equal = False

    def __init__(self, sequence: Sequence[Shares]) -> None:
        self._sequence = itertools.cycle(sequence)

    def observe(self, measurements: Sequence[Measurement]) -> None:
        pass

    def plan(self, global_batch: int, current: Shares) -> Shares:
        return next(self._sequence)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


def make_model(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(12, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 5)
    ).to(dtype)


def make_dataset(length: int, dtype: torch.dtype) -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(length, 12, generator=generator, dtype=torch.float64).to(dtype)
    return TensorDataset(x, torch.randint(0, 5, (length,), generator=generator))


def gradient(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def windows(length: int, num_steps: int) -> list[list[int]]:
    """Return the samples of each step as one process would draw them."""
    sampler = WindowSampler(length, rank=0, shares_at=lambda step: (BATCH,))
    sampler.rewind(Cursor(seed=0), num_steps)
    return list(sampler)


def loss_of(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(model(x), y)


def whole_gradient(dataset: TensorDataset, dtype: torch.dtype, step: int = 0) -> torch.Tensor:
    model = make_model(dtype)
    loss_of(model, *dataset[windows(len(dataset), step + 1)[step]]).backward()
    return gradient(model)


def one_pass(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    loss_of(model, x, y).backward()


def micro_batches(model: DistributedDataParallel, x: torch.Tensor, y: torch.Tensor) -> None:
    parts = list(zip(x.split(8), y.split(8), strict=True))
    for micro_x, micro_y in parts[:-1]:
        with model.no_sync():
            (loss_of(model, micro_x, micro_y) * len(micro_x) / len(x)).backward()
    last_x, last_y = parts[-1]
    (loss_of(model, last_x, last_y) * len(last_x) / len(x)).backward()


def balanced_error(
    shares: Shares, dtype: torch.dtype, backward: Callable[..., None] = one_pass, **options: Any
) -> float:
    """Return the largest difference to the whole batch's gradient, over a full and a short last window."""
    dataset = make_dataset(BATCH + 7, dtype)
    balancer = Balancer(BATCH, policy=Scripted([shares]))
    model = make_model(dtype)
    wrapped = balancer.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1), **options)
    errors = []
    for step, (x, y) in enumerate(balancer.loader(dataset)):
        wrapped.zero_grad()
        backward(wrapped, x, y)
        errors.append((gradient(model) - whole_gradient(dataset, dtype, step)).abs().max().item())
    assert len(errors) == 2
    balancer.close()
    return max(errors)


def clipped_error() -> float:
    dataset = make_dataset(BATCH, torch.float64)
    balancer = Balancer(BATCH, policy=Scripted([(30, 12, 6)]))
    model = make_model(torch.float64)
    wrapped = balancer.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for x, y in balancer.loader(dataset):
        one_pass(wrapped, x, y)
    nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    whole = make_model(torch.float64)
    loss_of(whole, *dataset[windows(BATCH, 1)[0]]).backward()
    nn.utils.clip_grad_norm_(whole.parameters(), 0.01)
    balancer.close()
    return (gradient(model) - gradient(whole)).abs().max().item()


def uncorrected_error(shares: Shares) -> float:
    """Return the error of plain DDP on unequal shares: a negative control."""
    dataset = make_dataset(BATCH, torch.float64)
    model = make_model(torch.float64)
    sampler = WindowSampler(BATCH, rank=dist.get_rank(), shares_at=lambda step: shares)
    sampler.rewind(Cursor(seed=0), 1)
    one_pass(DistributedDataParallel(model), *dataset[next(iter(sampler))])
    return (gradient(model) - whole_gradient(dataset, torch.float64)).abs().max().item()


class WrongStep:
    weight = 1.0 / 3.0

    def end_compute(self) -> None:
        pass

    def note_unsynced(self) -> None:
        pass


def wrong_weight_error(shares: Shares) -> float:
    """Return the error of the weighing hook with 1/W in place of n/B: a negative control."""
    dataset = make_dataset(BATCH, torch.float64)
    model = make_model(torch.float64)
    wrapped = DistributedDataParallel(model)
    wrapped.register_comm_hook(BucketWeigher(group=dist.group.WORLD, step=WrongStep()), weigh_bucket)
    sampler = WindowSampler(BATCH, rank=dist.get_rank(), shares_at=lambda step: shares)
    sampler.rewind(Cursor(seed=0), 1)
    one_pass(wrapped, *dataset[next(iter(sampler))])
    return (gradient(model) - whole_gradient(dataset, torch.float64)).abs().max().item()


def trained_error(num_steps: int) -> float:
    """Return the difference to one process after training with shares that change at every step."""
    length = 5 * BATCH + 11
    dataset = make_dataset(length, torch.float64)
    balancer = Balancer(BATCH, policy=Scripted(list(SPLITS.values())))
    model = make_model(torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    wrapped = balancer.prepare(model, optimizer)
    used = set()
    for x, y in balancer.loader(dataset, num_steps=num_steps):
        one_pass(wrapped, x, y)
        optimizer.step()
        optimizer.zero_grad()
        used.add(balancer.shares)
    assert used == set(SPLITS.values()), f"only the shares {used} were used"
    balancer.close()
    whole = make_model(torch.float64)
    optimizer = torch.optim.SGD(whole.parameters(), lr=0.1, momentum=0.9)
    for window in windows(length, num_steps):
        loss_of(whole, *dataset[window]).backward()
        optimizer.step()
        optimizer.zero_grad()
    pairs = zip(model.parameters(), whole.parameters(), strict=True)
    return max((mine - other).abs().max().item() for mine, other in pairs)


def split_errors() -> dict[str, float]:
    """Return the largest differences to one process over all splits, paths and negative controls."""
    errors = {
        "largest gradient": whole_gradient(make_dataset(BATCH, torch.float64), torch.float64)
        .abs()
        .max()
        .item()
    }
    for name, shares in SPLITS.items():
        errors[f"{name}, float64"] = balanced_error(shares, torch.float64)
        errors[f"{name}, float32"] = balanced_error(shares, torch.float32)
        errors[f"{name}, accumulated"] = balanced_error(shares, torch.float64, micro_batches)
    errors["unused parameters"] = balanced_error((21, 20, 7), torch.float64, find_unused_parameters=True)
    errors["many buckets"] = balanced_error((21, 20, 7), torch.float64, bucket_cap_mb=0.001)
    errors["clipped"] = clipped_error()
    errors["plain DDP, uncorrected"] = uncorrected_error((21, 20, 7))
    errors["wrong weight"] = wrong_weight_error((21, 20, 7))
    errors["parameters after 30 steps"] = trained_error(30)
    return errors
