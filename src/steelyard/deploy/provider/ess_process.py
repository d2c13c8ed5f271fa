"""What a scaling group tells of itself, and what it does not do for now."""

from __future__ import annotations

from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api
from steelyard.deploy.provider.ess import BUSY, find_group
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire


class Notification(ResourceType):
    """`alicloud.ess.Notification`; its id is the scaling group's and the recipient's."""

    token = "alicloud:ess/notification:Notification"
    create_only = frozenset({"scalingGroupId", "notificationArn"})
    changeable = frozenset({"notificationTypes", "timeZone"})
    deletes_before_replace = True
    _NAMES: ClassVar = {
        "scalingGroupId": "ScalingGroupId",
        "notificationArn": "NotificationArn",
        "timeZone": "TimeZone",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateNotificationConfiguration."""
        params = {**wire(inputs, self._NAMES), "NotificationType": list(inputs["notificationTypes"])}
        api.call(ESS, "CreateNotificationConfiguration", params)
        resource_id = f"{inputs['scalingGroupId']}:{inputs['notificationArn']}"
        api.operation.allocated(resource_id)
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeNotificationConfigurations."""
        group_id, _, arn = resource_id.partition(":")
        answer = api.call(ESS, "DescribeNotificationConfigurations", {"ScalingGroupId": group_id})
        models = answer.get("NotificationConfigurationModels") or {}
        for one in models.get("NotificationConfigurationModel") or []:
            if one["NotificationArn"] == arn:
                types = (one.get("NotificationTypes") or {}).get("NotificationType") or []
                return {**shown(one, self._NAMES), "notificationTypes": types}
        return None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyNotificationConfiguration: the types as a whole, the time zone where it changed."""
        params: dict[str, Any] = {
            **self._target(resource_id),
            **changes(old, new, {"timeZone": "TimeZone"}),
            "NotificationType": list(new["notificationTypes"]),
        }
        api.call(ESS, "ModifyNotificationConfiguration", params)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteNotificationConfiguration, then wait until it is gone."""
        api.call(ESS, "DeleteNotificationConfiguration", self._target(resource_id))
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"notification {resource_id}")

    def _target(self, resource_id: str) -> dict[str, str]:
        group_id, _, arn = resource_id.partition(":")
        return {"ScalingGroupId": group_id, "NotificationArn": arn}


class SuspendProcess(ResourceType):
    """`alicloud.ess.SuspendProcess`; its id is the scaling group's and the process's."""

    token = "alicloud:ess/suspendProcess:SuspendProcess"
    create_only = frozenset({"scalingGroupId", "process"})
    deletes_before_replace = True

    def create(self, api: Api, inputs: Values) -> str:
        """SuspendProcesses."""
        resource_id = f"{inputs['scalingGroupId']}:{inputs['process']}"
        api.call(ESS, "SuspendProcesses", self._target(resource_id), retry_on=BUSY)
        api.operation.allocated(resource_id)
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingGroups, and in it the process."""
        group_id, _, process = resource_id.partition(":")
        suspended = (find_group(api, group_id) or {}).get("SuspendedProcesses") or {}
        if process not in (suspended.get("SuspendedProcess") or []):
            return None
        return {"scalingGroupId": group_id, "process": process}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """ResumeProcesses."""
        api.call(ESS, "ResumeProcesses", self._target(resource_id), retry_on=BUSY)

    def _target(self, resource_id: str) -> dict[str, Any]:
        group_id, _, process = resource_id.partition(":")
        return {"ScalingGroupId": group_id, "Process": [process]}
