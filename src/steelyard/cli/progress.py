"""Progress on stderr: steps of a deployment, and steps of a training job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from steelyard.cli.console import stderr
from steelyard.cluster import NodeStatus
from steelyard.deploy import Step

_SIGNS = {
    "create": "[green]+[/]",
    "update": "[yellow]~[/]",
    "replace": "[magenta]±[/]",
    "delete": "[red]-[/]",
    "same": "[dim]=[/]",
}


class DeployProgress:
    """Prints a line for each finished step and a spinner for those under way.

    Args:
        shows_same: Whether resources that do not change get a line too.
    """

    def __init__(self, *, shows_same: bool = False) -> None:
        self._console = stderr()
        self._shows_same = shows_same
        self._running: dict[str, str] = {}
        self._status = self._console.status("") if self._console.is_terminal else None

    def __enter__(self) -> DeployProgress:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, step: Step) -> None:
        """Take one step event; safe to call from any thread."""
        if step.status == "started":
            self._running[step.urn] = step.name
        else:
            self._running.pop(step.urn, None)
            self._print(step)
        if self._status:
            names = ", ".join(self._running.values()) or "…"
            self._status.update(f"[dim]{len(self._running)} under way: {escape(names)}[/]")

    def say(self, words: str) -> None:
        """Print a line of the story."""
        self._console.print(words)

    def wait_for(self, nodes: Sequence[NodeStatus]) -> None:
        """Show how many nodes are healthy by now."""
        if self._status:
            num_healthy = sum(node.is_healthy for node in nodes)
            self._status.update(f"[dim]{num_healthy} of {len(nodes)} nodes are healthy[/]")

    def _print(self, step: Step) -> None:
        if step.op == "same" and not self._shows_same:
            return
        changed = f" [dim]{', '.join(step.diff)}[/]" if step.diff else ""
        seconds = f" [dim]{step.elapsed_s:.1f} s[/]" if step.elapsed_s >= 0.05 else ""
        failed = f" [red]failed: {escape(step.error or '')}[/]" if step.status == "failed" else ""
        kind = step.type.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        self._console.print(
            f"  {_SIGNS.get(step.op, '?')} {kind} [bold]{escape(step.name)}[/]{changed}{seconds}{failed}"
        )


class TrainProgress:
    """Shows a job's step, loss, samples/s and share of each node as its events arrive.

    Args:
        title: What the bar is called.
    """

    def __init__(self, title: str) -> None:
        self._console = stderr()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(escape(title), total=None, figures="waiting for the first step")
        self._title = title
        self._last: Mapping[str, Any] | None = None
        self._live = (
            Live(self._bar, console=self._console, transient=False) if self._console.is_terminal else None
        )

    def __enter__(self) -> TrainProgress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        elif self._last:
            self._print_plain(self._last)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one training event."""
        if event["kind"] == "metric":
            self._console.print(
                f"  step {event['step']}: {escape(event['name'])} [bold]{event['value']:.3f}[/]"
            )
        if event["kind"] != "step":
            return
        self._last = event
        self._bar.update(
            self._task, completed=event["step"], total=event.get("total_steps"), figures=_figures(event)
        )
        if self._live:
            self._live.update(Group(self._bar, _node_table(event)))
        elif event["step"] % 20 == 0:
            self._print_plain(event)

    def _print_plain(self, event: Mapping[str, Any]) -> None:
        nodes = "  ".join(
            f"{node['node_id']}: share {node['share']} at {node['samples_per_s']:.0f}/s"
            for node in event["nodes"]
        )
        self._console.print(
            f"  {escape(self._title)} step {event['step']}/{event.get('total_steps') or '?'}  "
            f"{_figures(event)}  [{nodes}]{_imitated(event)}",
            markup=False,
        )


def _node_table(event: Mapping[str, Any]) -> Table:
    table = Table("node", "share", f"own speed, samples/s{_imitated(event)}", box=None, padding=(0, 2))
    for node in event["nodes"]:
        table.add_row(str(node["node_id"]), str(node["share"]), f"{node['samples_per_s']:.0f}")
    return table


def _figures(event: Mapping[str, Any]) -> str:
    loss = "" if event["loss"] is None else f"loss {event['loss']:.3f}  "
    return f"{loss}{event['samples_per_s']:.0f} samples/s"


def _imitated(event: Mapping[str, Any]) -> str:
    return " (imitated accelerator)" if event.get("is_imitated") else ""
