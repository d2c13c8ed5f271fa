"""What differs between a resource's recorded inputs and those that the program now asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from steelyard.deploy import values
from steelyard.deploy.engine import path
from steelyard.deploy.engine.path import Path
from steelyard.deploy.values import Properties, Value


@dataclass(frozen=True, kw_only=True)
class Diff:
    """The changed inputs of one resource.

    Attributes:
        paths: Path of every leaf that differs; an unknown new value counts as different.
    """

    paths: tuple[Path, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The paths as text, for people."""
        return tuple(path.show(parts) for parts in self.paths)

    def touches(self, names: Collection[str]) -> bool:
        """Whether any of these top-level properties differs."""
        return any(parts[0] in names for parts in self.paths)

    def matches(self, patterns: Sequence[str]) -> bool:
        """Whether any changed path is covered by a pattern of `replace_on_changes`."""
        parsed = [path.parse(text) for text in patterns]
        return any(path.covers(pattern, parts) for pattern in parsed for parts in self.paths)


def compare(old: Properties, new: Properties) -> Diff:
    """Compare two input trees; whether a value is marked secret makes no difference.

    Args:
        old: The recorded inputs.
        new: The inputs asked for; may hold unknowns in a preview.
    """
    return Diff(paths=tuple(_changes(values.plain(old), values.plain(new), ())))


def _changes(old: Value, new: Value, at: Path) -> Iterator[Path]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(key), new.get(key), (*at, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from _changes(before, after, (*at, index))
    elif old != new or type(old) is not type(new) or values.has_unknown(new):
        yield at
