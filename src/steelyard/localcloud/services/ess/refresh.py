"""A change of all members of a scaling group to another configuration, a few at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.ess.models import IN_SERVICE, PENDING, PENDING_WAIT, ScalingGroup
from steelyard.localcloud.text import utc_text

IN_PROGRESS, PAUSED, AT_CHECKPOINT = "InProgress", "Paused", "CheckpointPause"
CANCELLING, ROLLING_BACK = "Cancelling", "RollbackInProgress"
SUCCESSFUL, FAILED, CANCELLED = "Successful", "Failed", "Cancelled"
ROLLED_BACK, ROLLBACK_FAILED = "RollbackSuccessful", "RollbackFailed"

UNDER_WAY: Final = (IN_PROGRESS, PAUSED, AT_CHECKPOINT, ROLLING_BACK)
"""States in which new members are made by what is desired."""
OPEN: Final = (*UNDER_WAY, CANCELLING)
"""States of a refresh that has not ended."""

REPLACEABLE: Final = (PENDING, PENDING_WAIT, IN_SERVICE)
"""States of members that are refreshed, those on their way once they are in service."""


@dataclass(frozen=True, kw_only=True)
class InstanceRefresh(Record):
    """A refresh of a scaling group's instances.

    Attributes:
        wanted: The desired configuration by the API's names: `ImageId`, `ScalingConfigurationId`, or `LaunchTemplateId`
            with `LaunchTemplateVersion` and `LaunchTemplateOverrides`; empty for what the group has.
        before: The same of what the group had.
        min_healthy: Part of the capacity that stays in service, in percent.
        max_healthy: Part of the capacity that there may be meanwhile, in percent.
        skips_matching: Whether members stay that are as desired already.
        checkpoints: Parts of the work, in percent, after which it rests.
        pause_s: How long it rests.
        old_ids: Members that are to go yet.
        total: How many there were to go.
        resumes_at: Unix time at which it goes on from a checkpoint.
    """

    kind: ClassVar[str] = "ess_refresh"

    group_id: str
    region_id: str
    status: str
    wanted: Mapping[str, object]
    before: Mapping[str, object]
    min_healthy: int
    max_healthy: int
    skips_matching: bool
    checkpoints: tuple[int, ...]
    pause_s: int
    old_ids: tuple[str, ...]
    total: int
    num_done: int = 0
    all_checkpoints: tuple[int, ...] = ()
    detail: str = ""
    resumes_at: float = 0.0
    ended_at: float = 0.0

    def ended(self, status: str, now: float, detail: str = "") -> InstanceRefresh:
        """Give it as one that has come to its end."""
        return replace(self, status=status, ended_at=now, detail=detail)

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeInstanceRefreshes."""
        return {
            "InstanceRefreshTaskId": self.id,
            "ScalingGroupId": self.group_id,
            "RegionId": self.region_id,
            "Status": self.status,
            "Detail": self.detail,
            "DesiredConfiguration": dict(self.wanted),
            "MinHealthyPercentage": self.min_healthy,
            "MaxHealthyPercentage": self.max_healthy,
            "SkipMatching": self.skips_matching,
            "Checkpoints": [{"Percentage": percent} for percent in self.all_checkpoints],
            "CheckpointPauseTime": self.pause_s // 60,
            "TotalNeedUpdateCapacity": self.total,
            "FinishedUpdateCapacity": self.num_done,
            "StartTime": utc_text(self.created_at),
            "EndTime": utc_text(self.ended_at) if self.ended_at else "",
        }


def configured(group: ScalingGroup, wanted: Mapping[str, object]) -> ScalingGroup:
    """Give a group as it is by a desired configuration; an image is not the group's own, but its configuration's."""
    if wanted.get("ScalingConfigurationId"):
        settings = {**group.settings, "LaunchTemplateId": "", "LaunchTemplateVersion": ""}
        return replace(group, configuration_id=str(wanted["ScalingConfigurationId"]), settings=settings)
    if wanted.get("LaunchTemplateId"):
        names = ("LaunchTemplateId", "LaunchTemplateVersion", "LaunchTemplateOverrides")
        settings = {**group.settings, **{name: wanted.get(name) for name in names}}
        return replace(group, configuration_id="", settings=settings)
    return group


def configuration_of(group: ScalingGroup, image_id: str) -> dict[str, object]:
    """Give what a group has, in the form of a desired configuration.

    Args:
        group: The group.
        image_id: The image of its members, where a refresh changes that alone; empty otherwise.
    """
    if image_id:
        return {"ImageId": image_id}
    if group.settings.get("LaunchTemplateId"):
        names = ("LaunchTemplateId", "LaunchTemplateVersion", "LaunchTemplateOverrides")
        return {name: group.settings[name] for name in names if group.settings.get(name)}
    return {"ScalingConfigurationId": group.configuration_id}
