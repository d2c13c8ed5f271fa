"""Starts the workers of an elastic run under a lighthouse, and ends whatever is left of them."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from steelyard.training.lighthouse import LighthouseProcess
from steelyard.training.port import free_port

SCRIPT = Path(__file__).parent / "elastic_worker.py"
DEADLINE_S = 240.0


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < end_s, f"waited {DEADLINE_S:.0f} s until {what}"
        time.sleep(0.02)


EXACT = 1e-12


def flat(values: Any) -> list[float]:
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [values]


class WorkerServer:
    """A process that has imported torch, and forks workers: they start at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def fork(self, order: dict[str, Any]) -> int:
        """Return the process id of the worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class ElasticRun:
    """The workers of one run, and what they left in a folder."""

    def __init__(
        self,
        server: WorkerServer,
        folder: Path,
        *,
        num_steps: int,
        num_workers: int = 3,
        min_workers: int = 1,
        peer_timeout_s: float = 10.0,
        is_fixed: bool = False,
    ) -> None:
        self.folder = folder
        self.num_steps = num_steps
        self.num_workers = num_workers
        self._is_fixed = is_fixed
        self._server = server
        self._gate_port = free_port()
        self._variables = {
            "STEELYARD_IMITATED_SPEED": "1",
            "STEELYARD_IMITATED_SAMPLE_MS": "4",
            "STEELYARD_PEER_TIMEOUT_S": str(peer_timeout_s),
            "STEELYARD_MIN_WORKERS": str(min_workers),
        }
        self.lighthouse = LighthouseProcess(
            "127.0.0.1", free_port(), min_workers=min_workers, join_timeout_s=peer_timeout_s
        )
        if not is_fixed:
            self.lighthouse.start()
        self.pids: dict[str, int] = {}

    def start(self, rank: int, restart_count: int = 0, *, is_alone: bool = False, **options: Any) -> str:
        """Start a worker and return its name."""
        name = f"{rank}.{restart_count}"
        variables = {
            "RANK": str(rank),
            "WORLD_SIZE": "1" if is_alone else str(self.num_workers),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self._gate_port),
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "TORCHELASTIC_RESTART_COUNT": str(restart_count),
            "STEELYARD_LIGHTHOUSE": "" if is_alone or self._is_fixed else self.lighthouse.address,
            "STEELYARD_NODE_ID": f"i-{rank}",
            "STEELYARD_EVENTS_PATH": str(self.folder / f"{name}.events"),
            **self._variables,
        }
        if is_alone:
            variables["STEELYARD_IMITATED_SAMPLE_MS"] = "0.01"
        order = {
            "environment": variables,
            "folder": str(self.folder),
            "log": str(self.folder / f"{name}.log"),
            "exit": str(self.folder / f"{name}.exit"),
            "options": {"num_steps": self.num_steps, "is_alone": is_alone, **options},
        }
        self.pids[name] = self._server.fork(order)
        return name

    def exit_code(self, name: str) -> int | None:
        path = self.folder / f"{name}.exit"
        return int(path.read_text()) if path.exists() else None

    def wait(self, *names: str) -> None:
        """Wait for workers to end well."""
        for name in names:
            wait_until(lambda name=name: self.exit_code(name) is not None, f"{name} ends")
            assert self.exit_code(name) == 0, f"{name} ended badly: {self.log(name)[-3000:]}"

    def wait_for_step(self, name: str, step: int) -> None:
        wait_until(
            lambda: any(note["step"] >= step for note in self.made(name)), f"{name} has made step {step}"
        )

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a worker a signal; one that has just ended may not have left its exit code yet."""
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def go_on(self) -> None:
        """Have workers that linger between their steps do so no more."""
        (self.folder / "go").touch()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def notes(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def made(self, name: str) -> list[dict[str, Any]]:
        return [note for note in self.notes(name) if note["is_made"]]

    def longest_pause_s(self, name: str) -> float:
        """Return the longest time between two steps that were made."""
        times = [note["time"] for note in self.made(name)]
        return max(after - before for before, after in itertools.pairwise(times))

    def result(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.folder / f"{name}.result.json").read_text())
        return result

    def assert_ended_as(self, other: ElasticRun, name: str) -> None:
        """Compare a worker's end with that of the first worker of another run of the same steps."""
        expected, actual = other.result("0.0"), self.result(name)
        for part in ("parameters", "momentum"):
            pairs = zip(flat(expected[part]), flat(actual[part]), strict=True)
            assert max(abs(one - other) for one, other in pairs) <= EXACT
        assert actual["lr"] == expected["lr"]
        assert actual["state"]["cursor"] == expected["state"]["cursor"]

    def samples_by_step(self) -> dict[int, Counter[int]]:
        """Count the samples of every step over all workers."""
        steps: dict[int, Counter[int]] = {}
        for name in self.pids:
            for note in self.made(name):
                steps.setdefault(note["step"], Counter()).update(note["indices"])
        return steps

    def end(self) -> None:
        for name in self.pids:
            if self.exit_code(name) is None:
                self.send(name, signal.SIGKILL)
                wait_until(lambda name=name: self.exit_code(name) is not None, f"{name} is killed")
        self.lighthouse.stop()
