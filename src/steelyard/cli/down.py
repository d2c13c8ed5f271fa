"""`steelyard down`."""

from __future__ import annotations

from steelyard.cli.consent import Yes, require
from steelyard.cli.console import ClusterName, OutputFormat, counted, print_json, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cli.project import ProgramDir, StackName, down_project, require_one
from steelyard.cli.target import cluster_named


def down(
    *,
    cluster: ClusterName = None,
    program: ProgramDir = None,
    stack: StackName = None,
    yes: Yes = False,
    output: OutputFormat = "text",
) -> None:
    """Take a cluster down: delete all that `up` created, and stop the local cloud when nothing else stands on it.

    On Alibaba Cloud it asks first.

    **Examples**

    `steelyard down`

    `steelyard down --cluster demo --yes`

    `steelyard down --program examples/04-own-pulumi-program`

    Args:
        cluster: Name of the cluster.
        program: Folder of a Pulumi project of your own that was brought up.
        stack: Stack of that project.
        yes: Do not ask.
        output: Form of what is printed on stdout.
    """
    require_one(program, stack, cluster, "--cluster")
    if program is not None:
        down_project(program, stack, output=output)
        return
    standing = cluster_named(cluster, yes=yes)
    standing.prepare()
    if standing.spends_money:
        resources = counted(sum(standing.resource_counts().values()), "resource")
        require(f"delete the {resources} of {standing.name} on {standing.target_description}", yes=yes)
    with DeployProgress() as progress:
        result = standing.down(progress)
    if output == "json":
        print_json({"cluster": standing.name, "changes": result.num_by_op})
        return
    deleted = counted(result.num_by_op.get("delete", 0), "resource")
    stderr().print(f"{standing.name} is down: {deleted} deleted")
