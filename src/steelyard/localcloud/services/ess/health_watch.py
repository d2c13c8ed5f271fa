"""The watch over members whose health the load balancers tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from steelyard.localcloud.services.ess.balancer_health import BalancerHealth
from steelyard.localcloud.services.ess.models import ACTIVE, CHECKING, SERVING, Member, ScalingGroup
from steelyard.localcloud.services.ess.passage import protects
from steelyard.localcloud.services.ess.state import EssState

LOOK_S: Final = 1.0
"""Seconds between two questions to the load balancers."""

GRACE_S: Final = 300.0
"""Seconds that a member has to pass its first check. The API has no setting for it; the figure is this cloud's own."""

_COMPLAINT = "it fails the health check of a load balancer"


class HealthWatch:
    """Notes who passes the checks of the load balancers, and who does not and is to be replaced.

    A member that has passed once is replaced as soon as a load balancer finds it unhealthy, which the thresholds of the
    health check decide; one that has not, such as one that still boots, has `GRACE_S`. Protected members keep the
    health that they have.

    Args:
        state: The service's records.
        health: What the load balancers find.
    """

    def __init__(self, state: EssState, health: BalancerHealth) -> None:
        self._state = state
        self._health = health
        self._next_at = 0.0

    def look(self) -> None:
        """Look at every group that is checked so, once in `LOOK_S` at most."""
        now = self._state.cloud.clock()
        if now < self._next_at:
            return
        self._next_at = now + LOOK_S
        for group in self._state.groups.list():
            is_checked = group.checks_by("LOAD_BALANCER") and CHECKING not in group.suspended
            if group.state == ACTIVE and is_checked:
                self._look_at(group, now)

    def _look_at(self, group: ScalingGroup, now: float) -> None:
        for server_id, passes in self._health.verdicts(group).items():
            member = self._state.members.get(server_id)
            if member is not None and self._judged(member, passes, now) != member:
                with self._state.cloud.transaction():
                    member = self._state.members.get(server_id)
                    if member is not None:
                        self._state.members.put(self._judged(member, passes, now))

    def _judged(self, member: Member, passes: bool, now: float) -> Member:
        if member.state not in SERVING:
            return member
        if passes:
            return replace(member, has_passed=True)
        if protects(member):
            return member
        if member.is_healthy and (member.has_passed or now - member.in_service_at >= GRACE_S):
            return replace(member, is_healthy=False, complaint=_COMPLAINT)
        return member
