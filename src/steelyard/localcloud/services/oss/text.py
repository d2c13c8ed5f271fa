"""Times as OSS writes them, and paths as it reads them."""

from __future__ import annotations

import time
from email.utils import formatdate
from urllib.parse import unquote_plus


def milli_text(unix_time: float) -> str:
    """Write a time as OSS's documents do, e.g. `2026-11-24T14:00:00.000Z`; whole seconds, as `Last-Modified` has."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(unix_time))


def http_text(unix_time: float) -> str:
    """Write a time as HTTP's headers do."""
    return formatdate(unix_time, usegmt=True)


def plain_path(text: str) -> str:
    """Read a path, or the name of a copy's source, as OSS does: a `+` stands for a space.

    The vendor's SDK for Go writes spaces so (`url.QueryEscape`); users of other clients meet it as a surprise, because
    RFC 3986 has it otherwise.
    """
    return unquote_plus(text)
