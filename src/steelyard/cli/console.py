"""What every verb shares: where its words go, and how a record or a table is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TextIO

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

OutputFormat = Annotated[
    Literal["text", "json"], Parameter(help="Form of what is printed on stdout.", name=["--output", "-o"])
]
ClusterName = Annotated[
    str | None,
    Parameter(
        help="Name of the cluster; where it is not given, that of ./cluster.yaml, or the only one there is.",
        name=["--cluster", "-c"],
    ),
]


_WIDTH_OF_A_FILE = 200
"""Columns where the output is no terminal: wide enough that no id is cut."""


def stdout() -> Console:
    """Return the console for data and tables."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Return the console for progress and messages."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    is_terminal = file.isatty()
    return Console(
        file=file,
        highlight=False,
        # Else `acs:ram::…` would be printed with a picture of a sheep.
        emoji=False,
        soft_wrap=not is_terminal,
        width=None if is_terminal else _WIDTH_OF_A_FILE,
    )


def counted(number: int, thing: str) -> str:
    """Return a number with what it counts, in the plural where it is not one."""
    plural = f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{number} {thing if number == 1 else plural}"


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value on one line of stdout."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_record(title: str, record: Mapping[str, Any]) -> None:
    """Print a record's names and values on stdout, as they are."""
    print_table(title, ("", ""), [(escape(name), escape(_text(value))) for name, value in record.items()])


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return "  ".join(map(str, value))
    return "" if value is None else str(value)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, console: Console | None = None
) -> None:
    """Print a table, on stdout unless told otherwise; cells may hold rich markup."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        show_header=any(columns),
        box=None,
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    (console or stdout()).print(table)
