"""Progress of a deployment on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.markup import escape
from rich.text import Text

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

_SPINNER_WIDTH = 2


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
            self._status.update(self._under_way())

    def say(self, words: str) -> None:
        """Print a line of the story."""
        self._console.print(words)

    def wait_for(self, nodes: Sequence[NodeStatus]) -> None:
        """Show how many nodes are healthy by now."""
        if self._status:
            num_healthy = sum(node.is_healthy for node in nodes)
            self._status.update(f"[dim]{num_healthy} of {len(nodes)} nodes are healthy[/]")

    def _under_way(self) -> Text:
        """Tell in one line what is under way: a line that grows and shrinks makes a terminal jump."""
        names = ", ".join(self._running.values())
        words = Text(f"{len(self._running)} under way: {names}" if names else "…", style="dim")
        words.truncate(self._console.width - _SPINNER_WIDTH, overflow="ellipsis")
        return words

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
