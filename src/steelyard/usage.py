"""What a tree of processes uses of the instance that it stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an instance uses of itself.

    Attributes:
        cpu_percent: Part of its CPUs, 0 to 100; None where nothing was measured before.
        memory_percent: Part of its memory, 0 to 100.
    """

    cpu_percent: float | None
    memory_percent: float


class UsageMeter:
    """Measures one instance by its processes, from one call to the next.

    The CPU's 100 % are the CPUs that the instance could have here: those of its type, or this machine's where it has
    fewer.

    Args:
        num_cpus: CPUs of its type.
        memory_bytes: Memory of its type.
    """

    def __init__(self, *, num_cpus: int, memory_bytes: float) -> None:
        self._num_cpus = min(num_cpus, os.cpu_count() or 1)
        self._memory_bytes = memory_bytes
        self._before: tuple[float, float] | None = None

    def measure(self, now: float, process_ids: Iterable[int]) -> Usage:
        """Measure once.

        Args:
            now: The time in seconds, by one clock for all calls.
            process_ids: All its living processes.
        """
        cpu_s, resident = _used(process_ids)
        before, self._before = self._before, (now, cpu_s)
        percent = None
        # After a reboot the processes are others, which begin to count anew.
        if before is not None and now > before[0] and cpu_s >= before[1]:
            percent = min(100.0, 100 * (cpu_s - before[1]) / ((now - before[0]) * self._num_cpus))
        return Usage(cpu_percent=percent, memory_percent=min(100.0, 100 * resident / self._memory_bytes))


def _used(process_ids: Iterable[int]) -> tuple[float, int]:
    """Give the CPU seconds that processes have used, those of their dead included, and their resident bytes.

    A process that ends leaves its time to the one that reaps it, and who keeps an instance reaps all orphans, so that
    nothing is lost or counted twice.
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
