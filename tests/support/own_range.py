"""The addresses of this process' networks, so that clouds of two test processes never want the same one.

On the loopback host all clouds of a machine share 127.0.0.0/8: an address that one test gives back may go to a cloud
beside it at once, before the test can have it again.
"""

from __future__ import annotations

import socket
from functools import cache

_NUMBERS = range(150, 200)
_LAST = "255.254"  # No VSwitch of a test holds it.
_PORT = 61998


def inner(rest: str) -> str:
    """Give an address or a block of this process' range as the cloud's callers name it, e.g. of `0.0/24`."""
    return f"10.{_number()}.{rest}"


def served(rest: str) -> str:
    """Give an address or a block of this process' range as the loopback host serves it."""
    return f"127.{_number()}.{rest}"


@cache
def _number() -> int:
    """Take the first number that no other process holds, until this one ends."""
    for number in _NUMBERS:
        claim = socket.socket()
        try:
            claim.bind((f"127.{number}.{_LAST}", _PORT))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return number
    raise RuntimeError(f"other test processes hold all of 127.{_NUMBERS.start} to 127.{_NUMBERS.stop - 1}")


_claims: list[socket.socket] = []
