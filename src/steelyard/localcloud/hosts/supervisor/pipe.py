"""The pipes of a supervisor's two processes, and reading and writing where the other end may be gone."""

from __future__ import annotations

import os

READ_BYTES = 1 << 16


class Pipes:
    """The pipes between a keeper and its init, each as the end that is read and the one that is written."""

    def __init__(self) -> None:
        self.output = os.pipe()
        self.orders = os.pipe()
        self.words = os.pipe()

    def leave_to_init(self) -> None:
        """Close the keeper's ends."""
        for descriptor in (self.output[0], self.orders[1], self.words[0]):
            os.close(descriptor)

    def leave_to_keeper(self) -> None:
        """Close the init's ends."""
        for descriptor in (self.output[1], self.orders[0], self.words[1]):
            os.close(descriptor)


def put(descriptor: int, data: bytes) -> None:
    """Write to a pipe or a socket whose reader may be gone."""
    try:
        os.write(descriptor, data)
    except (BrokenPipeError, ConnectionResetError):
        return


def take(descriptor: int) -> bytes:
    """Read what there is; empty where the writer is gone."""
    try:
        return os.read(descriptor, READ_BYTES)
    except ConnectionResetError:
        return b""
