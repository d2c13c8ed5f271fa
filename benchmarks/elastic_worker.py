"""One worker of `faults.py` and `come_and_go.py`: trains a small model in float64 and notes what its steps are of.

Every step leaves two lines: what is to be summed, before the vote, and whether the step was made, after it. So a worker
that is killed in between has told what its peers may count.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset

from steelyard.training import Balancer

NUM_SAMPLES = 4096


class Points(Dataset[tuple[int, torch.Tensor, torch.Tensor]]):
    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        self.x = torch.randn(NUM_SAMPLES, 16, dtype=torch.float64, generator=generator)
        self.y = self.x.sin().sum(dim=1, keepdim=True)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        return index, self.x[index], self.y[index]


def train(folder: Path, options: dict[str, Any]) -> None:
    name = f"{os.environ['RANK']}.{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1)).double()
    plain, points = model, Points()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    balancer = Balancer(options["global_batch"], seed=3)
    loader = balancer.loader(points, num_steps=options["num_steps"])
    model = balancer.prepare(model, optimizer)
    if options.get("checkpoints"):
        balancer.checkpoint(options["checkpoints"], every_steps=options["every_steps"])
    stop = folder / "stop"
    with (folder / f"{name}.jsonl").open("a", buffering=1) as notes:

        def note(kind: str, **facts: Any) -> None:
            notes.write(json.dumps({"kind": kind, "time": time.monotonic(), **facts}) + "\n")

        note("ready")
        for indices, x, y in loader:
            step, shares = balancer.step, balancer._cycle.plan.at(balancer.step - 1)
            balancer.weigh(nn.functional.mse_loss(model(x), y)).backward()
            note("sent", step=step, shares=shares, indices=indices.tolist() if shares[balancer.rank] else [])
            optimizer.step()
            optimizer.zero_grad()
            note("made" if balancer.step == step else "lost", step=step, shares=shares)
            if stop.exists():
                break
    if not stop.exists():
        balancer.close()
    with torch.no_grad():
        loss = float(nn.functional.mse_loss(plain(points.x), points.y))
    (folder / f"{name}.loss").write_text(str(loss))


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(Path(sys.argv[1]), json.loads(sys.argv[2]))
