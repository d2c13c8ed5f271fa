"""The agent of one node: a Ray actor that starts and watches training processes there.

It has torchrun's name for the same part. It lives as long as its node, so that a job does not wait for a process of
Ray to start, and it never imports torch.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from steelyard import settings
from steelyard.errors import TrainingError
from steelyard.training.package import unpack
from steelyard.training.port import free_port
from steelyard.training.worker import WorkerProcess, WorkerReport

_NUM_KEPT_FOLDERS = 5
_DROPPED_PREFIXES = ("RAY_",)
_DROPPED_NAMES = frozenset({"OMP_NUM_THREADS", settings.HOME, settings.WORK_DIR})


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """What one worker of a job is started with.

    Attributes:
        run_id: The job's id.
        rank: Its rank.
        world_size: How many workers the job has.
        master_address: Address of rank 0's node.
        master_port: A port that is free there.
        script: Path of the script in the package.
        args: The script's arguments.
        environment: What the job adds to the environment.
        node_id: Instance id of its node.
        balance: `speed` or `equal`.
        imitated_speed: Relative speed to imitate; None where nothing is imitated.
        lighthouse: Address of the lighthouse of an elastic job; None where the set of workers is fixed.
        min_workers: How few workers of an elastic job may go on.
        restart_count: How many workers of the job were started again by now; where the set of workers is fixed, how
            often all of them were.
        attempt: How often the job's workers were all started anew.
        local_rank: Number of the worker on its node.
        local_world_size: Workers of the job on the node.
        group_rank: Number of the node in the job.
        num_groups: Nodes of the job.
    """

    run_id: str
    rank: int
    world_size: int
    master_address: str
    master_port: int
    script: str
    args: Sequence[str]
    node_id: str
    balance: str
    imitated_speed: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    lighthouse: str | None = None
    min_workers: int = 1
    restart_count: int = 0
    attempt: int = 0
    local_rank: int = 0
    local_world_size: int = 1
    group_rank: int = 0
    num_groups: int = 1


class WorkerAgent:
    """Runs the workers of one node.

    Args:
        address: The node's private address.
        folder: Where packages are unpacked; the last few jobs' folders are kept. What the node says in its environment
            where it is not given.
    """

    def __init__(self, address: str, folder: Path | None = None) -> None:
        self._address = address
        self._folder = folder or Path(os.environ[settings.WORK_DIR])
        self._workers: dict[tuple[str, int], WorkerProcess] = {}
        self._starting = asyncio.Lock()

    async def ready(self) -> int:
        """Return the agent's process id, once it can answer."""
        return os.getpid()

    async def free_port(self) -> int:
        """Return a TCP port that is free on the node, and that stays so until a worker listens there."""
        return free_port()

    async def start(self, spec: WorkerSpec, package: bytes) -> None:
        """Unpack a job's package and start its worker.

        Raises:
            UsageError: The package cannot be unpacked.
            OSError: The worker cannot be started.
        """
        folder = self._folder / spec.run_id
        async with self._starting:
            running = {run_id for run_id, _ in self._workers}
            if spec.run_id not in running:
                await asyncio.to_thread(self._prepare, folder, package, running)
            before = self._workers.get((spec.run_id, spec.rank))
            if before is not None:
                await before.stop(0.0)
            self._start(spec, folder)

    def _start(self, spec: WorkerSpec, folder: Path) -> None:
        events_path = folder / f"events-{spec.rank}-{spec.attempt}-{spec.restart_count}.jsonl"
        environment = worker_environment(os.environ, spec, address=self._address, events_path=events_path)
        worker = WorkerProcess(
            [sys.executable, spec.script, *spec.args],
            folder=folder / "package",
            environment=environment,
            # Of an elastic job whoever has been in it longest tells of the steps.
            events_path=events_path if spec.rank == 0 or spec.lighthouse else None,
        )
        worker.start()
        self._workers[spec.run_id, spec.rank] = worker

    async def read(self, run_id: str, rank: int, max_wait_s: float) -> WorkerReport:
        """Return what a worker has written; after its end it is forgotten.

        Raises:
            TrainingError: There is no such worker: it ended with an agent that this one took the place of.
        """
        worker = self._workers.get((run_id, rank))
        if worker is None:
            raise TrainingError("the agent was started again, which ended the worker")
        report = await worker.report(max_wait_s)
        if report.exit_code is not None and self._workers.get((run_id, rank)) is worker:
            del self._workers[run_id, rank]
        return report

    async def stop(self, run_id: str, rank: int, grace_s: float) -> None:
        """End a worker, if it is there; one that is being started is waited for."""
        async with self._starting:
            worker = self._workers.get((run_id, rank))
        if worker is not None:
            await worker.stop(grace_s)

    def _prepare(self, folder: Path, package: bytes, running: Collection[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        old = sorted(self._folder.iterdir(), key=lambda entry: entry.stat().st_mtime)
        for entry in old[: max(0, len(old) - _NUM_KEPT_FOLDERS + 1)]:
            if entry.name not in running:
                shutil.rmtree(entry, ignore_errors=True)
        unpack(package, folder / "package")


def worker_environment(
    base: Mapping[str, str], spec: WorkerSpec, *, address: str, events_path: Path
) -> dict[str, str]:
    """Return the environment of a worker: torchrun's variables and Steelyard's, on top of the node's.

    Ray's own variables are left out: a script has no business with Ray's token.

    Source: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables

    Args:
        base: The node's environment.
        spec: The worker.
        address: The node's private address.
        events_path: Where the worker writes its events.
    """
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith(_DROPPED_PREFIXES) and name not in _DROPPED_NAMES
    }
    shares_machine = ipaddress.ip_address(address).is_loopback
    num_threads = 1 if shares_machine else max((os.cpu_count() or 1) // spec.local_world_size, 1)
    kept |= {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": str(num_threads)}
    interface = interface_of(address)
    if interface is not None:
        kept["GLOO_SOCKET_IFNAME"] = interface
        if not shares_machine:
            kept["NCCL_SOCKET_IFNAME"] = interface
    kept |= spec.environment
    kept |= _torchrun_variables(spec)
    kept |= {
        settings.JOB_ID: spec.run_id,
        settings.NODE_ID: spec.node_id,
        settings.EVENTS_PATH: str(events_path),
        settings.BALANCE: spec.balance,
    }
    if spec.lighthouse is not None:
        kept |= {
            settings.LIGHTHOUSE: spec.lighthouse,
            settings.NODE_ADDRESS: address,
            settings.MIN_WORKERS: str(spec.min_workers),
            "RUST_LOG": "warn",  # torchft's native parts tell every step otherwise
        }
    kept.pop(settings.IMITATED_SPEED, None)
    if spec.imitated_speed is not None:
        kept[settings.IMITATED_SPEED] = repr(spec.imitated_speed)
    return kept


def _torchrun_variables(spec: WorkerSpec) -> dict[str, str]:
    return {
        "RANK": str(spec.rank),
        "WORLD_SIZE": str(spec.world_size),
        "LOCAL_RANK": str(spec.local_rank),
        "LOCAL_WORLD_SIZE": str(spec.local_world_size),
        "GROUP_RANK": str(spec.group_rank),
        "GROUP_WORLD_SIZE": str(spec.num_groups),
        "ROLE_NAME": "default",
        "ROLE_RANK": str(spec.rank),
        "ROLE_WORLD_SIZE": str(spec.world_size),
        "MASTER_ADDR": spec.master_address,
        "MASTER_PORT": str(spec.master_port),
        "TORCHELASTIC_RUN_ID": spec.run_id,
        settings.RESTART_COUNT: str(spec.restart_count),
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_USE_AGENT_STORE": "False",
    }


def interface_of(address: str) -> str | None:
    """Return the network interface that holds an IPv4 address; for any loopback address the loopback interface."""
    is_loopback = ipaddress.ip_address(address).is_loopback
    for name, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if entry.family != socket.AF_INET:
                continue
            if entry.address == address or (is_loopback and ipaddress.ip_address(entry.address).is_loopback):
                return name
    return None
