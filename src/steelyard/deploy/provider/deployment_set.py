"""Deployment sets."""

from __future__ import annotations

import json
from typing import ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wire


class EcsDeploymentSet(ResourceType):
    """`alicloud.ecs.EcsDeploymentSet`."""

    token = "alicloud:ecs/ecsDeploymentSet:EcsDeploymentSet"
    create_only = frozenset({"strategy", "onUnableToRedeployFailedInstance"})
    changeable = frozenset({"deploymentSetName", "description"})

    _CHANGE: ClassVar = {"deploymentSetName": "DeploymentSetName", "description": "Description"}
    _CREATE: ClassVar = {
        **_CHANGE,
        "strategy": "Strategy",
        "onUnableToRedeployFailedInstance": "OnUnableToRedeployFailedInstance",
    }
    _READ: ClassVar = {
        "strategy": "DeploymentStrategy",
        "deploymentSetName": "DeploymentSetName",
        "description": "DeploymentSetDescription",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateDeploymentSet."""
        params = {**wire(inputs, self._CREATE), "ClientToken": api.operation.token}
        set_id = str(api.call(ECS, "CreateDeploymentSet", params)["DeploymentSetId"])
        api.operation.allocated(set_id)
        return set_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeDeploymentSets."""
        answer = api.call(ECS, "DescribeDeploymentSets", {"DeploymentSetIds": json.dumps([resource_id])})
        rows = (answer.get("DeploymentSets") or {}).get("DeploymentSet") or []
        return shown(rows[0], self._READ) if rows else None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyDeploymentSetAttribute."""
        params = {"DeploymentSetId": resource_id, **changes(old, new, self._CHANGE)}
        api.call(ECS, "ModifyDeploymentSetAttribute", params)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteDeploymentSet, again as long as an instance that goes as well is still in it."""
        params = {"DeploymentSetId": resource_id}
        api.call(ECS, "DeleteDeploymentSet", params, retry_on=("DependencyViolation",))
