"""What HAProxy tells of its connections (management guide, `show sess`, and of the master `show proc`)."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection

_SESSION = re.compile(r"(0x[0-9a-f]+): \[")
_SERVED = re.compile(r"(0x[0-9a-f]+): .* fe=(\S+) be=(\S+) srv=(\S+) ")
_PLACE = re.compile(r"\s+frontend=.* addr=(\S+):\d+$")


def sessions_at(text: str, addresses: Collection[str]) -> list[str]:
    """Find the connections that came in at some addresses.

    Args:
        text: The answer to `show sess all`.
        addresses: The addresses.

    Returns:
        The name of each, by which it can be shut down.
    """
    found, name = [], ""
    for line in text.splitlines():
        if session := _SESSION.match(line):
            name = session[1]
        elif (place := _PLACE.match(line)) and place[1] in addresses:
            found.append(name)
    return found


def sessions_with(text: str, pool: str, server: str) -> list[str]:
    """Find the connections that go to a server.

    Args:
        text: The answer to `show sess`.
        pool: The pool's name.
        server: The server's.

    Returns:
        The name of each, by which it can be shut down.
    """
    return [name for name, _, *served in _served(text) if served == [pool, server]]


def sessions_through(text: str, listeners: Collection[str]) -> list[str]:
    """Find the connections that came in through some listeners.

    Args:
        text: The answer to `show sess`.
        listeners: The listeners' names.

    Returns:
        The name of each, by which it can be shut down.
    """
    return [name for name, listener, *_ in _served(text) if listener in listeners]


def _served(text: str) -> list[tuple[str, ...]]:
    return [served.groups() for line in text.splitlines() if (served := _SERVED.match(line))]


def open_listeners(text: str) -> list[str]:
    """Find the listeners that take connections.

    Args:
        text: The answer to `show stat` of frontends.

    Returns:
        Their names.
    """
    rows = csv.DictReader(text.removeprefix("# ").splitlines())
    return [row["pxname"] for row in rows if row["status"] != "STOP"]


def old_workers(text: str) -> list[int]:
    """Give the process ids of the workers that only serve their connections to the end.

    Args:
        text: The master's answer to `show proc`.
    """
    _, _, rest = text.partition("# old workers\n")
    workers, _, _ = rest.partition("#")
    return [int(line.split()[0]) for line in workers.splitlines() if line.strip()]
