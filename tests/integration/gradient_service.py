"""Workers that are started once and then asked for many gradients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from gloo_workers import dist, worker_variables

SCRIPT = Path(__file__).parent / "gradient_server.py"


class GradientService:
    """Real workers of `gradient_server.py`; every case is given to all of them.

    Args:
        folder: Where the workers write their logs.
        num_workers: How many.
    """

    def __init__(self, folder: Path, num_workers: int) -> None:
        self.num_workers = num_workers
        self._logs = [folder / f"log-{rank}.txt" for rank in range(num_workers)]
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._workers = [self._start(rank) for rank in range(num_workers)]

    def ask(self, case: str, **arguments: Any) -> list[Any]:
        """Have all workers run a case of the server; returns their answers in rank order."""
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.write(json.dumps({"case": case, "arguments": arguments}) + "\n")
            worker.stdin.flush()
        lines = [worker.stdout.readline() for worker in self._workers if worker.stdout is not None]
        assert all(lines), "\n".join(log.read_text()[-3000:] for log in self._logs)
        return [json.loads(line) for line in lines]

    def __enter__(self) -> GradientService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            if kind is not None:
                worker.kill()
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self._workers:
            try:
                worker.wait(timeout=20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()

    def _start(self, rank: int) -> subprocess.Popen[str]:
        env = worker_variables(rank, self.num_workers, self._store.port, {})
        with self._logs[rank].open("wb") as log:
            return subprocess.Popen(
                [sys.executable, str(SCRIPT)],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
