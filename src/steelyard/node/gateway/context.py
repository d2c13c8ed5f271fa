"""What the gateway's routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request

from steelyard.node.gateway.counters import Counters
from steelyard.node.health import Health
from steelyard.node.identity import Identity


class JobCalls(Protocol):
    """The way to the job queue."""

    num_restarts: int

    async def call(self, method: str, *, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Call an operation of `JobService`.

        Raises:
            GatewayError: It refused, cannot be reached, or did not answer in time.
        """


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One node's gateway.

    Attributes:
        identity: Who the node is.
        role: `head` or `worker`.
        health: Whether it can take a job.
        queue: The way to the job queue.
        counters: What it counts.
        is_shimmed: Whether Ray's ports are bound to the private address alone.
    """

    identity: Identity
    role: str
    health: Health
    queue: JobCalls
    counters: Counters
    is_shimmed: bool


def gateway_of(request: Request) -> Gateway:
    """Return the gateway that serves a request."""
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway
