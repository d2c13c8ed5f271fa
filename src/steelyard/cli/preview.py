"""`steelyard preview`."""

from __future__ import annotations

from steelyard.cli.console import OutputFormat, print_json, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cli.target import SpecFile, home, spec_from
from steelyard.cluster import Cluster


def preview(*, file: SpecFile = None, output: OutputFormat = "text") -> None:
    """Show what `up` would create, change and delete, and change nothing.

    **Examples**

    `steelyard preview`

    `steelyard preview --file cluster.yaml --output json`

    Args:
        file: The cluster file; ./cluster.yaml where it is not given.
        output: Form of what is printed on stdout.
    """
    cluster = Cluster(home(), spec_from(file))
    with DeployProgress(shows_same=True) as progress:
        result = cluster.preview(progress)
    if output == "json":
        steps = [
            {"op": step.op, "type": step.type, "name": step.name, "urn": step.urn, "diff": list(step.diff)}
            for step in result.steps
        ]
        print_json({"cluster": cluster.name, "changes": result.num_by_op, "steps": steps})
        return
    changes = ", ".join(
        f"{count} to {op}" if op != "same" else f"{count} unchanged" for op, count in result.num_by_op.items()
    )
    stderr().print(f"{cluster.name}: {changes or 'nothing to do'}")
