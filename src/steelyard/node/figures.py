"""What a node knows of itself and, on the head, of the cluster's jobs, in figures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psutil

from steelyard.node.identity import Identity
from steelyard.node.job.record import JobState
from steelyard.node.process_tree import descendants
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.usage import UsageMeter

OwnFigures = Callable[[], Mapping[str, float]]
"""Gives `cpu_percent`, since the call before, and `memory_percent`; the first call may have no CPU figure."""


def own_figures(identity: Identity, *, shares_machine: bool) -> OwnFigures:
    """Return what measures this node.

    Args:
        identity: Who the node is.
        shares_machine: Whether other nodes stand on the same machine, as on the local cloud: the node is then its
            process tree, measured against its instance type, and not the machine.
    """
    if not shares_machine:
        return _machine_figures()
    instance_type = INSTANCE_TYPES[identity.instance_type]
    meter = UsageMeter(num_cpus=instance_type.vcpus, memory_bytes=instance_type.memory_gib * 2**30)

    def tree() -> Mapping[str, float]:
        usage = meter.measure(time.monotonic(), [os.getpid(), *(one.pid for one in descendants())])
        cpu = {} if usage.cpu_percent is None else {"cpu_percent": usage.cpu_percent}
        return {**cpu, "memory_percent": usage.memory_percent}

    return tree


def _machine_figures() -> OwnFigures:
    is_first = True

    def machine() -> Mapping[str, float]:
        nonlocal is_first
        # psutil's first answer covers no time, and means nothing.
        percent, was_first = psutil.cpu_percent(), is_first
        is_first = False
        cpu = {} if was_first else {"cpu_percent": percent}
        return {**cpu, "memory_percent": psutil.virtual_memory().percent}

    return machine


def cluster_figures(
    jobs: Sequence[Mapping[str, Any]], nodes: Sequence[Mapping[str, Any]]
) -> Mapping[str, float]:
    """Return the figures of the whole cluster (`spec.monitoring.OF_CLUSTER`).

    Args:
        jobs: Records as the API gives them.
        nodes: The cluster's nodes as the API gives them.
    """
    running = [job for job in jobs if job["state"] == JobState.RUNNING.value]
    busy = {place["node_id"] for job in running for place in job["nodes"]}
    workers = {node["node_id"] for node in nodes if node["is_alive"] and node["takes_work"]}
    speeds = [(job.get("last_event") or {}).get("samples_per_s") for job in running]
    figures = {
        "queued_jobs": float(sum(job["state"] == JobState.QUEUED.value for job in jobs)),
        "running_jobs": float(len(running)),
        "samples_per_s": float(sum(speed for speed in speeds if isinstance(speed, int | float))),
    }
    if workers:
        figures["busy_percent"] = 100 * len(busy & workers) / len(workers)
    return figures
