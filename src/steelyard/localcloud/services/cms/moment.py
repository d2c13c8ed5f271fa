"""Times as calls of CloudMonitor carry them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from steelyard.localcloud.services.cms import errors
from steelyard.localcloud.text import whole_number

_FORMS: Sequence[str] = (
    "%Y%m%dT%H%M%S.%f%z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
)


def read_moment(text: str, name: str, default: float) -> float:
    """Read a time: Unix milliseconds, or text; text without a zone is UTC.

    Args:
        text: As the call has it; empty where it has none.
        name: The parameter.
        default: Unix time where the call has none.

    Raises:
        ApiError: `ParameterInvalid`.
    """
    if not text:
        return default
    milliseconds = whole_number(text)
    if milliseconds is not None:
        return milliseconds / 1000
    for form in _FORMS:
        try:
            read = datetime.datetime.strptime(text, form)
        except ValueError:
            continue
        return (read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).timestamp()
    raise errors.parameter_invalid(f"{name} is not valid: {text!r} is no time.")
