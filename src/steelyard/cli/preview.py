"""`steelyard preview`."""

from __future__ import annotations

from steelyard.cli.console import OutputFormat
from steelyard.cli.progress import DeployProgress
from steelyard.cli.project import ProgramDir, StackName, preview_project, print_foreseen, require_one
from steelyard.cli.target import SpecFile, home, spec_from
from steelyard.cluster import Cluster


def preview(
    *,
    file: SpecFile = None,
    program: ProgramDir = None,
    stack: StackName = None,
    output: OutputFormat = "text",
) -> None:
    """Show what `up` would create, change and delete, and change nothing.

    **Examples**

    `steelyard preview`

    `steelyard preview --file cluster.yaml --output json`

    `steelyard preview --program examples/04-own-pulumi-program`

    Args:
        file: The cluster file; ./cluster.yaml where it is not given.
        program: Folder of a Pulumi project of your own.
        stack: Stack of that project.
        output: Form of what is printed on stdout.
    """
    require_one(program, stack, file, "--file")
    if program is not None:
        preview_project(program, stack, output=output)
        return
    cluster = Cluster(home(), spec_from(file))
    with DeployProgress(shows_same=True) as progress:
        result = cluster.preview(progress)
    print_foreseen(cluster.name, "cluster", result, output=output)
