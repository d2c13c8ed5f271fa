"""`steelyard preview`."""

from __future__ import annotations

from steelyard.cli.consent import Yes
from steelyard.cli.console import OutputFormat, stderr, stdout
from steelyard.cli.foreseen import foresee, print_price
from steelyard.cli.project import ProgramDir, StackName, preview_project, print_foreseen, require_one
from steelyard.cli.target import SpecFile, cloud_access, home, spec_from
from steelyard.cluster import Cluster


def preview(
    *,
    file: SpecFile = None,
    program: ProgramDir = None,
    stack: StackName = None,
    refresh: bool = False,
    yes: Yes = False,
    output: OutputFormat = "text",
) -> None:
    """Show what `up` would create, change and delete, and what the cluster would cost by the hour; change nothing.

    **Examples**

    `steelyard preview`

    `steelyard preview --file cluster.yaml --output json`

    `steelyard preview --refresh`

    `steelyard preview --program examples/04-own-pulumi-program`

    Args:
        file: The cluster file; ./cluster.yaml where it is not given.
        program: Folder of a Pulumi project of your own.
        stack: Stack of that project.
        refresh: Ask the cloud first how its resources are, so that what others changed is seen.
        yes: Install the Pulumi CLI without asking, where target alicloud needs it.
        output: Form of what is printed on stdout.
    """
    require_one(program, stack, file, "--file")
    if program is not None:
        preview_project(program, stack, refresh=refresh, output=output)
        return
    cluster = Cluster(home(), spec_from(file), cloud_access(yes=yes))
    cluster.check_files()
    cluster.prepare()
    result, price = foresee(cluster, refresh=refresh, shows=True, shows_same=True)
    budget = cluster.spec.budget.max_hourly_cost
    more = {"price": {**price.as_dict(), "budget": budget}}
    print_foreseen(cluster.name, "cluster", result, output=output, more=more)
    if output == "text":
        print_price(price, stdout())
        if budget is not None and price.ceiling > budget:
            stderr().print(f"[red]more than the budget of {budget:.2f}:[/] `up` would refuse it")
