"""What a preview found of a cluster, and what that costs, as `preview` and `up` print it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from steelyard.cli.console import print_table, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cluster import Cluster, HourlyPrice, ProjectStack
from steelyard.cluster.price import PriceLine
from steelyard.deploy import Result


def foresee(
    cluster: Cluster | ProjectStack, *, refresh: bool, shows: bool, shows_same: bool = False
) -> tuple[Result, HourlyPrice]:
    """Preview a cluster or a project's stack and ask what it costs, leaving the local cloud as it was found.

    Args:
        cluster: The cluster or the stack.
        refresh: Whether the cloud is asked first how its resources are.
        shows: Whether the steps are printed.
        shows_same: Whether those that change nothing are, too.
    """
    with cluster.visit():
        if not shows:
            result = cluster.preview(lambda step: None, refresh=refresh)
        else:
            with DeployProgress(shows_same=shows_same) as progress:
                result = cluster.preview(progress, refresh=refresh)
        return result, cluster.price(result)


def print_price(price: HourlyPrice, console: Console) -> None:
    """Print a price by group and in all, and what it leaves out.

    Args:
        price: The price.
        console: Where its table goes; what is said about it goes to stderr.
    """
    rows = [_row(line) for line in price.lines]
    total = ("[bold]in all[/]", "", f"[bold]{price.total:.2f}[/]")
    print_table(
        f"Price by the hour, {price.currency or 'unknown'}",
        ("what", "count", "all of them"),
        [*rows, total],
        console=console,
    )
    if price.ceiling != price.total:
        told = (
            f"{price.ceiling:.2f} once every scaling group has grown to its largest, without spot instances"
        )
        stderr().print(f"[dim]at most {told}[/]")
    for one in price.unpriced:
        stderr().print(f"[yellow]not in it:[/] {escape(one.name)}, of which the price API says {one.reason}")
    if price.note:
        stderr().print(f"[dim]{escape(price.note)}[/]")
    stderr().print("[dim]without traffic and storage[/]")


def _row(line: PriceLine) -> tuple[str, str, str]:
    if not line.max_count:
        return escape(line.name), str(line.count), f"{line.amount:.2f}"
    return (
        escape(line.name),
        f"{line.count} to {line.max_count}",
        f"{line.amount:.2f} to {line.max_amount:.2f}",
    )
