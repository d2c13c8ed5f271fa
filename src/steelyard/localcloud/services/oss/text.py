"""Times as OSS writes them."""

from __future__ import annotations

import time
from email.utils import formatdate


def milli_text(unix_time: float) -> str:
    """Write a time as OSS's documents do, e.g. `2026-11-24T14:00:00.000Z`; whole seconds, as `Last-Modified` has."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(unix_time))


def http_text(unix_time: float) -> str:
    """Write a time as HTTP's headers do."""
    return formatdate(unix_time, usegmt=True)
