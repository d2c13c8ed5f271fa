"""What is wanted: the cluster file, its checks, and what the cloud offers."""

from steelyard.spec.load import load_spec
from steelyard.spec.mistake import Mistake, SpecError
from steelyard.spec.model import (
    AccessSpec,
    ClusterSpec,
    DiskSpec,
    HealthCheckSpec,
    ListenerSpec,
    LoadBalancerSpec,
    NetworkSpec,
    NodeGroupSpec,
    NodePackageSpec,
    NodeRoleSpec,
)

__all__ = [
    "AccessSpec",
    "ClusterSpec",
    "DiskSpec",
    "HealthCheckSpec",
    "ListenerSpec",
    "LoadBalancerSpec",
    "Mistake",
    "NetworkSpec",
    "NodeGroupSpec",
    "NodePackageSpec",
    "NodeRoleSpec",
    "SpecError",
    "load_spec",
]
