"""Progress of a training job on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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
from rich.table import Column, Table

from steelyard.cli.console import stderr

_PLAIN_EVERY = 20


class TrainProgress:
    """Shows a job's steps as its events arrive: loss, samples/s, the time that is left, and each worker's part.

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
        self._printed: Mapping[str, Any] | None = None
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
        elif self._last is not None and self._last is not self._printed:
            self._print_plain(self._last)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one training event."""
        if event["kind"] == "metric":
            self._console.print(
                f"  step {event['step']}: {escape(event['name'])} [bold]{event['value']:.3f}[/]"
            )
        elif (words := words_for(event)) is not None:
            self._console.print(f"  {escape(words)}")
        if event["kind"] != "step":
            return
        self._last = event
        self._bar.update(
            self._task, completed=event["step"], total=event.get("total_steps"), figures=_figures(event)
        )
        if self._live:
            self._live.update(Group(self._bar, worker_table(event)))
        elif event["step"] % _PLAIN_EVERY == 0:
            self._print_plain(event)

    def _print_plain(self, event: Mapping[str, Any]) -> None:
        self._printed = event
        nodes = "  ".join(
            f"{node['node_id']}: share {node['share']} at {node['samples_per_s']:.0f}/s"
            for node in event["nodes"]
        )
        self._console.print(
            f"  {self._title} step {event['step']}/{event.get('total_steps') or '?'}  "
            f"{_figures(event)}  [{nodes}]{imitated(event)}",
            markup=False,
        )


def words_for(event: Mapping[str, Any]) -> str | None:
    """Say in a line what happened besides a step; None where nothing is to be said.

    Args:
        event: A training event.
    """
    match event["kind"]:
        case "checkpoint":
            return (
                f"step {event['step']}: checkpoint {event['path']}, {event['num_bytes'] / 2**20:.1f} MiB in"
                f" {event['seconds']:.1f} s, training held up for {event['stall_s'] * 1000:.0f} ms"
            )
        case "resume":
            return f"goes on from step {event['step']}: {event['path']}"
        case "leave":
            return f"step {event['step']}: {event['node_id']} (rank {event['rank']}) leaves in order"
        case "warning":
            return f"warning: {event['message']}"
    return None


def worker_table(event: Mapping[str, Any]) -> Table:
    """Return a table of each worker's part of a step: its share, its own speed, what its seconds went to.

    Args:
        event: A step event.
    """
    own_speed = f"own speed, samples/s{imitated(event)}"
    worker = Column("worker", no_wrap=True)
    table = Table(worker, "share", own_speed, "compute, ms", "wait, ms", box=None, padding=(0, 1))
    for node in event["nodes"]:
        table.add_row(
            escape(f"{node.get('rank', '?')} {node['node_id']}"),
            str(node["share"]),
            f"{node['samples_per_s']:.0f}",
            _milliseconds(node.get("compute_s")),
            _milliseconds(node.get("wait_s")),
        )
    return table


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def _figures(event: Mapping[str, Any]) -> str:
    loss = "" if event["loss"] is None else f"loss {event['loss']:.3f}  "
    return f"{loss}{event['samples_per_s']:.0f} samples/s{time_left(event)}"


def time_left(event: Mapping[str, Any]) -> str:
    """Say how long training will go on by the last steps; empty where nobody knows."""
    eta_s = event.get("eta_s")
    return "" if eta_s is None else f"  {timedelta(seconds=round(eta_s))} left"


def imitated(event: Mapping[str, Any]) -> str:
    """Say that figures are those of imitated accelerators, where they are."""
    return " (imitated accelerator)" if event.get("is_imitated") else ""
