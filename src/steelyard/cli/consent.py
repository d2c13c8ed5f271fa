"""Asks before anything is spent, deleted or installed."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from steelyard.cli.console import stderr
from steelyard.errors import UsageError

Yes = Annotated[
    bool,
    Parameter(help="Answer every question with yes, as a script must.", name=["--yes", "-y"], negative=""),
]


def ask(question: str, *, yes: bool) -> bool:
    """Return whether the user agrees; no answer is a no.

    Args:
        question: What is to be done, without a question mark.
        yes: Whether `--yes` was said, so that nothing is asked.

    Raises:
        UsageError: There is no terminal to ask on.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"to {question} takes a yes, and there is no terminal to ask on", "say --yes")
    answer = stderr().input(f"[bold]{escape(question[0].upper() + question[1:])}?[/] \\[y/N] ")
    return answer.strip().lower() in ("y", "yes")


def require(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees.

    Raises:
        UsageError: The user does not, or there is no terminal to ask on.
    """
    if not ask(question, yes=yes):
        raise UsageError("not agreed to: nothing was done")
