"""`steelyard refresh`."""

from __future__ import annotations

from steelyard.cli.consent import Yes
from steelyard.cli.console import ClusterName, OutputFormat, print_json, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cli.project import ProgramDir, StackName, refresh_project, require_one
from steelyard.cli.target import cluster_named
from steelyard.deploy import Result


def refresh(
    *,
    cluster: ClusterName = None,
    program: ProgramDir = None,
    stack: StackName = None,
    yes: Yes = False,
    output: OutputFormat = "text",
) -> None:
    """Ask the cloud how the cluster's resources are, and remember that; nothing in the cloud changes.

    A resource that is gone is forgotten, so that the next `up` makes it again. One that was changed by somebody else is
    remembered as it is, so that `preview` shows the difference and `up` changes it back.

    **Examples**

    `steelyard refresh`

    `steelyard refresh --cluster demo --output json`

    Args:
        cluster: Name of the cluster.
        program: Folder of a Pulumi project of your own that was brought up.
        stack: Stack of that project.
        yes: Install the Pulumi CLI without asking, where target alicloud needs it.
        output: Form of what is printed on stdout.
    """
    require_one(program, stack, cluster, "--cluster")
    if program is not None:
        name, result = refresh_project(program, stack)
        _print(name, "project", result, output=output)
        return
    standing = cluster_named(cluster, yes=yes)
    standing.prepare()
    with DeployProgress() as progress:
        result = standing.refresh(progress)
    _print(standing.name, "cluster", result, output=output)


def _print(name: str, kind: str, result: Result, *, output: OutputFormat) -> None:
    found = {"gone": "delete", "changed": "update", "same": "same"}
    if output == "json":
        print_json(
            {
                kind: name,
                **{word: [step.urn for step in result.steps if step.op == op] for word, op in found.items()},
            }
        )
        return
    told = ", ".join(f"{result.num_by_op.get(op, 0)} {word}" for word, op in found.items())
    stderr().print(f"{name}: {told}; `steelyard preview` shows what `up` would do about it")
