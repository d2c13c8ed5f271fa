"""What is wanted: the cluster file, its checks, and what the cloud offers."""

from steelyard.spec.forwarding import RuleSpec
from steelyard.spec.load import load_spec
from steelyard.spec.load_balancer import HealthCheckSpec, ListenerSpec, LoadBalancerSpec
from steelyard.spec.mistake import Mistake, SpecError
from steelyard.spec.model import ClusterSpec
from steelyard.spec.network import AccessSpec, NetworkSpec
from steelyard.spec.node_group import (
    DataDiskSpec,
    DiskSpec,
    NodeGroupSpec,
    NodePackageSpec,
    NodeRoleSpec,
    SpotSpec,
)
from steelyard.spec.scaling import ScalingSpec, ScheduleSpec, StepSpec

__all__ = [
    "AccessSpec",
    "ClusterSpec",
    "DataDiskSpec",
    "DiskSpec",
    "HealthCheckSpec",
    "ListenerSpec",
    "LoadBalancerSpec",
    "Mistake",
    "NetworkSpec",
    "NodeGroupSpec",
    "NodePackageSpec",
    "NodeRoleSpec",
    "RuleSpec",
    "ScalingSpec",
    "ScheduleSpec",
    "SpecError",
    "SpotSpec",
    "StepSpec",
    "load_spec",
]
