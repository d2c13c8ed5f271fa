"""The lighthouse of an elastic job: where its workers meet for every step.

It is torchft's own, in a process of its own: ``python -m steelyard.training.lighthouse --bind HOST:PORT``.
The process knows nothing that the job could not lose: started again at the same address, it finds out who lives
from the workers' next heartbeats.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from steelyard.errors import TrainingError
from steelyard.training.worker import die_with_parent

HEARTBEAT_TIMEOUT_S = 0.6
"""Silence after which a worker counts as dead; workers send a heartbeat every 0.1 s."""

TICK_S = 0.02
"""How often the lighthouse looks whether those that live have all come."""


class LighthouseProcess:
    """A lighthouse in a child process.

    Args:
        host: IPv4 address to listen on.
        port: Port to listen on.
        min_workers: How few workers make a quorum.
        join_timeout_s: How long a step waits for a worker that lives and does not come.
    """

    def __init__(self, host: str, port: int, *, min_workers: int, join_timeout_s: float) -> None:
        self.address = f"http://{host}:{port}"
        self._command = [
            sys.executable,
            "-m",
            __name__,
            f"--bind={host}:{port}",
            f"--min-workers={min_workers}",
            f"--join-timeout={join_timeout_s}",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.num_starts = 0
        """How often it was started."""

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Id of the process that was started last.

        Raises:
            TrainingError: It was never started.
        """
        if self._process is None:
            raise TrainingError("the lighthouse was not started", "call start first")
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again where it has died; where it lives nothing happens."""
        if self.is_running:
            return
        self._process = subprocess.Popen(
            self._command,
            env=os.environ | {"RUST_LOG": "warn"},  # its default tells every step
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent(),
        )
        self.num_starts += 1

    def stop(self) -> None:
        """End it and wait for its end."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def main(arguments: list[str] | None = None) -> None:
    """Run a lighthouse until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m steelyard.training.lighthouse", description=__doc__)
    parser.add_argument("--bind", required=True, help="HOST:PORT")
    parser.add_argument("--min-workers", type=int, default=1)
    parser.add_argument("--join-timeout", type=float, default=10.0, help="seconds")
    options = parser.parse_args(arguments)
    server = _server_class()(
        bind=options.bind,
        min_replicas=options.min_workers,
        join_timeout_ms=round(options.join_timeout * 1000),
        quorum_tick_ms=round(TICK_S * 1000),
        heartbeat_timeout_ms=round(HEARTBEAT_TIMEOUT_S * 1000),
    )
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)
    server.shutdown()


def _server_class() -> Any:
    """Return torchft's server from its native module alone: the package around it imports torch, for seconds."""
    package = importlib.util.find_spec("torchft")
    folders = package.submodule_search_locations if package is not None else None
    path = next((found for folder in folders or () for found in Path(folder).glob("_torchft*.so")), None)
    if path is None:
        raise TrainingError("torchft is not installed", "install Steelyard with its dependencies")
    spec = importlib.util.spec_from_file_location("_torchft", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LighthouseServer


if __name__ == "__main__":
    main()
