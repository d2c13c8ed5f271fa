from __future__ import annotations

import hashlib

_MARK_LENGTH = 8


def shortened(title: str, longest: int) -> str:
    """Shorten a title to what a name may be, with a mark of the whole at its end, by which it stays one of its own."""
    if len(title) <= longest:
        return title
    mark = hashlib.sha256(title.encode()).hexdigest()[:_MARK_LENGTH]
    return f"{title[: longest - _MARK_LENGTH - 1].rstrip('-')}-{mark}"
