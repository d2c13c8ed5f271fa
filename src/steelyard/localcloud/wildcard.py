"""Texts in which `*` stands for anything and `?` for one character, as policies and rules have them."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=2000)
def wildcard(text: str, *, ignores_case: bool = False) -> re.Pattern[str]:
    """Compile a text with wildcards, for a full match.

    What stands between two asterisks is looked for once, from the left, and never tried elsewhere: somebody else's
    pattern with many of them would take for ever on a long text.

    Args:
        text: The text.
        ignores_case: Whether capitals do not matter.
    """
    first, *rest = text.split("*")
    parts = [_fixed(first)]
    if rest:
        parts += [f"(?>.*?{_fixed(middle)})" for middle in rest[:-1] if middle]
        parts.append(f".*{_fixed(rest[-1])}")
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignores_case else re.NOFLAG))


def _fixed(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)
