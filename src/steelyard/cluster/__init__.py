"""A cluster as its user sees it: what was asked for, what stands, and the way to its gateways."""

from steelyard.cluster.cloud_deployment import CloudAccess
from steelyard.cluster.cluster import Cluster
from steelyard.cluster.home import Home
from steelyard.cluster.node_status import NodeStatus
from steelyard.cluster.price import HourlyPrice
from steelyard.cluster.project_stack import ProjectStack

__all__ = ["CloudAccess", "Cluster", "Home", "HourlyPrice", "NodeStatus", "ProjectStack"]
