"""Pulumi components for a load-balanced training cluster, each usable in a program of its own.

    from steelyard.components import Network, NetworkArgs

A name is imported when it is asked for: Pulumi's SDK takes half a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steelyard.components.auto_scaling import AutoScaling, AutoScalingArgs
    from steelyard.components.balancer_args import BalancerServer, LoadBalancerArgs
    from steelyard.components.certificate import CertificateArgs
    from steelyard.components.checkpoint_store import (
        BucketArgs,
        CheckpointStore,
        CheckpointStoreArgs,
        FileSystemArgs,
    )
    from steelyard.components.egress import Egress, EgressArgs
    from steelyard.components.firewall import Firewall, FirewallArgs
    from steelyard.components.load_balancer import LoadBalancer
    from steelyard.components.network import Network, NetworkArgs
    from steelyard.components.node_group import NodeGroup, NodeGroupArgs
    from steelyard.components.node_role import NodeRole, NodeRoleArgs
    from steelyard.components.training_cluster import TrainingCluster, TrainingClusterArgs
    from steelyard.components.user_data import PackageSource

_MODULES = {
    "AutoScaling": "auto_scaling",
    "AutoScalingArgs": "auto_scaling",
    "BalancerServer": "balancer_args",
    "BucketArgs": "checkpoint_store",
    "CertificateArgs": "certificate",
    "CheckpointStore": "checkpoint_store",
    "CheckpointStoreArgs": "checkpoint_store",
    "Egress": "egress",
    "EgressArgs": "egress",
    "FileSystemArgs": "checkpoint_store",
    "Firewall": "firewall",
    "FirewallArgs": "firewall",
    "LoadBalancer": "load_balancer",
    "LoadBalancerArgs": "balancer_args",
    "Network": "network",
    "NetworkArgs": "network",
    "NodeGroup": "node_group",
    "NodeGroupArgs": "node_group",
    "NodeRole": "node_role",
    "NodeRoleArgs": "node_role",
    "PackageSource": "user_data",
    "TrainingCluster": "training_cluster",
    "TrainingClusterArgs": "training_cluster",
}

__all__ = [
    "AutoScaling",
    "AutoScalingArgs",
    "BalancerServer",
    "BucketArgs",
    "CertificateArgs",
    "CheckpointStore",
    "CheckpointStoreArgs",
    "Egress",
    "EgressArgs",
    "FileSystemArgs",
    "Firewall",
    "FirewallArgs",
    "LoadBalancer",
    "LoadBalancerArgs",
    "Network",
    "NetworkArgs",
    "NodeGroup",
    "NodeGroupArgs",
    "NodeRole",
    "NodeRoleArgs",
    "PackageSource",
    "TrainingCluster",
    "TrainingClusterArgs",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
