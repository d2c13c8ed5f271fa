"""`steelyard down`."""

from __future__ import annotations

from steelyard.cli.console import ClusterName, OutputFormat, print_json, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cli.target import cluster_named


def down(*, cluster: ClusterName = None, output: OutputFormat = "text") -> None:
    """Take a cluster down: delete all that `up` created, and stop the local cloud when it was its last cluster.

    **Examples**

    `steelyard down`

    `steelyard down --cluster demo`

    Args:
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    standing = cluster_named(cluster)
    with DeployProgress() as progress:
        result = standing.down(progress)
    if output == "json":
        print_json({"cluster": standing.name, "changes": result.num_by_op})
        return
    stderr().print(f"{standing.name} is down: {result.num_by_op.get('delete', 0)} resources deleted")
