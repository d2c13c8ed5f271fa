"""What instances use, measured on their real process trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from steelyard.localcloud.services.cms import dimension
from steelyard.localcloud.services.cms.series import MeasuredSeries, sample
from steelyard.localcloud.services.ecs.models import RUNNING, Instance
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.usage import UsageMeter

ECS_NAMESPACE: Final = "acs_ecs_dashboard"
CPU, MEMORY = "CPUUtilization", "memory_usedutilization"


class Meter:
    """Measures CPU and memory of instances into series; `steelyard.usage` says of what.

    Args:
        series: Where figures go.
    """

    def __init__(self, series: MeasuredSeries) -> None:
        self._series = series
        self._meters: dict[str, UsageMeter] = {}

    def measure(
        self, now: float, instances: Iterable[Instance], process_ids: Mapping[str, Iterable[int]]
    ) -> None:
        """Add a sample of each running instance; the first one of an instance gives no CPU figure yet.

        Args:
            now: Unix time.
            instances: All instances.
            process_ids: The living processes by instance id.
        """
        seen: dict[str, UsageMeter] = {}
        for instance in instances:
            if instance.status != RUNNING or instance.is_released:
                continue
            meter = seen[instance.id] = self._meters.get(instance.id) or _meter_of(instance)
            usage = meter.measure(now, process_ids.get(instance.id, ()))
            dimensions = dimension.text_of({"instanceId": instance.id})
            self._series.put((ECS_NAMESPACE, MEMORY, dimensions), sample(now, usage.memory_percent))
            if usage.cpu_percent is not None:
                self._series.put((ECS_NAMESPACE, CPU, dimensions), sample(now, usage.cpu_percent))
        self._meters = seen


def _meter_of(instance: Instance) -> UsageMeter:
    instance_type = INSTANCE_TYPES[instance.instance_type]
    return UsageMeter(num_cpus=instance_type.vcpus, memory_bytes=instance_type.memory_gib * 2**30)
