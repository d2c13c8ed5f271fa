"""How many cores and threads of its type an instance shows, which is kept and answered."""

from __future__ import annotations

from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import errors
from steelyard.spec.catalogue import INSTANCE_TYPES

_TOPOLOGIES = ("", "ContinuousCoreToHTMapping", "DiscreteCoreToHTMapping")


class CpuOptions(TypedDict):
    """What a call says of an instance's cores; 0 and nothing for what its type has."""

    cpu_core_count: int
    cpu_threads_per_core: int
    cpu_topology: str


OF_TYPE = CpuOptions(cpu_core_count=0, cpu_threads_per_core=0, cpu_topology="")
"""What holds where nobody says anything."""


def read_cpu_options(request: Request, instance_type: str, default: CpuOptions) -> CpuOptions:
    """Read `CpuOptions`.

    Args:
        request: The call.
        instance_type: The instance's type, which has no more cores than half of its vCPUs.
        default: What holds where the call says nothing.

    Raises:
        ApiError: `InvalidCpuOptions.….ValueNotSupported`, a code from memory.
    """
    given = request.params.get("CpuOptions") or {}
    assert isinstance(given, dict)
    cores = given.get("Core", default["cpu_core_count"])
    threads = given.get("ThreadsPerCore", default["cpu_threads_per_core"])
    topology = given.get("TopologyType", default["cpu_topology"])
    if not 0 <= cores <= max(1, INSTANCE_TYPES[instance_type].vcpus // 2):
        raise errors.value_not_supported("CpuOptions.Core", cores)
    if threads not in (0, 1, 2):
        raise errors.value_not_supported("CpuOptions.ThreadsPerCore", threads)
    if topology not in _TOPOLOGIES:
        raise errors.value_not_supported("CpuOptions.TopologyType", topology)
    return CpuOptions(cpu_core_count=cores, cpu_threads_per_core=threads, cpu_topology=topology)
