"""Starts real training processes that find each other as under torchrun, and collects what they return."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch warns on import where NumPy is not installed
    import torch.distributed as dist

DEADLINE_S = 240.0


def worker_variables(rank: int, world_size: int, port: int, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker whose rendezvous store listens on `port`, as torchrun sets it."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")},
        "RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore:Failed to initialize NumPy",
        **own,
    }


def run_workers(
    script: Path,
    folder: Path,
    *,
    variables: Sequence[Mapping[str, str]],
    arguments: Sequence[str] = (),
    result_names: bool = True,
) -> list[Any]:
    """Run one process of `script` per entry of `variables` and wait for all.

    The rendezvous store lives here, as torchrun's agent keeps it, so no port is chosen before it is bound.
    Each process is called with the path to write its JSON result to, then `arguments`.

    Returns:
        The results, in rank order; None where `result_names` is false.
    """
    world_size = len(variables)
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    workers = []
    for rank, own in enumerate(variables):
        env = worker_variables(rank, world_size, store.port, own)
        result = [str(folder / f"result-{rank}.json")] if result_names else []
        with (folder / f"log-{rank}.txt").open("wb") as log:
            command = [sys.executable, str(script), *result, *arguments]
            workers.append(subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT))
    try:
        _wait(workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    logs = [(folder / f"log-{rank}.txt").read_text() for rank in range(world_size)]
    assert [worker.returncode for worker in workers] == [0] * world_size, "\n".join(logs)
    if not result_names:
        return [None] * world_size
    return [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(world_size)]


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while any(worker.poll() is None for worker in workers):
        if any(worker.poll() for worker in workers) or time.monotonic() > deadline:
            return  # the others may wait for the failed one for ever
        time.sleep(0.05)
