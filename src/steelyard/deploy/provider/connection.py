"""Where the cloud is, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Answer = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the cloud is and who asks.

    Attributes:
        endpoint: `host:port` that answers for every product that has no endpoint of its own.
        endpoints: `host` or `host:port` of a product, by its code.
        security_token: That of a temporary key; empty for a key that lasts.
        protocol: `http` or `https`.
        poll_s: Seconds between two looks of a waiter.
        timeout_s: Seconds after which a waiter gives up, where the program sets no timeout of its own.
    """

    endpoint: str
    protocol: str
    access_key_id: str
    access_key_secret: str = field(repr=False)
    region_id: str
    poll_s: float
    timeout_s: float
    security_token: str = field(default="", repr=False)
    endpoints: Mapping[str, str] = field(default_factory=dict)
