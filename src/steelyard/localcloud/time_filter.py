"""`Filter.N` of lists, which bounds when what they give was made or ends."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Collection

from steelyard.localcloud.request import Request
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter

_SINCE, _UNTIL = "CreationStartTime", "CreationEndTime"


def filter_times(request: Request, keys: Collection[str]) -> list[tuple[str, float]]:
    """Read the filters of a call.

    Args:
        request: The call.
        keys: Keys that a filter may have.

    Returns:
        The key and the Unix time of each filter.

    Raises:
        ApiError: `InvalidParameter` for another key, or for a time that is none.
    """
    found = []
    for given in request.records("Filter"):
        key, text = str(given.get("Key") or ""), str(given.get("Value") or "")
        if key not in keys:
            raise invalid_parameter("Filter.N.Key", key, f"one of {', '.join(keys)}")
        try:
            moment = calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%MZ"))
        except ValueError:
            raise invalid_parameter("Filter.N.Value", text, "a time, e.g. 2026-11-29T16:00Z") from None
        found.append((key, float(moment)))
    return found


def made_within(request: Request, *, has_end: bool = False) -> Callable[[object], bool]:
    """Give what tells whether something was made within the time that a call's filters name.

    Args:
        request: The call.
        has_end: Whether they may bound it from above, too.

    Returns:
        A function of the time of its making, as `utc_text` writes it.

    Raises:
        ApiError: See `filter_times`.
    """
    bounds = filter_times(request, (_SINCE, _UNTIL) if has_end else (_SINCE,))
    least = [utc_text(moment) for key, moment in bounds if key == _SINCE]
    most = [utc_text(moment) for key, moment in bounds if key == _UNTIL]
    # Such texts are in the order of their times.
    return lambda made_at: (
        all(one <= str(made_at) for one in least) and all(str(made_at) <= one for one in most)
    )
