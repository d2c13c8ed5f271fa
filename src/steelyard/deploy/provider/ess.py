"""Scaling groups, and what they are attached to.

The vendor's provider calls the version 2014-08-28, whose lists are named by the singular in calls and wrapped once more
in answers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ESS, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, changes, nested, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter
from steelyard.errors import ResourceError

_KIND = "scalinggroup"
BUSY = ("IncorrectScalingGroupStatus", "InvalidOperation.Conflict", "ScalingActivityInProgress")
"""Refusals of attachments that pass by themselves."""

_CAPACITY = {
    "capacityOptionsCompensateWithOnDemand": "CompensateWithOnDemand",
    "capacityOptionsOnDemandBaseCapacity": "OnDemandBaseCapacity",
    "capacityOptionsOnDemandPercentageAboveBaseCapacity": "OnDemandPercentageAboveBaseCapacity",
    "capacityOptionsPriceComparisonMode": "PriceComparisonMode",
    "capacityOptionsSpotAutoReplaceOnDemand": "SpotAutoReplaceOnDemand",
}
_OVERRIDE = {
    "instanceType": "InstanceType",
    "spotPriceLimit": "SpotPriceLimit",
    "weightedCapacity": "WeightedCapacity",
}


class ScalingGroup(ResourceType):
    """`alicloud.ess.ScalingGroup`; one with a launch template is enabled at once, another by its configuration."""

    token = "alicloud:ess/scalingGroup:ScalingGroup"
    create_only = frozenset(
        {"groupType", "instanceId", "containerGroupId", "multiAzPolicy", "resourceGroupId"}
    )
    _CHANGE: ClassVar = {
        "minSize": "MinSize",
        "maxSize": "MaxSize",
        "desiredCapacity": "DesiredCapacity",
        "scalingGroupName": "ScalingGroupName",
        "defaultCooldown": "DefaultCooldown",
        "healthCheckType": "HealthCheckType",
        "scalingPolicy": "ScalingPolicy",
        "stopInstanceTimeout": "StopInstanceTimeout",
        "maxInstanceLifetime": "MaxInstanceLifetime",
        "onDemandBaseCapacity": "OnDemandBaseCapacity",
        "onDemandPercentageAboveBaseCapacity": "OnDemandPercentageAboveBaseCapacity",
        "spotInstancePools": "SpotInstancePools",
        "spotInstanceRemedy": "SpotInstanceRemedy",
        "compensateWithOnDemand": "CompensateWithOnDemand",
        "azBalance": "AzBalance",
        "autoRebalance": "AutoRebalance",
        "balanceMode": "BalanceMode",
        "spotAllocationStrategy": "SpotAllocationStrategy",
        "allocationStrategy": "AllocationStrategy",
        "groupDeletionProtection": "GroupDeletionProtection",
        "launchTemplateId": "LaunchTemplateId",
        "launchTemplateVersion": "LaunchTemplateVersion",
    }
    _CREATE: ClassVar = {
        **_CHANGE,
        "groupType": "GroupType",
        "instanceId": "InstanceId",
        "containerGroupId": "ContainerGroupId",
        "multiAzPolicy": "MultiAZPolicy",
        "resourceGroupId": "ResourceGroupId",
    }
    changeable = frozenset(
        {
            *_CHANGE,
            *_CAPACITY,
            "vswitchIds",
            "removalPolicies",
            "healthCheckTypes",
            "launchTemplateOverrides",
            "loadbalancerIds",
            "protectedInstances",
            "tags",
        }
    )

    def create(self, api: Api, inputs: Values) -> str:
        """CreateScalingGroup, then wait until it is there; EnableScalingGroup where it has a launch template."""
        params = {
            **wire(inputs, self._CREATE),
            **_lists(inputs),
            "LoadBalancerIds": json.dumps(inputs["loadbalancerIds"])
            if inputs.get("loadbalancerIds")
            else None,
            "ClientToken": api.operation.token,
        }
        retried = ("IncorrectLoadBalancerHealthCheck", "IncorrectLoadBalancerStatus")
        group_id = str(api.call(ESS, "CreateScalingGroup", params, retry_on=retried)["ScalingGroupId"])
        api.operation.allocated(group_id)
        api.wait(lambda: find_group(api, group_id), what=f"scaling group {group_id}")
        if inputs.get("launchTemplateId"):
            api.call(ESS, "EnableScalingGroup", {"ScalingGroupId": group_id}, retry_on=BUSY)
        TagWriter(api, ESS, _KIND).change(group_id, {}, inputs)
        self._protect(api, group_id, {}, inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingGroups, ListTagResources, and DescribeScalingInstances for the protected ones."""
        group = find_group(api, resource_id)
        if group is None:
            return None
        params = {"ScalingGroupId": resource_id, "LifecycleState": "Protected", "PageSize": 50}
        answer = api.call(ESS, "DescribeScalingInstances", params)
        return {
            **shown(group, self._CREATE),
            **shown(group.get("CapacityOptions") or {}, _CAPACITY),
            "vswitchIds": _inner(group, "VSwitchIds", "VSwitchId"),
            "removalPolicies": _inner(group, "RemovalPolicies", "RemovalPolicy"),
            "loadbalancerIds": _inner(group, "LoadBalancerIds", "LoadBalancerId"),
            "launchTemplateOverrides": [
                shown(one, _OVERRIDE)
                for one in _inner(group, "LaunchTemplateOverrides", "LaunchTemplateOverride")
            ],
            "protectedInstances": [
                one["InstanceId"] for one in _inner(answer, "ScalingInstances", "ScalingInstance")
            ],
            "tags": TagWriter(api, ESS, _KIND).read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyScalingGroup with what changed, Attach/DetachLoadBalancers, SetInstancesProtection, tags."""
        changed = changes(old, new, self._CHANGE)
        before, after = _lists(old), _lists(new)
        changed.update({name: value for name, value in after.items() if value != before.get(name)})
        if "LaunchTemplateVersion" in changed or "LaunchTemplateOverride" in changed:
            changed["LaunchTemplateId"] = new.get("launchTemplateId")
            changed["LaunchTemplateVersion"] = new.get("launchTemplateVersion")
        if changed:
            api.call(ESS, "ModifyScalingGroup", {"ScalingGroupId": resource_id, **changed})
        self._balance(api, resource_id, old, new)
        self._protect(api, resource_id, old, new)
        TagWriter(api, ESS, _KIND).change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteScalingGroup with its instances, then wait until it is gone."""
        api.call(ESS, "DeleteScalingGroup", {"ScalingGroupId": resource_id, "ForceDelete": True})
        wait_gone(api, lambda: find_group(api, resource_id) is not None, f"scaling group {resource_id}")

    def _balance(self, api: Api, group_id: str, old: Values, new: Values) -> None:
        before, after = (set(values.get("loadbalancerIds") or []) for values in (old, new))
        for action, ids in (("AttachLoadBalancers", after - before), ("DetachLoadBalancers", before - after)):
            if ids:
                force = "ForceAttach" if action.startswith("Attach") else "ForceDetach"
                params = {"ScalingGroupId": group_id, force: True, "LoadBalancer": sorted(ids)}
                api.call(ESS, action, params)

    def _protect(self, api: Api, group_id: str, old: Values, new: Values) -> None:
        before, after = (set(values.get("protectedInstances") or []) for values in (old, new))
        for is_protected, ids in ((True, after - before), (False, before - after)):
            if ids:
                params = {"ScalingGroupId": group_id, "InstanceId": sorted(ids)}
                api.call(ESS, "SetInstancesProtection", {**params, "ProtectedFromScaleIn": is_protected})


class _Attachment(ResourceType):
    """A server group that a scaling group's members serve in; it is attached and detached by scaling activities.

    Attributes:
        row: The inputs that name it, by Pulumi's names, and the API's.
        key: The inputs that its id is made of, after the scaling group's.
        kind: The API's word for it.
    """

    changeable = frozenset({"forceAttach"})
    # Its id is what it joins: the old one taken away later would take away the new one.
    deletes_before_replace = True
    row: ClassVar[Mapping[str, str]]
    key: ClassVar[tuple[str, ...]]
    kind: ClassVar[str]

    def create(self, api: Api, inputs: Values) -> str:
        """Attach[Alb]ServerGroups, then wait until the activity is successful."""
        group_id = str(inputs["scalingGroupId"])
        params = {
            "ScalingGroupId": group_id,
            "ForceAttach": bool(inputs.get("forceAttach")),
            self.kind: [wire(inputs, self.row)],
        }
        answer = api.call(ESS, f"Attach{self.kind}s", params, retry_on=BUSY)
        attachment_id = ":".join([group_id, *(str(inputs.get(name) or 0) for name in self.key)])
        api.operation.allocated(attachment_id)
        wait_activity(api, answer)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingGroups, and in it the server group."""
        group_id, *parts = resource_id.split(":")
        group = find_group(api, group_id)
        for row in _inner(group or {}, f"{self.kind}s", self.kind):
            if [str(row.get(self.row[name]) or 0) for name in self.key] == parts:
                return {**shown(row, self.row), "scalingGroupId": group_id}
        return None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Nothing: how it is detached one day is no call now."""

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Detach[Alb]ServerGroups, then wait until the activity is successful."""
        group_id = resource_id.split(":")[0]
        params = {
            "ScalingGroupId": group_id,
            "ForceDetach": bool(inputs.get("forceAttach")),
            self.kind: [wire(inputs, {name: self.row[name] for name in self.key})],
        }
        wait_activity(api, api.call(ESS, f"Detach{self.kind}s", params, retry_on=BUSY))


class ServerGroupAttachment(_Attachment):
    """`alicloud.ess.ServerGroupAttachment`: a server group of an ALB or NLB."""

    token = "alicloud:ess/serverGroupAttachment:ServerGroupAttachment"
    create_only = frozenset({"scalingGroupId", "serverGroupId", "type", "port", "weight"})
    kind = "ServerGroup"
    key = ("serverGroupId", "type", "port")
    row: ClassVar = {"serverGroupId": "ServerGroupId", "type": "Type", "port": "Port", "weight": "Weight"}


class AlbServerGroupAttachment(_Attachment):
    """`alicloud.ess.AlbServerGroupAttachment`, the older kind for an ALB alone."""

    token = "alicloud:ess/albServerGroupAttachment:AlbServerGroupAttachment"
    create_only = frozenset({"scalingGroupId", "albServerGroupId", "port", "weight"})
    kind = "AlbServerGroup"
    key = ("albServerGroupId", "port")
    row: ClassVar = {"albServerGroupId": "AlbServerGroupId", "port": "Port", "weight": "Weight"}


class ScalingGroupVServerGroups(ResourceType):
    """`alicloud.ess.ScalingGroupVServerGroups`: all server groups of classic ones that a group's members serve in."""

    token = "alicloud:ess/scalingGroupVServerGroups:ScalingGroupVServerGroups"
    create_only = frozenset({"scalingGroupId"})
    changeable = frozenset({"vserverGroups", "force"})

    _ROW: ClassVar = {"vserverGroupId": "VServerGroupId", "port": "Port", "weight": "Weight"}
    _BUSY: ClassVar = ("VServerGroupProcessing", "BackendServer.configuring", *BUSY)

    def create(self, api: Api, inputs: Values) -> str:
        """AttachVServerGroups; its id is the scaling group's."""
        group_id = str(inputs["scalingGroupId"])
        api.operation.allocated(group_id)
        self._change(api, group_id, {}, inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeScalingGroups, and in it the server groups; None where there are none."""
        group = find_group(api, resource_id)
        found = [
            {
                "loadbalancerId": one["LoadBalancerId"],
                "vserverAttributes": [
                    shown(row, self._ROW)
                    for row in _inner(one, "VServerGroupAttributes", "VServerGroupAttribute")
                ],
            }
            for one in _inner(group or {}, "VServerGroups", "VServerGroup")
        ]
        return {"scalingGroupId": resource_id, "vserverGroups": found} if found else None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """DetachVServerGroups for those that go, AttachVServerGroups for those that come."""
        self._change(api, resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DetachVServerGroups."""
        self._change(api, resource_id, inputs, {"force": inputs.get("force")})

    def _change(self, api: Api, group_id: str, old: Values, new: Values) -> None:
        before, after = self._rows(old), self._rows(new)
        force = new.get("force") is not False
        for action, rows in (
            ("DetachVServerGroups", before - after),
            ("AttachVServerGroups", after - before),
        ):
            named = "ForceDetach" if action.startswith("Detach") else "ForceAttach"
            params = {"ScalingGroupId": group_id, named: force, "VServerGroup": self._wire(rows)}
            if rows:
                api.call(ESS, action, params, retry_on=self._BUSY)

    def _rows(self, inputs: Values) -> set[tuple[str, str, int, int]]:
        return {
            (str(one["loadbalancerId"]), str(row["vserverGroupId"]), int(row["port"]), int(row["weight"]))
            for one in inputs.get("vserverGroups") or []
            for row in one.get("vserverAttributes") or []
        }

    def _wire(self, rows: Collection[tuple[str, str, int, int]]) -> list[dict[str, Any]]:
        by_balancer: dict[str, list[dict[str, Any]]] = {}
        for balancer_id, server_group_id, port, weight in sorted(rows):
            row = {"VServerGroupId": server_group_id, "Port": port, "Weight": weight}
            by_balancer.setdefault(balancer_id, []).append(row)
        return [
            {"LoadBalancerId": balancer_id, "VServerGroupAttribute": attributes}
            for balancer_id, attributes in by_balancer.items()
        ]


def find_group(api: Api, group_id: str) -> Mapping[str, Any] | None:
    """Return a scaling group as DescribeScalingGroups tells it; None where there is none."""
    answer = api.call(ESS, "DescribeScalingGroups", {"ScalingGroupId": [group_id]})
    rows = _inner(answer, "ScalingGroups", "ScalingGroup")
    return rows[0] if rows else None


def wait_activity(api: Api, answer: Answer) -> None:
    """Wait until the scaling activity of a call is successful; a call without one is done.

    Raises:
        ResourceError: It failed.
    """
    activity_id = answer.get("ScalingActivityId")
    if not activity_id:
        return

    def look() -> bool | None:
        found = api.call(ESS, "DescribeScalingActivities", {"ScalingActivityId": [activity_id]})
        for activity in _inner(found, "ScalingActivities", "ScalingActivity"):
            if activity["StatusCode"] in ("Failed", "Rejected"):
                raise ResourceError(
                    f"scaling activity {activity_id} failed: {activity.get('StatusMessage')}",
                    urn=api.operation.urn,
                    code=str(activity.get("ErrorCode") or ""),
                )
            return True if activity["StatusCode"] == "Successful" else None
        return None

    api.wait(look, what=f"scaling activity {activity_id}")


def _lists(inputs: Values) -> dict[str, Any]:
    overrides = inputs.get("launchTemplateOverrides")
    return {
        "VSwitchIds": inputs.get("vswitchIds"),
        "RemovalPolicy": inputs.get("removalPolicies"),
        "HealthCheckTypes": inputs.get("healthCheckTypes"),
        "CapacityOptions": wire(inputs, _CAPACITY) or None,
        "LaunchTemplateOverride": [nested(one, _OVERRIDE, "an override") for one in overrides or []] or None,
    }


def _inner(answer: Mapping[str, Any], outer: str, inner: str) -> list[Any]:
    return (answer.get(outer) or {}).get(inner) or []
