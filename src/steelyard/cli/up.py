"""`steelyard up`."""

from __future__ import annotations

import time

from steelyard.cli.consent import Yes, require
from steelyard.cli.console import OutputFormat, counted, print_json, print_record, print_table, stderr
from steelyard.cli.foreseen import foresee, print_price
from steelyard.cli.progress import DeployProgress
from steelyard.cli.project import ProgramDir, StackName, require_one, up_project
from steelyard.cli.status import node_rows, tell_move
from steelyard.cli.target import SpecFile, cloud_access, home, spec_from
from steelyard.cluster import Cluster
from steelyard.deploy import Result


def up(
    *,
    file: SpecFile = None,
    program: ProgramDir = None,
    stack: StackName = None,
    refresh: bool = False,
    yes: Yes = False,
    wait_s: float = 120.0,
    output: OutputFormat = "text",
) -> None:
    """Bring the cluster of a cluster file up, or change a standing one to match it; or a Pulumi project of your own.

    Run again, it changes nothing. After a failure it goes on where it stopped. On Alibaba Cloud it shows what it is
    about to do, and asks.

    **Examples**

    `steelyard up`

    `steelyard up --file examples/cluster.yaml --output json`

    `steelyard up --file production.yaml --yes`

    `steelyard up --program examples/04-own-pulumi-program`

    Args:
        file: The cluster file; ./cluster.yaml where it is not given.
        program: Folder of a Pulumi project, whose program is applied to the local cloud.
        stack: Stack of that project.
        refresh: Ask the cloud first how its resources are, so that what others changed is changed back.
        yes: Do not ask.
        wait_s: How long to wait for every node to become healthy, in seconds; 0 does not wait.
        output: Form of what is printed on stdout.
    """
    require_one(program, stack, file, "--file")
    if program is not None:
        up_project(program, stack, output=output)
        return
    started = time.monotonic()
    cluster = Cluster(home(), spec_from(file), cloud_access(yes=yes))
    cluster.check_files()
    cluster.prepare()
    if cluster.spends_money or cluster.spec.budget.max_hourly_cost is not None:
        _agree(cluster, refresh=refresh, yes=yes)
    with DeployProgress() as progress:
        progress.say(f"[bold]{cluster.name}[/] on {cluster.target_description}")
        result = cluster.up(progress, refresh=refresh)
        if wait_s > 0:
            progress.say("waiting for the nodes to become healthy")
            cluster.wait_until_healthy(timeout_s=wait_s, on_look=progress.wait_for)
    _print(cluster, result, time.monotonic() - started, output)


def _agree(cluster: Cluster, *, refresh: bool, yes: bool) -> None:
    """Hold the price against the budget and, where money is spent, show what is about to be done and ask.

    Raises:
        UsageError: It costs too much, or is not agreed to.
    """
    if cluster.spends_money:
        stderr().print(f"[bold]{cluster.name}[/] on {cluster.target_description}: what `up` would do")
    foreseen, price = foresee(cluster, refresh=refresh, shows=cluster.spends_money)
    price.require_within(cluster.spec.budget.max_hourly_cost)
    if cluster.spends_money and foreseen.has_changes:
        print_price(price, stderr())
        changes = ", ".join(
            f"{op} {counted(count, 'resource')}"
            for op, count in sorted(foreseen.num_by_op.items())
            if op != "same"
        )
        require(f"do this: {changes}, {price.total:.2f} {price.currency} an hour", yes=yes)


def _print(cluster: Cluster, result: Result, seconds: float, output: OutputFormat) -> None:
    nodes = cluster.nodes()
    tell_move(cluster.moved_gateway())
    if output == "json":
        print_json(
            {
                "cluster": cluster.name,
                "changes": result.num_by_op,
                "outputs": cluster.outputs(),
                "nodes": [node.as_dict() for node in nodes],
                "seconds": round(seconds, 2),
            }
        )
        return
    changes = ", ".join(f"{count} {op}" for op, count in sorted(result.num_by_op.items())) or "no resources"
    print_table("Nodes", *node_rows(nodes))
    print_record("Outputs", cluster.outputs())
    stderr().print(f"up in {seconds:.1f} s: {changes}")
