"""What instances use, measured on their real process trees."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

import psutil

from steelyard.localcloud.services.cms import dimension
from steelyard.localcloud.services.cms.series import MeasuredSeries, sample
from steelyard.localcloud.services.ecs.models import RUNNING, Instance
from steelyard.spec.catalogue import INSTANCE_TYPES

ECS_NAMESPACE: Final = "acs_ecs_dashboard"
CPU, MEMORY = "CPUUtilization", "memory_usedutilization"


class Meter:
    """Measures CPU and memory of instances into series.

    The CPU's 100 % are the CPUs that the instance could have here: those of its type, or this machine's where it has
    fewer.

    Args:
        series: Where figures go.
    """

    def __init__(self, series: MeasuredSeries) -> None:
        self._series = series
        self._before: dict[str, tuple[float, float]] = {}

    def measure(
        self, now: float, instances: Iterable[Instance], process_ids: Mapping[str, Iterable[int]]
    ) -> None:
        """Add a sample of each running instance; the first one of an instance gives no CPU figure yet.

        Args:
            now: Unix time.
            instances: All instances.
            process_ids: The living processes by instance id.
        """
        seen: dict[str, tuple[float, float]] = {}
        for instance in instances:
            if instance.status != RUNNING or instance.is_released:
                continue
            cpu_s, resident = _usage(process_ids.get(instance.id, ()))
            seen[instance.id] = (now, cpu_s)
            dimensions = dimension.text_of({"instanceId": instance.id})
            instance_type = INSTANCE_TYPES[instance.instance_type]
            share = 100 * resident / (instance_type.memory_gib * 2**30)
            self._series.put((ECS_NAMESPACE, MEMORY, dimensions), sample(now, min(100.0, share)))
            then, before = self._before.get(instance.id, (now, cpu_s))
            # A reboot begins to count anew.
            if now > then and cpu_s >= before:
                num_cpus = min(instance_type.vcpus, os.cpu_count() or 1)
                percent = 100 * (cpu_s - before) / ((now - then) * num_cpus)
                self._series.put((ECS_NAMESPACE, CPU, dimensions), sample(now, min(100.0, percent)))
        self._before = seen


def _usage(process_ids: Iterable[int]) -> tuple[float, int]:
    """Give the CPU seconds that a process tree has used, those of its dead included, and its resident bytes.

    A process that ends leaves its time to the one that reaps it, and an instance's supervisor reaps all orphans, so
    that nothing is lost or counted twice.
    """
    cpu_s, resident = 0.0, 0
    for pid in process_ids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu_s += sum(process.cpu_times()[:4])
                resident += process.memory_info().rss
        except psutil.Error:
            continue
    return cpu_s, resident
