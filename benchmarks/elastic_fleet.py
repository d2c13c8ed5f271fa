"""Starts, kills and restarts the workers of one run, and reads what they noted; not run by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.training.lighthouse import LighthouseProcess
from steelyard.training.port import free_port

WORKER = Path(__file__).with_name("elastic_worker.py")


class ElasticFleet:
    """The workers of one run.

    Args:
        folder: Where they note their steps.
        speeds: Relative speed of each; empty where nothing is to be paced.
        sample_s: Seconds per sample at speed 1.
        options: What `elastic_worker.py` is told.
        peer_timeout_s: After this a peer that answers nothing counts as hung.
        is_elastic: Whether workers may come and go; else a fixed team on `DistributedDataParallel`.
    """

    def __init__(
        self,
        folder: Path,
        speeds: Sequence[float],
        *,
        sample_s: float,
        options: Mapping[str, Any],
        peer_timeout_s: float = 10.0,
        is_elastic: bool = True,
    ) -> None:
        self.folder = folder
        self.speeds = speeds
        self._options = json.dumps(options)
        self._port = free_port()
        self._variables = {
            "WORLD_SIZE": str(len(speeds)),
            "LOCAL_RANK": "0",
            "MASTER_ADDR": "127.0.0.1",
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "STEELYARD_IMITATED_SAMPLE_MS": str(1000 * sample_s),
            "STEELYARD_PEER_TIMEOUT_S": str(peer_timeout_s),
            "STEELYARD_LIGHTHOUSE": "",
        }
        self._lighthouse = None
        if is_elastic:
            self._lighthouse = LighthouseProcess(
                "127.0.0.1", free_port(), min_workers=1, join_timeout_s=peer_timeout_s
            )
            self._lighthouse.start()
            self._variables["STEELYARD_LIGHTHOUSE"] = self._lighthouse.address
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, rank: int, restart_count: int = 0) -> str:
        """Start a worker and return its name."""
        name = f"{rank}.{restart_count}"
        variables = {
            "RANK": str(rank),
            "TORCHELASTIC_RESTART_COUNT": str(restart_count),
            "MASTER_PORT": str(self._port),
            "STEELYARD_IMITATED_SPEED": str(self.speeds[rank]),
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(WORKER), str(self.folder), self._options],
                env={**os.environ, **self._variables, **variables},
                stdout=log,
                stderr=log,
            )
        return name

    def renew_port(self) -> None:
        """Meet elsewhere, as a team that is started again does."""
        self._port = free_port()

    def send(self, name: str, number: signal.Signals) -> float:
        """Send a signal; returns the time of the monotonic clock."""
        self.workers[name].send_signal(number)
        return time.monotonic()

    def notes(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def made(self, name: str) -> list[dict[str, Any]]:
        return [note for note in self.notes(name) if note["kind"] == "made"]

    def wait_for_step(self, name: str, deadline_s: float, *, since_s: float = 0.0) -> None:
        """Wait until a worker has made a step since a time of the monotonic clock."""
        while not any(note["time"] > since_s for note in self.made(name)[-1:]):
            if self.workers[name].poll() not in (None, 0):
                raise SystemExit(f"worker {name} ended: {(self.folder / f'{name}.log').read_text()[-2000:]}")
            if time.monotonic() > deadline_s:
                raise SystemExit(f"worker {name} made no step in time")
            time.sleep(0.05)

    def wait(self, name: str, timeout_s: float) -> int:
        return self.workers[name].wait(timeout_s)

    def times_by_step(self) -> dict[int, float]:
        """Return when each step was made first."""
        times: dict[int, float] = {}
        for name in self.workers:
            for note in self.made(name):
                times[note["step"]] = min(note["time"], times.get(note["step"], note["time"]))
        return times

    def unaccounted(self, num_steps: int, num_per_epoch: int) -> int:
        """Count the samples that an epoch's steps left out or took twice, over all epochs begun.

        Args:
            num_steps: Steps of the run.
            num_per_epoch: Samples of an epoch; its last window holds what is left of them.

        Returns:
            How many. A step counts as those made it who voted for it: with the shares that a worker which lived tells.
        """
        made: dict[int, tuple[int, ...]] = {}
        for name in self.workers:
            made |= {note["step"]: tuple(note["shares"]) for note in self.made(name)}
        sent: dict[int, Counter[int]] = {}
        for name in self.workers:
            tries = {note["step"]: note for note in self.notes(name) if note["kind"] == "sent"}
            for step, note in tries.items():
                if made.get(step) == tuple(note["shares"]):
                    sent.setdefault(step, Counter()).update(note["indices"])
        global_batch = sum(made[1])
        steps_per_epoch = -(-num_per_epoch // global_batch)
        missing = doubled = 0
        for first in range(1, num_steps + 1, steps_per_epoch):
            epoch: Counter[int] = Counter()
            for step in range(first, min(first + steps_per_epoch, num_steps + 1)):
                is_last = step == first + steps_per_epoch - 1
                size = num_per_epoch - (steps_per_epoch - 1) * global_batch if is_last else global_batch
                samples = sent.get(step, Counter())
                missing += abs(size - samples.total())
                epoch += samples
            doubled += epoch.total() - len(epoch)
        return missing + doubled

    def lost(self) -> list[dict[str, Any]]:
        """Return the notes of steps that were not made; those who lost the same step note it each."""
        return [note for name in self.workers for note in self.notes(name) if note["kind"] == "lost"]

    def loss_after(self, num_steps: int) -> float:
        """Return the loss over all samples with the parameters that a number of steps came to."""
        for name in self.workers:
            path = self.folder / f"{name}.loss"
            if path.exists() and self.made(name)[-1]["step"] == num_steps:
                return float(path.read_text())
        raise SystemExit(f"no worker ended after step {num_steps}")

    def end(self) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        if self._lighthouse is not None:
            self._lighthouse.stop()
