"""Sockets in network namespaces, as HAProxy's `namespace` makes them."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = "/var/run/netns"
_NETWORK = 0x40000000  # CLONE_NEWNET of linux/sched.h


def open_socket(kind: socket.SocketKind, namespace: str) -> socket.socket:
    """Open an IPv4 socket that does not block.

    Args:
        kind: Its kind.
        namespace: Name of the network namespace; the thread's own where it is empty.

    Raises:
        OSError: There is no such namespace, or it may not be entered.
    """
    with _entered(namespace):
        opened = socket.socket(socket.AF_INET, kind)
    opened.setblocking(False)
    return opened


@contextmanager
def _entered(namespace: str) -> Iterator[None]:
    if not namespace:
        yield
        return
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(f"{_NAMES}/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(other)
        finally:
            os.close(other)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)


def _enter(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
