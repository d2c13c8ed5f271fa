"""What every verb shares: where its words go, and how a record or a table is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
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


def stdout() -> Console:
    """Return the console for data and tables."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def stderr() -> Console:
    """Return the console for progress and messages."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value on one line of stdout."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on stdout; cells may hold rich markup."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    stdout().print(table)
