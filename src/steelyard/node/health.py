"""Whether this node can take a job, and if not, why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HealthStatus:
    """What `/healthz` says.

    Attributes:
        is_healthy: Whether the node can take a job.
        reason: Why not; empty where it can.
    """

    is_healthy: bool
    reason: str


class Health:
    """The node's state: unhealthy with a reason until Ray is ready, and for good once it drains.

    Args:
        on_change: Called with each new status.
    """

    def __init__(self, on_change: Callable[[HealthStatus], None] | None = None) -> None:
        self._reason: str | None = "starting"
        self._draining = ""
        self._on_change = on_change

    @property
    def reason(self) -> str:
        """Why the node cannot take a job; empty where it can."""
        return self._draining or self._reason or ""

    @property
    def status(self) -> HealthStatus:
        """The status now."""
        return HealthStatus(is_healthy=not self.reason, reason=self.reason)

    def set_reason(self, reason: str | None) -> None:
        """Say why the node cannot take a job, or with None that it can."""
        before = self.status
        self._reason = reason
        self._tell(before)

    def drain(self, reason: str = "draining") -> None:
        """Take no more jobs, for good; the first reason stays."""
        before = self.status
        self._draining = self._draining or reason
        self._tell(before)

    def _tell(self, before: HealthStatus) -> None:
        if self.status != before:
            logger.info("%s", "healthy" if self.status.is_healthy else f"not healthy: {self.status.reason}")
            if self._on_change is not None:
                self._on_change(self.status)
