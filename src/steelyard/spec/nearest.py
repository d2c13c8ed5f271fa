from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def nearest(value: str, choices: Iterable[str]) -> str:
    """Return the choice that is spelled most like a value; the first one among equals.

    Raises:
        ValueError: If there is no choice.
    """
    wanted = value.lower()
    return max(choices, key=lambda choice: SequenceMatcher(None, wanted, choice.lower()).ratio())


def listed(choices: Iterable[str]) -> str:
    """Write choices as a list for people: `a, b, c`."""
    return ", ".join(choices)
