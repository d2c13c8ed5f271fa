from __future__ import annotations

import time

_MAX_DIGITS = 18


def utc_text(unix_time: float) -> str:
    """Write a time as most of the API's answers do: to the second, e.g. `2026-11-24T14:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_time))


def whole_number(text: str) -> int | None:
    """Read a number that a text holds in ASCII digits alone; None for all else, and for one that is out of all bounds.

    Python's own `int` takes signs, blanks and other scripts' digits, and raises on some thousands of digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
