from __future__ import annotations

CLUSTER = "steelyard:cluster"
GROUP = "steelyard:group"
ROLE = "steelyard:role"


def cluster_tags(cluster: str) -> dict[str, str]:
    """Return the tags of everything that belongs to a cluster."""
    return {CLUSTER: cluster}


def node_tags(cluster: str, group: str, role: str) -> dict[str, str]:
    """Return the tags of a node: its cluster, its group, and whether it is the head or a worker."""
    return {CLUSTER: cluster, GROUP: group, ROLE: role}
