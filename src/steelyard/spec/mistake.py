from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from steelyard.errors import UsageError

Path = tuple[str | int, ...]
"""Place of a value in a spec: `("node_groups", 0, "weight")`."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake, before its line is known.

    Attributes:
        path: Place of the value that is wrong.
        message: What is wrong, with the value.
        hint: The mend, with the nearest valid choice where there is one.
        is_key: Whether the key itself is wrong, rather than its value.
    """

    path: Path
    message: str
    hint: str
    is_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake in a cluster file or in a stack's config.

    Attributes:
        line: Line in the file from 1; 0 where the spec came from no file.
        column: Column in the line from 1; 0 where the spec came from no file.
        path: Place of the value, e.g. `node_groups[0].weight`, or its config key, `steelyard:name`.
        message: What is wrong, with the value.
        hint: The mend, with the nearest valid choice where there is one.
    """

    line: int
    column: int
    path: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        subject = f"{self.path}: " if self.path else ""
        return f"{place}{subject}{self.message}" + (f" ({self.hint})" if self.hint else "")


class SpecError(UsageError):
    """A cluster file or a stack's config is wrong; nothing was created.

    Args:
        source: The file's name, or what else holds the settings.
        mistakes: Every mistake found, at least one.

    Attributes:
        source: As given.
        mistakes: Every mistake, in the order of the file.
    """

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        self.source = source
        self.mistakes = tuple(sorted(mistakes, key=lambda one: (one.line, one.column)))
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = "".join(f"\n  {one}" for one in self.mistakes)
        super().__init__(f"{source} holds {count}:{lines}", "correct them and run again; nothing was created")


def path_text(path: Path) -> str:
    """Write a path as people do: `("node_groups", 0, "weight")` is `node_groups[0].weight`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
