"""Who is told of a scaling group's activities, and what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.cms.models import SystemEvent
from steelyard.localcloud.services.ess.models import Activity, ScalingGroup

_PREFIX = "AUTOSCALING:"
_OUT, _IN, _REJECT = "SCALE_OUT", "SCALE_IN", "SCALE_REJECT"

NOTIFICATION_TYPES: Final = tuple(
    f"{_PREFIX}{name}"
    for name in (
        *(f"{side}_{end}" for end in ("SUCCESS", "ERROR") for side in (_OUT, _IN)),
        _REJECT,
        *(f"{side}_START" for side in (_OUT, _IN)),
        "SCHEDULE_TASK_EXPIRING",
    )
)
"""What a group can tell of (help page of DescribeNotificationTypes); here no task is said to be about to expire."""

_ENDS: Mapping[str, str] = {"InProgress": "START", "Successful": "SUCCESS"}
_LEVELS: Mapping[str, str] = {"ERROR": "CRITICAL", "REJECT": "WARN"}


@dataclass(frozen=True, kw_only=True)
class NotificationConfiguration(Record):
    """Of which events of a group a recipient is told.

    Attributes:
        arn: The recipient, `acs:ess:<region>:<account>:cloudmonitor`.
        types: Of `NOTIFICATION_TYPES`.
        time_zone: Such as `UTC+8`; kept, and of no effect on the times of an event, which are UTC.
        encoding: `Base64` or `PlainText`; for recipients that there are not here.
    """

    kind: ClassVar[str] = "ess_notification"

    group_id: str
    arn: str
    types: tuple[str, ...]
    time_zone: str
    encoding: str

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeNotificationConfigurations."""
        return {
            "ScalingGroupId": self.group_id,
            "NotificationArn": self.arn,
            "NotificationTypes": list(self.types),
            "TimeZone": self.time_zone,
            "MessageEncoding": self.encoding,
        }


def event_types(activity: Activity) -> list[str]:
    """Give the types of the events that an activity is by now; none where no instance comes or goes.

    An activity that ended with a part of what it was to do counts as an error, which is from memory; so does one that
    failed before it had an instance, which would have grown the group.
    """
    if activity.status == "Rejected":
        return [f"{_PREFIX}{_REJECT}"]
    sides = [side for side, ids in ((_OUT, activity.created), (_IN, activity.destroyed)) if ids]
    end = _ENDS.get(activity.status, "ERROR")
    if end == "ERROR" and not sides:
        sides = [_OUT]
    return [f"{_PREFIX}{side}_{end}" for side in sides]


def system_event(
    activity: Activity, event_type: str, group: ScalingGroup, *, event_id: str, now: float, account_id: str
) -> SystemEvent:
    """Give an event as CloudMonitor is told it; names of products, levels and the content's form are from memory."""
    level = next((level for end, level in _LEVELS.items() if event_type.endswith(end)), "INFO")
    content = {
        **activity.to_answer(),
        "ScalingGroupName": group.name,
        "RegionId": group.region_id,
    }
    return SystemEvent(
        id=event_id,
        created_at=now,
        product="ESS",
        name=event_type,
        level=level,
        status=activity.status,
        region_id=group.region_id,
        resource_id=f"acs:ess:{group.region_id}:{account_id}:scalinggroup/{group.id}",
        instance_name=group.name,
        content=json.dumps(content, sort_keys=True),
    )
