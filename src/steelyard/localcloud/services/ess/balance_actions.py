from __future__ import annotations

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    COUNTED,
    IN_SERVICE,
    Activity,
    Member,
    ScalingGroup,
)
from steelyard.localcloud.services.ess.placement import is_balanced, to_move


class BalanceActions(EssCore):
    """Members in even numbers in the zones of a group that is balanced over them.

    New members take the places of those that are too many in a zone, which leave by the hooks; protected ones stay.
    """

    @action("RebalanceInstances")
    def rebalance_instances(self, request: Request) -> dict[str, object]:
        """Even the zones out once."""
        group = self.active_group(request)
        if not is_balanced(group.settings):
            raise errors.not_balanced(group.id)
        if self.is_busy(group.id):
            raise errors.activity_in_progress()
        uneven = self._uneven(group)
        if not uneven:
            raise errors.no_change()
        activity = self._even_out(group, uneven, "The rebalancing was asked for by a user.")
        return {"ScalingActivityId": activity.id}

    def rebalance_by_itself(self) -> None:
        """Even out the groups that are to keep even by themselves: with `AutoRebalance` and `BalancedOnly`.

        A group that could not be given an instance lately is left alone, so that none goes for which none comes.
        """
        for group in self.groups.list():
            if not self._evens_out(group) or not self._uneven(group):
                continue
            with self.cloud.transaction():
                kept = self.groups.get(group.id)
                if kept is None or not self._evens_out(kept) or self.is_busy(kept.id):
                    continue
                uneven = self._uneven(kept)
                if uneven:
                    self._even_out(kept, uneven, "The zones of the scaling group are uneven.")

    def _evens_out(self, group: ScalingGroup) -> bool:
        settings = group.settings
        is_asked = settings["AutoRebalance"] and settings["BalanceMode"] == "BalancedOnly"
        is_able = group.state == ACTIVE and not group.num_failures
        return bool(is_asked) and is_balanced(settings) and is_able

    def _uneven(self, group: ScalingGroup) -> list[Member]:
        found = (self.vpc.find_vswitch(vswitch_id) for vswitch_id in group.vswitch_ids)
        zone_ids = [vswitch.zone_id for vswitch in found if vswitch is not None]
        made_at = {one.id: one.created_at for one in self.configurations.list()}
        counted = [member for member in self.members_of(group.id) if member.state in COUNTED]
        movable = [member for member in counted if member.state == IN_SERVICE]
        if not zone_ids:
            return []
        return to_move(counted, movable, zone_ids, group.settings, made_at, self.hour)

    def _even_out(self, group: ScalingGroup, uneven: list[Member], cause: str) -> Activity:
        activity = self.passage.exchange(group, uneven, cause, "Rebalance the instances over the zones.")
        self.wake()
        return activity
