from __future__ import annotations

import time


def utc_text(unix_time: float) -> str:
    """Write a time as most of the API's answers do: to the second, e.g. `2026-11-24T14:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_time))
