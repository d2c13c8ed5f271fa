from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import Member, ScalingGroup
from steelyard.localcloud.services.ess.refresh import (
    AT_CHECKPOINT,
    CANCELLING,
    IN_PROGRESS,
    OPEN,
    PAUSED,
    REPLACEABLE,
    ROLLING_BACK,
    InstanceRefresh,
    configuration_of,
    configured,
)
from steelyard.localcloud.wire.error import invalid_parameter, not_served

_SOURCES = ("ImageId", "ScalingConfigurationId", "LaunchTemplateId", "Containers")

MAX_KEPT = 50
"""Refreshes of a group that are told of; only the newest one can be under way."""


class RefreshActions(EssCore):
    """Refreshes of a group's instances: begun, told, paused, taken up again, cancelled and rolled back."""

    @action("StartInstanceRefresh")
    def start_instance_refresh(self, request: Request) -> dict[str, object]:
        """Begin to replace members by ones of the desired configuration; protected and standby ones stay."""
        group = self.active_group(request)
        if self.refresh_of(group.id, OPEN) is not None:
            raise errors.refresh_under_way(group.id)
        wanted = self._desired(request, group)
        skips = request.flag("SkipMatching", True)
        old = [one for one in self._replaceable(group) if not skips or not self._is_as(one, group, wanted)]
        if not old:
            raise errors.nothing_to_refresh(group.id)
        checkpoints = _checkpoints(request)
        refresh = InstanceRefresh(
            id=self.cloud.new_id("ir"),
            created_at=self.cloud.clock(),
            group_id=group.id,
            region_id=group.region_id,
            status=IN_PROGRESS,
            wanted=wanted,
            before=configuration_of(group, self._image_of(old[0]) if wanted.get("ImageId") else ""),
            min_healthy=_percent(request, "MinHealthyPercentage", 80, 0, 100),
            max_healthy=_percent(request, "MaxHealthyPercentage", 120, 100, 200),
            skips_matching=skips,
            checkpoints=checkpoints,
            all_checkpoints=checkpoints,
            pause_s=60 * _percent(request, "CheckpointPauseTime", 60, 1, 2880),
            old_ids=tuple(member.id for member in old),
            total=len(old),
        )
        self.refreshes.put(refresh)
        for one in self.refreshes.where("group_id", group.id)[:-MAX_KEPT]:
            self.refreshes.delete(one.id)
        self.wake()
        return {"InstanceRefreshTaskId": refresh.id}

    @action("DescribeInstanceRefreshes")
    def describe_instance_refreshes(self, request: Request) -> dict[str, object]:
        """List refreshes by group and ids, the newest first."""
        ids = request.texts("InstanceRefreshTaskIds")
        found = [
            one
            for one in reversed(self.refreshes.list())
            if request.text("ScalingGroupId") in ("", one.group_id) and (not ids or one.id in ids)
        ]
        page, token = token_page(request, found, default=10)
        return {
            "InstanceRefreshTasks": [one.to_answer() for one in page],
            "TotalCount": len(found),
            "MaxResults": request.number("MaxResults", 10),
            "NextToken": token,
        }

    @action("SuspendInstanceRefresh")
    def suspend_instance_refresh(self, request: Request) -> dict[str, object]:
        """Let no further member go; those that are on their way go on."""
        self.refreshes.put(replace(self._refresh(request, (IN_PROGRESS, AT_CHECKPOINT)), status=PAUSED))
        return {}

    @action("ResumeInstanceRefresh")
    def resume_instance_refresh(self, request: Request) -> dict[str, object]:
        """Go on, also from a checkpoint."""
        self.refreshes.put(replace(self._refresh(request, (PAUSED, AT_CHECKPOINT)), status=IN_PROGRESS))
        self.wake()
        return {}

    @action("CancelInstanceRefresh")
    def cancel_instance_refresh(self, request: Request) -> dict[str, object]:
        """Replace no more; members that are new stay, and the group's configuration does."""
        refresh = self._refresh(request, (IN_PROGRESS, PAUSED, AT_CHECKPOINT))
        self.refreshes.put(replace(refresh, status=CANCELLING))
        self.wake()
        return {}

    @action("RollbackInstanceRefresh")
    def rollback_instance_refresh(self, request: Request) -> dict[str, object]:
        """Replace the new members by ones of what the group has; not where that is a version without a number."""
        refresh = self._refresh(request, (IN_PROGRESS, PAUSED, AT_CHECKPOINT))
        group = self.active_group(request)
        for side in (refresh.wanted, refresh.before):
            if side.get("LaunchTemplateVersion") in ("Default", "Latest"):
                raise errors.no_rollback(str(side["LaunchTemplateVersion"]))
        old = [one for one in self._replaceable(group) if not self._is_as(one, group, refresh.before)]
        back = replace(
            refresh,
            status=ROLLING_BACK,
            wanted=refresh.before,
            old_ids=tuple(one.id for one in old),
            total=max(1, len(old)),
        )
        self.refreshes.put(back)
        self.wake()
        return {}

    def forget_group(self, group: ScalingGroup) -> None:
        """Remove a group with its refreshes."""
        super().forget_group(group)
        for one in self.refreshes.where("group_id", group.id):
            self.refreshes.delete(one.id)

    def _refresh(self, request: Request, states: Collection[str]) -> InstanceRefresh:
        group, refresh_id = self.group(request), request.text("InstanceRefreshTaskId")
        refresh = self.refreshes.get(refresh_id)
        if refresh is None or refresh.group_id != group.id:
            raise errors.refresh_not_found(refresh_id)
        if refresh.status not in states:
            raise errors.incorrect_refresh_status(refresh.status, request.action)
        return refresh

    def _desired(self, request: Request, group: ScalingGroup) -> dict[str, object]:
        given = request.params.get("DesiredConfiguration") or {}
        assert isinstance(given, Mapping)
        wanted: dict[str, Any] = {name: value for name, value in given.items() if value}
        named = [name for name in _SOURCES if wanted.get(name)]
        if len(named) > 1:
            raise invalid_parameter("DesiredConfiguration", ", ".join(named), f"one of {', '.join(_SOURCES)}")
        if wanted.get("Containers"):
            raise not_served("refreshes of containers")
        if wanted.get("ImageId") and not group.configuration_id:
            raise invalid_parameter(
                "DesiredConfiguration.ImageId", wanted["ImageId"], "left out where a launch template has it"
            )
        if wanted.get("ScalingConfigurationId"):
            self.configuration_of(group, wanted["ScalingConfigurationId"])
        if wanted.get("LaunchTemplateId"):
            wanted.setdefault("LaunchTemplateVersion", "Default")
        desired = configured(group, wanted)
        self.launcher.template_for(desired, wanted)
        if max((*self.weights_of(group).values(), *self.weights_of(desired).values()), default=1) > 1:
            raise not_served("instance refreshes of groups whose instance types have a WeightedCapacity")
        return wanted

    def _image_of(self, member: Member) -> str:
        instance = self.ecs.find_instance(member.id)
        return "" if instance is None else instance.image_id

    def _replaceable(self, group: ScalingGroup) -> list[Member]:
        return [member for member in self.members_of(group.id) if member.state in REPLACEABLE]

    def _is_as(self, member: Member, group: ScalingGroup, wanted: Mapping[str, object]) -> bool:
        """Tell whether a member was made by a configuration; of one that changes the image, whether it has that."""
        if wanted.get("ImageId"):
            return self._image_of(member) == wanted["ImageId"]
        template = self.launcher.template_for(configured(group, wanted), wanted)
        made_by = (member.configuration_id, member.template_id, member.template_version)
        return made_by == (template.configuration_id, template.template_id, template.template_version)


def _percent(request: Request, name: str, default: int, low: int, high: int) -> int:
    value = request.number(name, default)
    if not low <= value <= high:
        raise invalid_parameter(name, value, f"from {low} to {high}")
    return value


def _checkpoints(request: Request) -> tuple[int, ...]:
    found = tuple(int(str(one.get("Percentage") or 0)) for one in request.records("Checkpoints"))
    is_rising = all(a < b for a, b in pairwise(found))
    if found and not (is_rising and found[0] >= 1 and found[-1] == 100):
        raise invalid_parameter("Checkpoints", list(found), "rising percentages, of which the last is 100")
    return found
