from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from steelyard.localcloud.services.ess.models import ACTIVE, COUNTED, SERVING, ScalingGroup
from steelyard.localcloud.services.ess.passage import Passage
from steelyard.localcloud.services.ess.refresh import (
    AT_CHECKPOINT,
    CANCELLED,
    CANCELLING,
    FAILED,
    IN_PROGRESS,
    OPEN,
    REPLACEABLE,
    ROLLBACK_FAILED,
    ROLLED_BACK,
    ROLLING_BACK,
    SUCCESSFUL,
    InstanceRefresh,
    configured,
)
from steelyard.localcloud.services.ess.state import EssState

MAX_FAILURES: Final = 3
"""After so many failures in a row to make an instance a refresh has failed; the figure is this cloud's own."""


class Refresher:
    """Carries the refreshes of scaling groups on, a batch of members at a time.

    A batch leaves by the hooks, and new members come in its place; the next one waits until those are in service. It is
    as large as `MinHealthyPercentage` lets it be, and one member at least. Where all are to stay in service and more
    than all there may be, new ones come first, if the group is wanted to have a number of members.

    Args:
        state: The service's records.
        passage: The way of one member.
    """

    def __init__(self, state: EssState, passage: Passage) -> None:
        self._state = state
        self._passage = passage

    def look(self) -> None:
        """Take the next step of each refresh."""
        for refresh in self._state.refreshes.list():
            if refresh.status in OPEN:
                with self._state.cloud.transaction():
                    self._step(refresh.id)

    def _step(self, refresh_id: str) -> None:
        refresh = self._state.refreshes.get(refresh_id)
        group = self._state.groups.get(refresh.group_id) if refresh is not None else None
        if refresh is None or group is None or group.state != ACTIVE:
            return
        members = self._state.members_of(group.id)
        old = [one.id for one in members if one.id in refresh.old_ids and one.state in REPLACEABLE]
        num_coming = self._num_coming(group)
        num_done = max(0, refresh.total - len(old) - num_coming)
        seen = replace(refresh, old_ids=tuple(old), num_done=num_done)
        following = self._next(seen, group, num_coming)
        if following != refresh:
            self._state.refreshes.put(following)

    def _num_coming(self, group: ScalingGroup) -> int:
        """Count the members that are to come yet before all is in service."""
        members = self._state.members_of(group.id)
        num_counted = sum(one.state in COUNTED for one in members)
        num_serving = sum(one.state in SERVING for one in members)
        asked = [one.goal for one in self._state.open_activities(group.id) if one.goal is not None]
        return max(0, group.wanted(asked[0] if asked else num_counted) - num_serving)

    def _next(self, refresh: InstanceRefresh, group: ScalingGroup, num_coming: int) -> InstanceRefresh:
        now = self._state.cloud.clock()
        is_back = refresh.status == ROLLING_BACK
        if refresh.status == AT_CHECKPOINT and now >= refresh.resumes_at:
            return replace(refresh, status=IN_PROGRESS)
        if refresh.status == CANCELLING:
            self._surge(group, 0)
            return refresh.ended(CANCELLED, now) if not num_coming else refresh
        if refresh.status not in (IN_PROGRESS, ROLLING_BACK):
            return refresh
        # Where no number is wanted, nobody tries again to make what could not be made.
        if group.num_failures >= (1 if group.desired is None else MAX_FAILURES):
            self._surge(group, 0)
            detail = f"{group.num_failures} times in a row no instance could be made."
            return refresh.ended(ROLLBACK_FAILED if is_back else FAILED, now, detail)
        if num_coming:
            return refresh
        if not refresh.old_ids:
            self._keep(refresh, group)
            return refresh.ended(ROLLED_BACK if is_back else SUCCESSFUL, now)
        percent = 100 * refresh.num_done // refresh.total
        if refresh.checkpoints and refresh.checkpoints[0] <= percent and not is_back:
            rest = tuple(one for one in refresh.checkpoints if one > percent)
            return replace(refresh, status=AT_CHECKPOINT, checkpoints=rest, resumes_at=now + refresh.pause_s)
        self._let_go(refresh, group)
        return refresh

    def _let_go(self, refresh: InstanceRefresh, group: ScalingGroup) -> None:
        serving = {one.id: one for one in self._state.members_of(group.id) if one.state in SERVING}
        capacity = len(serving) - group.surge
        ahead = min(self._most_ahead(refresh, group, capacity), len(refresh.old_ids))
        if ahead > group.surge:
            self._surge(group, ahead)
            return
        spare = ahead or max(1, capacity - math.ceil(capacity * refresh.min_healthy / 100))
        batch = [serving[one] for one in refresh.old_ids if one in serving][:spare]
        if not batch:
            return  # those that are left are on their way yet
        self._passage.exchange(
            group,
            batch,
            f"The instance refresh {refresh.id} replaces instances.",
            f"Replace {len(batch)} instances.",
        )
        self._surge(group, min(ahead, len(refresh.old_ids) - len(batch)))

    def _most_ahead(self, refresh: InstanceRefresh, group: ScalingGroup, capacity: int) -> int:
        """Give how many new members may stand beside all others."""
        if refresh.min_healthy < 100 or group.desired is None:
            return 0
        allowed = capacity * (refresh.max_healthy - 100) // 100
        return max(0, min(allowed, group.max_size - capacity))

    def _surge(self, group: ScalingGroup, surge: int) -> None:
        kept = self._state.groups.get(group.id)
        if kept is not None and kept.surge != surge:
            self._state.groups.put(replace(kept, surge=surge))

    def _keep(self, refresh: InstanceRefresh, group: ScalingGroup) -> None:
        """Make what is desired what the group has, and the image what its configuration has."""
        self._state.groups.put(replace(configured(group, refresh.wanted), surge=0))
        configuration = self._state.configurations.get(group.configuration_id)
        if refresh.wanted.get("ImageId") and configuration is not None:
            settings = {**configuration.settings, "ImageId": refresh.wanted["ImageId"]}
            self._state.configurations.put(replace(configuration, settings=settings))
