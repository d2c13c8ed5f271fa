"""What an old worker still gets is handed to the current one, and how that is said to HAProxy. Pure.

A worker that is told to stop closes its descriptors of network namespaces (HAProxy's `netns_sig_stop`), and reaches no
server in one any more. What comes on connections that its clients keep, and what it has accepted just before, goes
to a socket of the current worker, which has no place in the file system and takes each client's own address.
"""

from __future__ import annotations

from typing import Literal

_NAME = "handover"


def entrance_lines(door: str) -> list[str]:
    """Give the lines of a listener that takes what is handed over; whose gates it has passed already.

    Args:
        door: The name of its socket.
    """
    return [
        f"bind abns@{door} accept-proxy name {_NAME}",
        f"tcp-request connection accept if {{ so_name {_NAME} }}",
    ]


def request_lines() -> list[str]:
    """Give the line that leaves a request as it came, for the current worker to deal with."""
    return ["http-request allow if { stopping }"]


def exit_lines(name: str) -> list[str]:
    """Give the line of a listener that hands over; it comes before all that choose servers.

    Args:
        name: The listener's name.
    """
    return [f"use_backend {_pool(name)} if {{ stopping }}"]


def pool_lines(name: str, protocol: Literal["http", "tcp"], door: str, timeout_s: int) -> list[str]:
    """Give the section by which a listener hands over.

    Args:
        name: The listener's name.
        protocol: What it balances.
        door: The name of its socket.
        timeout_s: Seconds that the current worker may take to answer.
    """
    return [
        f"backend {_pool(name)}",
        f"  mode {protocol}",
        f"  timeout server {timeout_s}s",
        *(["  option http-server-close"] if protocol == "http" else []),
        f"  server next abns@{door} send-proxy-v2",
    ]


def _pool(name: str) -> str:
    return f"{_NAME}:{name}"
