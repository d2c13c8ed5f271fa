"""One worker of `balance.py`: trains in every way that is compared.

Its accelerator is a wait, but in the case of CPU quotas, where it computes for real. The backward pass ends
``fixed_s + n * sample_s`` after the step began, before its gradients leave, and absorbs the small model's computing;
the sums and the update are real. No way of training knows of the wait: Balancer measures it as it would a device.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.join import Join
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

from steelyard import settings
from steelyard.balance import split_by_cost, split_equally
from steelyard.training import Balancer
from steelyard.training.environment import WorkerEnvironment
from steelyard.training.imitation import ImitatedAccelerator

LIGHTHOUSE = "BENCH_LIGHTHOUSE"
"""Address of the lighthouse for the one way that asks for it."""

NUM_SAMPLES = 4096
WIDTH = 64
NUM_STEPS = 12
NUM_WARM_UP_STEPS = 3
SETTLED_AT = 20
SHARD_BATCHES = 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """Nodes and a global batch.

    Attributes:
        costs_s: Seconds per sample of each node.
        fixed_s: Seconds of a step that do not depend on its samples.
        global_batch: Samples of a step.
        slowed_costs_s: Seconds per sample from the step `slowed_at` on; None where nothing changes.
        slowed_at: Step from which the nodes have their new costs.
        num_steps: Steps of Balancer.
        quotas: Part of a core that each node has, where it computes for real; its costs are then relative.
    """

    costs_s: Sequence[float]
    fixed_s: float = 0.0
    global_batch: int = 256
    slowed_costs_s: Sequence[float] | None = None
    slowed_at: int = 25
    num_steps: int = 45
    quotas: Sequence[float] | None = None

    @property
    def final_costs_s(self) -> Sequence[float]:
        return self.slowed_costs_s or self.costs_s


class PacedModel(nn.Module):
    """A small network that takes the time of a device; a larger one where it is computed for real."""

    def __init__(self, sample_s: float, fixed_s: float, *, is_real: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        width = 1280 if is_real else 128
        self.layers = nn.Sequential(nn.Linear(WIDTH, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.head = nn.Linear(width, 10)
        self.fixed_s = fixed_s
        self.device = ImitatedAccelerator(sample_s)
        self.began_s = time.perf_counter()
        self.num_samples = 0
        if not is_real:  # the gradient that comes last
            self.layers[0].weight.register_hook(self.hold)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.num_samples = len(x)
        output: torch.Tensor = self.head(self.layers(x))
        return output

    def hold(self, gradient: torch.Tensor) -> None:
        self.device.hold(self.began_s + self.fixed_s, self.num_samples)


class Numbers(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Samples in memory, taken out in one go as the other ways take theirs."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.x[index], self.y[index]

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.x[indices], self.y[indices]


class Training:
    """The model, its data and one step of it."""

    def __init__(self, case: Case, costs_s: Sequence[float]) -> None:
        self.case = case
        self.model = PacedModel(costs_s[dist.get_rank()], case.fixed_s, is_real=case.quotas is not None)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(NUM_SAMPLES, WIDTH, generator=generator)
        self.y = torch.randint(0, 10, (NUM_SAMPLES,), generator=generator)

    def step(self, model: nn.Module, num_samples: int) -> None:
        self.model.began_s = time.perf_counter()
        functional.cross_entropy(model(self.x[:num_samples]), self.y[:num_samples]).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def ddp(case: Case) -> float:
    """Plain DDP on equal shares."""
    training = Training(case, case.final_costs_s)
    model = DistributedDataParallel(training.model)
    share = split_equally(case.global_batch, dist.get_world_size())[dist.get_rank()]
    for step in range(NUM_WARM_UP_STEPS + NUM_STEPS):
        if step == NUM_WARM_UP_STEPS:
            dist.barrier()
            began_s = time.perf_counter()
        training.step(model, share)
    dist.barrier()
    return NUM_STEPS * case.global_batch / (time.perf_counter() - began_s)


def join(case: Case) -> float:
    """DDP under `Join`: equal local batches, and as many of them as the node's speed is worth."""
    training = Training(case, case.final_costs_s)
    model = DistributedDataParallel(training.model)
    world_size, rank = dist.get_world_size(), dist.get_rank()
    num_batches = split_by_cost(world_size * NUM_STEPS, case.costs_s)[rank]
    share = case.global_batch // world_size
    training.step(model, share)
    dist.barrier()
    began_s = time.perf_counter()
    with Join([model]):
        for _ in range(num_batches):
            training.step(model, share)
    dist.barrier()
    return world_size * NUM_STEPS * share / (time.perf_counter() - began_s)


def queue(case: Case) -> float:
    """DDP on shards of mini-batches that each node pulls when it has none left, as DLRover shares data out."""
    training = Training(case, case.final_costs_s)
    model = DistributedDataParallel(training.model)
    world_size = dist.get_world_size()
    share, num_shards = case.global_batch // world_size, world_size * NUM_STEPS // SHARD_BATCHES
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(address, port, is_master=False)
    training.step(model, share)
    dist.barrier()
    began_s = time.perf_counter()
    with Join([model]):
        while store.add("bench-balance/shard", 1) <= num_shards:
            for _ in range(SHARD_BATCHES):
                training.step(model, share)
    dist.barrier()
    return num_shards * SHARD_BATCHES * share / (time.perf_counter() - began_s)


def balancer_ddp(case: Case) -> dict[str, Any]:
    """Balancer on DDP from equal shares; samples/s once it has settled, and how many steps that took."""
    return balanced(case, WorkerEnvironment.read(os.environ))


def balancer_torchft(case: Case) -> dict[str, Any]:
    """The same where workers may come and go: through a quorum and a vote for each step."""
    lighthouse = {
        settings.LIGHTHOUSE: os.environ[LIGHTHOUSE],
        settings.MIN_WORKERS: str(dist.get_world_size()),
        settings.MASTER_ADDR: "",  # all begin behind the barrier already
    }
    return balanced(case, WorkerEnvironment.read({**os.environ, **lighthouse}))


def balanced(case: Case, place: WorkerEnvironment) -> dict[str, Any]:
    training = Training(case, case.costs_s)
    balancer = Balancer(case.global_batch, environment=place)
    model = balancer.prepare(training.model, training.optimizer)
    begun_s = [time.perf_counter()]
    training.model.began_s = begun_s[0]
    numbers = Numbers(training.x, training.y)
    for x, y in balancer.loader(numbers, num_steps=case.num_steps, collate_fn=lambda batch: batch):
        if case.slowed_costs_s and balancer.step > case.slowed_at:
            training.model.device.sample_s = case.slowed_costs_s[dist.get_rank()]
        balancer.weigh(functional.cross_entropy(model(x), y)).backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
        begun_s.append(time.perf_counter())
        training.model.began_s = begun_s[-1]
    shares = balancer.shares
    num_changes = balancer._cycle.plan.num_changes
    balancer.close()
    settled_at = case.slowed_at + 15 if case.slowed_costs_s else SETTLED_AT
    num_samples = (case.num_steps - settled_at) * case.global_batch
    return {
        "samples_per_s": num_samples / (begun_s[-1] - begun_s[settled_at]),
        "shares": list(shares),
        "plan_changes": num_changes,
        "steps_s": [end - begin for begin, end in itertools.pairwise(begun_s)],
    }


def limit(case: Case) -> float:
    """Sum of the nodes' rates, each alone at its balanced share: what an exact split of the batch can reach."""
    share = split_by_cost(case.global_batch, case.final_costs_s, minimum=1)[dist.get_rank()]
    training = Training(case, case.final_costs_s)
    rate = torch.zeros(1)
    for rank in range(dist.get_world_size()):
        dist.barrier()
        if rank == dist.get_rank():
            for step in range(NUM_WARM_UP_STEPS + NUM_STEPS):
                if step == NUM_WARM_UP_STEPS:
                    began_s = time.perf_counter()
                training.step(training.model, share)
            rate[0] = NUM_STEPS * share / (time.perf_counter() - began_s)
    dist.all_reduce(rate)
    return float(rate)


WAYS: dict[str, Callable[[Case], Any]] = {
    "ddp": ddp,
    "join": join,
    "queue": queue,
    "balancer_ddp": balancer_ddp,
    "balancer_torchft": balancer_torchft,
    "limit": limit,
}


def main() -> None:
    torch.set_num_threads(1)
    sys.stdin.readline()  # the process is in its cgroup by now
    case = Case(**json.loads(sys.argv[1]))
    dist.init_process_group("gloo")
    results = {}
    for name, way in WAYS.items():
        dist.barrier()
        results[name] = way(case)
    if dist.get_rank() == 0:
        Path(sys.argv[2]).write_text(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
