"""Instances that a scaling group takes in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api, pages
from steelyard.deploy.provider.ess import BUSY, wait_activity
from steelyard.deploy.provider.resource_type import ResourceType

_MAX_A_CALL = 20
"""Instances that a call names at most."""


class Attachment(ResourceType):
    """`alicloud.ess.Attachment`: instances in a scaling group; its id is the scaling group's."""

    token = "alicloud:ess/attachment:Attachment"
    create_only = frozenset({"scalingGroupId"})
    changeable = frozenset({"instanceIds", "entrusted", "force", "lifecycleHook", "loadBalancerWeights"})

    def create(self, api: Api, inputs: Values) -> str:
        """AttachInstances, twenty at a time, each waiting until its activity is successful."""
        group_id = str(inputs["scalingGroupId"])
        api.operation.allocated(group_id)
        self._attach(api, group_id, inputs["instanceIds"], inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingInstances, of them those that were attached."""
        found = _attached(api, resource_id)
        if not found:
            return None
        return {
            "scalingGroupId": resource_id,
            "instanceIds": [one["InstanceId"] for one in found],
            "entrusted": bool(found[0].get("Entrusted")),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """AttachInstances for those that come, RemoveInstances for those that go."""
        before, after = (list(values.get("instanceIds") or []) for values in (old, new))
        self._attach(api, resource_id, [one for one in after if one not in before], new)
        self._remove(api, resource_id, [one for one in before if one not in after])

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveInstances of those that are still there, waiting until its activity is successful."""
        there = {one["InstanceId"] for one in _attached(api, resource_id)}
        self._remove(api, resource_id, [one for one in inputs.get("instanceIds") or [] if one in there])

    def _attach(self, api: Api, group_id: str, ids: Collection[str], inputs: Values) -> None:
        params = {
            "ScalingGroupId": group_id,
            "Entrusted": inputs.get("entrusted"),
            "LifecycleHook": inputs.get("lifecycleHook"),
            "LoadBalancerWeight": inputs.get("loadBalancerWeights") or None,
        }
        self._call(api, "AttachInstances", params, ids)

    def _remove(self, api: Api, group_id: str, ids: Collection[str]) -> None:
        self._call(api, "RemoveInstances", {"ScalingGroupId": group_id}, ids)

    def _call(self, api: Api, action: str, params: Mapping[str, Any], ids: Collection[str]) -> None:
        listed = list(ids)
        for first in range(0, len(listed), _MAX_A_CALL):
            named = {**params, "InstanceId": listed[first : first + _MAX_A_CALL]}
            wait_activity(api, api.call(ESS, action, named, retry_on=BUSY))


def _attached(api: Api, group_id: str) -> list[Mapping[str, Any]]:
    params = {"ScalingGroupId": group_id, "CreationType": "Attached"}
    return [
        row
        for answer in pages(api, ESS, "DescribeScalingInstances", params)
        for row in (answer.get("ScalingInstances") or {}).get("ScalingInstance") or []
    ]
