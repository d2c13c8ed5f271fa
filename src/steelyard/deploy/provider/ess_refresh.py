from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api
from steelyard.deploy.provider.resource_type import ResourceType, nested, shown, wire

_STATUS = "status"


class InstanceRefresh(ResourceType):
    """`alicloud.ess.InstanceRefresh`; it is begun, and not waited for, and nothing is left to delete."""

    token = "alicloud:ess/instanceRefresh:InstanceRefresh"
    _PLAIN: ClassVar = {
        "scalingGroupId": "ScalingGroupId",
        "minHealthyPercentage": "MinHealthyPercentage",
        "maxHealthyPercentage": "MaxHealthyPercentage",
        "skipMatching": "SkipMatching",
        "checkpointPauseTime": "CheckpointPauseTime",
    }
    _DESIRED: ClassVar = {
        "desiredConfigurationImageId": "ImageId",
        "desiredConfigurationLaunchTemplateId": "LaunchTemplateId",
        "desiredConfigurationLaunchTemplateVersion": "LaunchTemplateVersion",
    }
    _OVERRIDES = "desiredConfigurationLaunchTemplateOverrides"
    create_only = frozenset({*_PLAIN, *_DESIRED, _OVERRIDES, "checkpoints"})
    changeable = frozenset({_STATUS})
    # The statuses that may be asked for, and the action that brings each.
    _ENDS: ClassVar[Mapping[str, str]] = {
        "Cancelled": "CancelInstanceRefresh",
        "RollbackSuccessful": "RollbackInstanceRefresh",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """StartInstanceRefresh, again while no instance needs it; its id is the group's and the task's."""
        overrides = inputs.get(self._OVERRIDES) or []
        desired = {
            **wire(inputs, self._DESIRED),
            "LaunchTemplateOverrides": [
                nested(one, {"instanceType": "InstanceType"}, "an override") for one in overrides
            ]
            or None,
        }
        checkpoints = inputs.get("checkpoints") or []
        params: dict[str, Any] = {
            **wire(inputs, self._PLAIN),
            "DesiredConfiguration": desired if any(desired.values()) else None,
            "Checkpoints": [nested(one, {"percentage": "Percentage"}, "a checkpoint") for one in checkpoints]
            or None,
        }
        none_yet = ("InvalidInstance.NoInstanceNeedBeRefreshed",)
        answer = api.call(ESS, "StartInstanceRefresh", params, retry_on=none_yet)
        resource_id = f"{inputs['scalingGroupId']}:{answer['InstanceRefreshTaskId']}"
        api.operation.allocated(resource_id)
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeInstanceRefreshes."""
        task = self._find(api, resource_id)
        if task is None:
            return None
        checkpoints = (task.get("Checkpoints") or {}).get("Checkpoint") or []
        return {
            **shown(task, {**self._PLAIN, _STATUS: "Status"}),
            **shown(task.get("DesiredConfiguration") or {}, self._DESIRED),
            "checkpoints": [shown(one, {"percentage": "Percentage"}) for one in checkpoints],
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """CancelInstanceRefresh or RollbackInstanceRefresh where that end is asked for, then wait for it."""
        wanted = new.get(_STATUS)
        action = self._ENDS.get(str(wanted))
        if wanted == old.get(_STATUS) or action is None:
            return
        group_id, _, task_id = resource_id.partition(":")
        api.call(ESS, action, {"ScalingGroupId": group_id, "InstanceRefreshTaskId": task_id})

        def look() -> bool | None:
            task = self._find(api, resource_id)
            return True if task is None or task["Status"] == wanted else None

        api.wait(look, what=f"instance refresh {task_id} to be {wanted}")

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Nothing: what was done is done."""

    def _find(self, api: Api, resource_id: str) -> Mapping[str, Any] | None:
        group_id, _, task_id = resource_id.partition(":")
        params = {"ScalingGroupId": group_id, "InstanceRefreshTaskId": [task_id]}
        answer = api.call(ESS, "DescribeInstanceRefreshes", params)
        rows = (answer.get("InstanceRefreshTasks") or {}).get("InstanceRefreshTask") or []
        return rows[0] if rows else None
