"""What is known of the servers behind a load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """What a load balancer knows of a server; the values are the SLB API's words."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    UNAVAILABLE = "unavailable"
    """Too few checks have been completed yet, or there are none."""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """One server, as what carries the traffic sees it.

    Attributes:
        health: Whether it takes traffic.
        weight: The weight in effect.
        reason: A word on the last check, e.g. HAProxy's `L4CON`.
        num_sessions: Sessions that it has served since its start or last reload.
    """

    health: Health
    weight: int
    reason: str
    num_sessions: int
