"""One of several workers that train a small model with paced steps and tell what they were given."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import Dataset

from steelyard.balance import EqualPolicy, Policy, SpeedPolicy
from steelyard.errors import UsageError
from steelyard.training import Balancer
from steelyard.training.environment import WorkerEnvironment

NUM_SAMPLES = 500
GLOBAL_BATCH = 48


class Numbers(Dataset[tuple[int, torch.Tensor]]):
    def __init__(self, length: int = NUM_SAMPLES) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        return index, torch.full((4,), index / NUM_SAMPLES)


def make_balancer(policy: Policy, events: str) -> Balancer:
    place = WorkerEnvironment.read(os.environ)
    folder = Path(sys.argv[1]).parent
    return Balancer(GLOBAL_BATCH, policy=policy, environment=replace(place, events_path=folder / events))


def train(balancer: Balancer, num_steps: int, **options: Any) -> list[dict[str, Any]]:
    """Train up to a step and return what was given to this worker, step by step."""
    torch.manual_seed(0)
    model: nn.Module = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model = balancer.prepare(model, optimizer)
    given = []
    for indices, x in balancer.loader(Numbers(), num_steps=num_steps, **options):
        balancer.weigh(model(x).square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
        given.append({"step": balancer.step, "indices": indices.tolist()})
    return given


def refusal_of_unequal_datasets() -> str:
    balancer = make_balancer(EqualPolicy(), "refused.jsonl")
    try:
        balancer.loader(Numbers(100 + balancer.rank))
    except UsageError as err:
        return err.message
    finally:
        balancer.close()
    return ""


def first_run() -> dict[str, Any]:
    refusal = refusal_of_unequal_datasets()
    equal = make_balancer(EqualPolicy(), "equal.jsonl")
    train(equal, 8)
    equal.close()
    prefetching = make_balancer(SpeedPolicy(), "prefetching.jsonl")
    # Each rank prefetches another number of batches, and yet all must cut the same windows.
    depth = {"num_workers": 1, "prefetch_factor": 1 + prefetching.rank} if prefetching.rank else {}
    prefetched = train(prefetching, 16, **depth)
    prefetching.close()
    speed = make_balancer(SpeedPolicy(), "speed.jsonl")
    given = train(speed, 24)
    state = speed.state_dict()
    speed.close()
    return {"refusal": refusal, "prefetched": prefetched, "given": given, "state": state}


def resumed_run(state: dict[str, Any]) -> dict[str, Any]:
    balancer = make_balancer(SpeedPolicy(), "resumed.jsonl")
    balancer.load_state_dict(state)
    given = train(balancer, 33)
    balancer.close()
    return {"given": given}


def main() -> None:
    dist.init_process_group("gloo")
    result = resumed_run(json.loads(sys.argv[2])) if len(sys.argv) > 2 else first_run()
    Path(sys.argv[1]).write_text(json.dumps(result))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
