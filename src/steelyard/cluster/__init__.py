"""A cluster as its user sees it: what was asked for, what stands, and the way to its gateways."""

from steelyard.cluster.cluster import Cluster, NodeStatus
from steelyard.cluster.home import Home

__all__ = ["Cluster", "Home", "NodeStatus"]
