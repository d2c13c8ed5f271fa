from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms.actions import CmsService
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import ScalingGroup
from steelyard.localcloud.services.ess.notification import (
    NOTIFICATION_TYPES,
    NotificationConfiguration,
    event_types,
    system_event,
)
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

MAX_A_GROUP: Final = 6
"""Recipients of one group (help page "Limits", from memory)."""

_QUEUE = re.compile(r"(queue|topic)/([A-Za-z0-9][A-Za-z0-9-]{0,254})")
_TIME_ZONE = re.compile(r"UTC([+-]([0-9]|1[0-4]))?")
_ENCODINGS = ("Base64", "PlainText")


class NotificationActions(EssCore):
    """Notifications of scaling activities: CloudMonitor gets them as system events, which it shows.

    Queues and topics are refused as ones that are not there, since the local cloud has no message service.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.notifications = Records(cloud.store, NotificationConfiguration)

    @action("CreateNotificationConfiguration")
    def create_notification_configuration(self, request: Request) -> dict[str, object]:
        """Tell a recipient of some of a group's events."""
        group = self.standing_group(request)
        arn = self._recipient(request, group)
        known = self.notifications.where("group_id", group.id)
        if any(one.arn == arn for one in known):
            raise errors.notification_exists(arn)
        if len(known) >= MAX_A_GROUP:
            raise errors.too_many_notifications(MAX_A_GROUP)
        self.notifications.put(
            NotificationConfiguration(
                id=f"{group.id}:{arn}",
                created_at=self.cloud.clock(),
                group_id=group.id,
                arn=arn,
                types=_types(request),
                time_zone=_time_zone(request, "UTC+8"),
                encoding=_encoding(request, "Base64"),
            )
        )
        return {}

    @action("ModifyNotificationConfiguration")
    def modify_notification_configuration(self, request: Request) -> dict[str, object]:
        """Tell a recipient of other events."""
        before = self._notification(request)
        self.notifications.put(
            replace(
                before,
                types=_types(request),
                time_zone=_time_zone(request, before.time_zone),
                encoding=_encoding(request, before.encoding),
            )
        )
        return {}

    @action("DescribeNotificationConfigurations")
    def describe_notification_configurations(self, request: Request) -> dict[str, object]:
        """List a group's recipients."""
        found = self.notifications.where("group_id", self.group(request).id)
        return {"NotificationConfigurationModels": [one.to_answer() for one in found]}

    @action("DeleteNotificationConfiguration")
    def delete_notification_configuration(self, request: Request) -> dict[str, object]:
        """Tell a recipient nothing more."""
        self.notifications.delete(self._notification(request).id)
        return {}

    @action("DescribeNotificationTypes")
    def describe_notification_types(self, request: Request) -> dict[str, object]:
        """List what can be told of."""
        return {"NotificationTypes": list(NOTIFICATION_TYPES)}

    def activity_changed(self, activity_id: str) -> None:
        """Tell those who want to know of it, each of an event once."""
        activity = self.activities.get(activity_id)
        group = self.groups.get(activity.group_id) if activity is not None else None
        if activity is None or group is None:
            return
        wanted = {kind for one in self.notifications.where("group_id", group.id) for kind in one.types}
        cms = self.cloud.service(CmsService)
        for event_type in event_types(activity):
            event_id = f"{activity.id}-{event_type}"
            if event_type in wanted and cms.events.get(event_id) is None:
                cms.tell_event(
                    system_event(
                        activity,
                        event_type,
                        group,
                        event_id=event_id,
                        now=self.cloud.clock(),
                        account_id=self.cloud.identity.account_id,
                    )
                )

    def forget_group(self, group: ScalingGroup) -> None:
        """Remove a group with its recipients."""
        super().forget_group(group)
        for one in self.notifications.where("group_id", group.id):
            self.notifications.delete(one.id)

    def _notification(self, request: Request) -> NotificationConfiguration:
        group, arn = self.group(request), request.text("NotificationArn")
        found = self.notifications.get(f"{group.id}:{arn}")
        if found is None:
            raise errors.notification_not_found(arn)
        return found

    def _recipient(self, request: Request, group: ScalingGroup) -> str:
        arn = request.text("NotificationArn")
        parts = arn.split(":")
        place = [group.region_id, self.cloud.identity.account_id]
        if len(parts) != 5 or parts[0] != "acs" or parts[1] not in ("ess", "mns") or parts[2:4] != place:
            raise errors.invalid_notification_arn(arn)
        queue = _QUEUE.fullmatch(parts[4])
        if queue is not None:
            raise errors.no_message_service(*queue.groups())
        if parts[4] != "cloudmonitor":
            raise errors.invalid_notification_arn(arn)
        return arn


def _types(request: Request) -> tuple[str, ...]:
    named = request.texts("NotificationTypes")
    if not named:
        raise missing_parameter("NotificationTypes")
    for one in named:
        if one not in NOTIFICATION_TYPES:
            raise errors.invalid_notification_type(one)
    return tuple(one for one in NOTIFICATION_TYPES if one in named)


def _time_zone(request: Request, default: str) -> str:
    zone = request.text("TimeZone") or default
    if not _TIME_ZONE.fullmatch(zone):
        raise invalid_parameter("TimeZone", zone, "such as UTC+8")
    return zone


def _encoding(request: Request, default: str) -> str:
    encoding = request.text("MessageEncoding") or default
    if encoding not in _ENCODINGS:
        raise invalid_parameter("MessageEncoding", encoding, f"one of {', '.join(_ENCODINGS)}")
    return encoding
