"""Ports that are chosen in one process and listened on in another, a while later."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_NUM_PORTS = 8192
_LOWEST = 20_000
"""Ray takes ports below this for its workers."""
_NUM_TRIES = 100


def free_port() -> int:
    """Return a TCP port that is free on all addresses, and that stays so until somebody asks for this very one.

    The kernel gives none of these to clients and to servers that ask for any port; only where its range leaves no
    room below, it is one of those.

    Source: ip(7), ip_local_port_range
    """
    end = first_given_port()
    ports = range(max(end - _NUM_PORTS, _LOWEST), end)
    for _ in range(_NUM_TRIES if ports else 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port := random.SystemRandom().choice(ports)))
            return port
    with socket.socket() as probe:
        probe.bind(("", 0))
        given: int = probe.getsockname()[1]
        return given


def first_given_port() -> int:
    """Return the lowest port that the kernel gives to those who ask for any."""
    try:
        return int(_GIVEN.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
