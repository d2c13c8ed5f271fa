"""What an elastic worker is told by whoever started it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from steelyard import settings
from steelyard.errors import UsageError

DEFAULT_PEER_TIMEOUT_S = 10.0
"""Seconds after which a peer that answers nothing counts as hung, where nothing else is set."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class ElasticEnvironment:
    """How an elastic worker finds its peers.

    Attributes:
        lighthouse: Address of the job's lighthouse, ``http://HOST:PORT``.
        address: This node's own address, under which peers reach it.
        min_workers: How few workers may go on.
        restart_count: How many workers of the job were started again before this one; 0 for the first ones.
        peer_timeout_s: Seconds after which a peer that answers nothing counts as hung.
        master_address: Where the first workers wait for each other; None where they do not.
        master_port: The port there.
    """

    lighthouse: str
    address: str = "127.0.0.1"
    min_workers: int = 1
    restart_count: int = 0
    peer_timeout_s: float = DEFAULT_PEER_TIMEOUT_S
    master_address: str | None = None
    master_port: int = 0

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> ElasticEnvironment | None:
        """Read what the launcher set; None where the set of workers is fixed.

        Args:
            variables: The process's environment.

        Raises:
            UsageError: If a variable does not hold what it should.
        """
        lighthouse = variables.get(settings.LIGHTHOUSE)
        if not lighthouse:
            return None
        return cls(
            lighthouse=lighthouse if "://" in lighthouse else f"http://{lighthouse}",
            address=variables.get(settings.NODE_ADDRESS) or "127.0.0.1",
            min_workers=_number(variables, settings.MIN_WORKERS, 1, int),
            restart_count=_number(variables, settings.RESTART_COUNT, 0, int),
            peer_timeout_s=_number(variables, settings.PEER_TIMEOUT_S, DEFAULT_PEER_TIMEOUT_S, float),
            master_address=variables.get(settings.MASTER_ADDR) or None,
            master_port=_number(variables, settings.MASTER_PORT, 0, int),
        )


def _number(
    variables: Mapping[str, str], name: str, default: Number, kind: Callable[[str], Number]
) -> Number:
    text = variables.get(name)
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = kind("-1")
    if value < 0 or not math.isfinite(value):
        raise UsageError(f"{name} is {text!r}, not a number of 0 or more", f"set {name} to such a number")
    return value
