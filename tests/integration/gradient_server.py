"""One of several workers that answer cases, one JSON line each, until their input ends."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from gradient_cases import Scripted, split_errors
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn import functional
from torch.utils.data import TensorDataset

from steelyard.balance import SpeedPolicy
from steelyard.training import Balancer
from steelyard.training.environment import WorkerEnvironment
from steelyard.training.window import Cursor, WindowSampler

IGNORED = -100
NUM_CLASSES = 4
LENGTH = 3


def make_model(widths: list[int], seed: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return a small model on sequences: (n, LENGTH, widths[0]) to (n, LENGTH, NUM_CLASSES)."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for width, following in zip(widths, [*widths[1:], NUM_CLASSES], strict=True):
        layers += [nn.Linear(width, following), nn.Tanh(), nn.LayerNorm(following)]
    return nn.Sequential(*layers[:-2]).to(dtype)


def make_dataset(length: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> TensorDataset:
    """Return sequences whose targets are in part to be ignored, some altogether."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(length, LENGTH, width, generator=generator, dtype=torch.float64).to(dtype)
    y = torch.randint(0, NUM_CLASSES, (length, LENGTH), generator=generator)
    return TensorDataset(x, y.masked_fill(torch.rand(length, LENGTH, generator=generator) < 0.4, IGNORED))


def loss_of(model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, by_tokens: bool) -> torch.Tensor:
    """Return the mean over valid tokens, or over samples of their mean over all tokens."""
    logits, targets = model(x).flatten(0, 1), y.flatten()
    if by_tokens:
        return functional.cross_entropy(logits, targets, ignore_index=IGNORED)
    losses = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    return losses.view_as(y).mean(dim=1).mean()


def gradient(model: nn.Module) -> torch.Tensor:
    gradients = [parameter.grad for parameter in model.parameters()]
    whole = [each.full_tensor() if isinstance(each, DTensor) else each for each in gradients]
    return torch.cat([each.flatten() for each in whole])


def shard(model: nn.Module) -> nn.Module:
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer)
    return fully_shard(model)


def windows(length: int, batch: int) -> Iterator[list[int]]:
    sampler = WindowSampler(length, rank=0, shares_at=lambda step: (batch,))
    sampler.rewind(Cursor(seed=0), None)
    return iter(sampler)


class Problem:
    """A random model and dataset, whose gradients are compared with those of one process, step by step."""

    def __init__(
        self, *, widths: list[int], seed: int, shares: list[int], num_left: int, by_tokens: bool, **_: Any
    ) -> None:
        self.widths, self.seed, self.shares = widths, seed, tuple(shares)
        self.batch, self.by_tokens = sum(shares), by_tokens
        self.dataset = make_dataset(self.batch + num_left, widths[0], seed)

    def whole_gradients(self, clip: float | None) -> Iterator[torch.Tensor]:
        for window in windows(len(self.dataset), self.batch):
            model = make_model(self.widths, self.seed)
            loss_of(model, *self.dataset[window], by_tokens=self.by_tokens).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            yield gradient(model)


def exactness(
    *,
    is_sharded: bool,
    micro_batch: int | None,
    clip: float | None = None,
    hook: str | None = None,
    count_tokens: bool = True,
    **problem: Any,
) -> float:
    """Return the largest difference to one process's gradients, over all windows of an epoch."""
    asked = Problem(**problem)
    balancer = Balancer(asked.batch, policy=Scripted([asked.shares]), micro_batch=micro_batch)
    model = make_model(asked.widths, asked.seed)
    wrapped = balancer.prepare(
        shard(model) if is_sharded else model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        inner_hook=getattr(default_hooks, hook) if hook else None,
    )
    errors = []
    steps = balancer.loader(asked.dataset).steps()
    for micro_batches, whole in zip(steps, asked.whole_gradients(clip), strict=True):
        wrapped.zero_grad()
        for x, y in micro_batches:
            loss = loss_of(wrapped, x, y, by_tokens=asked.by_tokens)
            num_tokens = int((y != IGNORED).sum()) if asked.by_tokens and count_tokens else None
            balancer.weigh(loss, num_tokens=num_tokens).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(wrapped.parameters(), clip)
        errors.append((gradient(wrapped) - whole).abs().max().item())
    balancer.close()
    return max(errors)


def scaling(*, is_sharded: bool, shares: list[int], overflowing_rank: int) -> dict[str, Any]:
    """Train four steps in float16 with a scaler; in the second, one worker's loss overflows."""
    dataset = make_dataset(4 * sum(shares), 4, seed=1, dtype=torch.float32)
    with tempfile.NamedTemporaryFile() as events:
        place = replace(WorkerEnvironment.read(os.environ), events_path=Path(events.name))
        balancer = Balancer(sum(shares), policy=Scripted([tuple(shares)]), environment=place)
        answer = _train_scaled(balancer, dataset, is_sharded, overflowing_rank)
        balancer.close()
        num_reported = sum(json.loads(line)["kind"] == "step" for line in events)
    return {**answer, "num_reported": num_reported}


def _train_scaled(
    balancer: Balancer, dataset: TensorDataset, is_sharded: bool, overflowing_rank: int
) -> dict[str, Any]:
    model = make_model([4, 8], seed=1, dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if is_sharded:
        model = shard(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapped = balancer.prepare(model, optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scales, moves = [], []
    for step, (x, y) in enumerate(balancer.loader(dataset, num_steps=4)):
        before = [parameter.detach().clone() for parameter in model.parameters()]
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_of(wrapped, x, y, by_tokens=False)
        if step == 1 and balancer.rank == overflowing_rank:
            loss = loss * float("inf")
        scaler.scale(balancer.weigh(loss)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scales.append(scaler.get_scale())
        pairs = zip(before, model.parameters(), strict=True)
        moves.append(any(bool((old != new).any()) for old, new in pairs))
    flat = [each.full_tensor() if isinstance(each, DTensor) else each for each in model.parameters()]
    return {
        "scales": scales,
        "moves": moves,
        "parameters": torch.cat([each.detach().flatten() for each in flat]).tolist(),
    }


class Slow(nn.Module):
    """Takes a time in proportion to its samples, as a device would."""

    def __init__(self, sample_s: float) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.sample_s = sample_s

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.sample_s * len(x))
        return self.linear(x)


def shares_of_sharded(*, costs_s: list[float], num_steps: int) -> list[int]:
    """Return the shares that come of measuring a sharded model on workers of unequal speed."""
    torch.manual_seed(0)
    balancer = Balancer(16 * len(costs_s), policy=SpeedPolicy())
    model = fully_shard(nn.Sequential(fully_shard(Slow(costs_s[dist.get_rank()])), nn.Linear(4, 1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model = balancer.prepare(model, optimizer)
    for (x,) in balancer.loader(TensorDataset(torch.randn(480, 4)), num_steps=num_steps):
        balancer.weigh(model(x).square().mean()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    balancer.close()
    return list(balancer.shares)


def losses(*, sequence: list[list[int]], num_steps: int) -> list[float]:
    """Train the demo's model in float64 under shares that follow a sequence; rank 0 returns the loss of each step."""
    sys.path.append(str(Path(__file__).parents[2] / "examples" / "char_lm"))
    from corpus import NUM_SYMBOLS, load_corpus
    from model import GPT

    torch.manual_seed(0)
    model = GPT(NUM_SYMBOLS, length=32).double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95))
    with tempfile.NamedTemporaryFile() as events:
        place = replace(WorkerEnvironment.read(os.environ), events_path=Path(events.name))
        policy = Scripted([tuple(shares) for shares in sequence])
        balancer = Balancer(sum(sequence[0]), policy=policy, environment=place)
        wrapped = balancer.prepare(model, optimizer)
        for x, y in balancer.loader(load_corpus(32).train, num_steps=num_steps):
            loss = functional.cross_entropy(wrapped(x).flatten(0, 1), y.flatten())
            balancer.weigh(loss).backward()
            optimizer.step()
            optimizer.zero_grad()
        balancer.close()
        written = [json.loads(line) for line in events]
    return [event["loss"] for event in written if event["kind"] == "step"]


CASES: dict[str, Callable[..., Any]] = {
    "exactness": exactness,
    "split_errors": split_errors,
    "scaling": scaling,
    "shares_of_sharded": shares_of_sharded,
    "losses": losses,
}


def main() -> None:
    dist.init_process_group("gloo")
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(CASES[request["case"]](**request["arguments"])), flush=True)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
