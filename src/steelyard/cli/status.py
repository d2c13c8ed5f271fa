"""`steelyard status`."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.cli.console import ClusterName, OutputFormat, print_json, print_record, print_table, stderr
from steelyard.cli.target import cluster_named
from steelyard.cluster import NodeStatus
from steelyard.errors import UnhealthyError

Rows = tuple[Sequence[str], Sequence[Sequence[object]]]


def status(*, cluster: ClusterName = None, output: OutputFormat = "text") -> int:
    """Show what stands of a cluster: its nodes with their health as the load balancer sees it, and its outputs.

    Exits with 3 where a node is not healthy.

    **Examples**

    `steelyard status`

    `steelyard status --cluster demo --output json`

    Args:
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    standing = cluster_named(cluster)
    nodes, moved_to = standing.nodes(), standing.moved_gateway()
    if output == "json":
        print_json(
            {
                "cluster": standing.name,
                "target": standing.spec.target,
                "is_settled": standing.is_settled,
                "resources": standing.resource_counts(),
                "outputs": standing.outputs(),
                "nodes": [node.as_dict() for node in nodes],
            }
        )
    else:
        print_table(f"{standing.name} on {standing.target_description}", *node_rows(nodes))
        print_record("Outputs", standing.outputs())
        print_record("Resources", standing.resource_counts())
    if not standing.is_settled:
        stderr().print(
            "the last `up` or `down` did not end: run it again, or clear all with `steelyard down`"
        )
    tell_move(moved_to)
    return 0 if nodes and all(node.is_healthy for node in nodes) else UnhealthyError.exit_code


def tell_move(moved_to: str | None) -> None:
    """Say that the load balancer is not where the outputs say, and what follows from that."""
    if moved_to is not None:
        stderr().print(
            f"the load balancer is at {moved_to} now, and not at `gateway_url`, as after the loss of a zone: `train` "
            "and `jobs` call it there; `steelyard up --refresh` takes the new place over"
        )


def node_rows(nodes: Sequence[NodeStatus]) -> Rows:
    """Return the header and the rows of the table of nodes."""
    header = ("node", "private address", "instance type", "zone", "state", "weight", "health")
    rows = [
        (
            node.id,
            node.private_ip,
            node.instance_type,
            node.zone_id,
            node.state,
            node.weight,
            "[green]healthy[/]" if node.is_healthy else f"[red]{node.health}[/]",
        )
        for node in nodes
    ]
    return header, rows
