"""Workers of an elastic run: each trains in float64, notes what its steps were made of, and dies as asked.

Started as a program, this is a server that has imported torch once: for each line of JSON on stdin it forks a worker,
answers with its process id, and later with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset

from steelyard.training import Balancer
from steelyard.training.checkpoint.folder import FolderStorage

NUM_SAMPLES = 420
GLOBAL_BATCH = 24


class Points(Dataset[tuple[int, torch.Tensor, torch.Tensor]]):
    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        self.x = torch.randn(NUM_SAMPLES, 6, dtype=torch.float64, generator=generator)
        self.y = self.x.sin().sum(dim=1, keepdim=True)

    def __len__(self) -> int:
        return NUM_SAMPLES

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        return index, self.x[index], self.y[index]


def die(way: str) -> None:
    if way == "sleep":
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGSTOP if way == "stop" else signal.SIGKILL)


def whole(tensor: torch.Tensor) -> Any:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).tolist()


def write_slowly(note: Path) -> None:
    """Have every manifest wait, with all else written, and tell of it."""
    write = FolderStorage.write

    def wait_and_write(self: FolderStorage, key: str, body: bytes) -> None:
        if key.endswith("manifest.json"):
            note.write_text(key)
            time.sleep(60)
        write(self, key, body)

    FolderStorage.write = wait_and_write  # type: ignore[method-assign]


def train(folder: Path, options: dict[str, Any]) -> None:
    name = f"{os.environ['RANK']}.{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    torch.manual_seed(options.get("seed", 0))
    model: nn.Module = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    plain = model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    balancer = Balancer(GLOBAL_BATCH, seed=3)
    balancer.keep(schedule=schedule)
    loader = balancer.loader(Points(), num_steps=options["num_steps"])
    is_plain = options.get("is_alone") or options.get("is_sharded")
    ddp_options = {} if is_plain else {"bucket_cap_mb": 0.0002}  # two buckets
    if options.get("is_sharded"):
        model = fully_shard(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
        balancer.keep(schedule=schedule)
    model = balancer.prepare(model, optimizer, **ddp_options)
    if options.get("writes_slowly"):
        write_slowly(folder / f"{name}.writing")
    if "checkpoint" in options:
        balancer.checkpoint(options["checkpoint"], every_steps=options.get("every_steps"))
    dies_at, dies_in = options.get("dies_at"), options.get("dies_in")
    if dies_in == "backward":  # one bucket is summed by then, the other one is not sent

        def die_in_backward(gradient: torch.Tensor) -> None:
            if balancer.step == dies_at:
                die("kill")

        plain[0].weight.register_hook(die_in_backward)
    with (folder / f"{name}.jsonl").open("a", buffering=1) as notes:
        for indices, x, y in loader:
            step = balancer.step
            if step == dies_at and dies_in in ("step", "stop", "sleep"):
                die(dies_in)
            balancer.weigh(nn.functional.mse_loss(model(x), y)).backward()
            if step == dies_at and dies_in == "update":
                die("kill")
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            note = {
                "step": step,
                "is_made": balancer.step == step,
                "time": time.monotonic(),
                "indices": indices.tolist(),
                "rank": balancer.rank,
                "world": balancer.world_size,
                "shares": balancer.shares,
            }
            notes.write(json.dumps(note) + "\n")
            if step >= options.get("lingers_from", step + 1) and not (folder / "go").exists():
                time.sleep(0.5)  # what the test does meanwhile is to come before the end
    result = {
        "parameters": [whole(parameter) for parameter in plain.parameters()],
        "momentum": [whole(optimizer.state[p]["momentum_buffer"]) for p in plain.parameters()],
        "lr": schedule.get_last_lr(),
        "state": balancer.state_dict(),
    }
    (folder / f"{name}.result.json").write_text(json.dumps(result))
    balancer.close()


def work(order: dict[str, Any]) -> None:
    """Become the worker that was ordered; never returns."""
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        train(Path(order["folder"]), order["options"])
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        if code == 1:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork workers until stdin ends; an exit code goes to the file that the order names."""
    torch.set_num_threads(1)
    importlib.import_module("torchft.manager")
    exit_paths: dict[int, Path] = {}
    lines = b""
    print("ready", flush=True)
    while True:
        if select.select([0], [], [], 0.05)[0]:
            piece = os.read(0, 65536)
            if not piece:
                return
            *orders, lines = (lines + piece).split(b"\n")
            for order in map(json.loads, orders):
                pid = os.fork()
                if pid == 0:
                    work(order)
                exit_paths[pid] = Path(order["exit"])
                print(pid, flush=True)
        if exit_paths:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                path = exit_paths.pop(pid)
                path.with_suffix(".part").write_text(str(os.waitstatus_to_exitcode(status)))
                path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    serve()
