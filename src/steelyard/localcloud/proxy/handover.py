"""What an old worker still gets is handed to the current one, and how that is said to HAProxy. Pure.

A worker that stops closes its descriptors of network namespaces (HAProxy's `netns_sig_stop`), and reaches no server in
one any more. So it is given a time of grace, in which it takes to an end what it has begun, as a request that waits
to be sent to its server again. What comes on connections that its clients keep, and what it has accepted just before,
goes to a socket of the current worker, which has no place in the file system and takes each client's own address.

In its grace a worker goes on accepting connections, at that socket, too, until it is told not to. What it gets there it
serves itself, or it might hand it to itself for ever.
"""

from __future__ import annotations

from typing import Literal

_NAME = "handover"
_HANDS_OVER = f"if {{ stopping }} !{{ so_name {_NAME} }}"
_GRACE_S = 30
"""More than the tries to connect take that a request is given, with the pauses between them."""


def grace_lines() -> list[str]:
    """Give the global lines of workers that hand over."""
    return [f"grace {_GRACE_S}s"]


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
    return [f"http-request allow {_HANDS_OVER}"]


def exit_lines(name: str) -> list[str]:
    """Give the line of a listener that hands over; it comes before all that choose servers.

    Args:
        name: The listener's name.
    """
    return [f"use_backend {_pool(name)} {_HANDS_OVER}"]


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
