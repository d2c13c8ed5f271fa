"""Disks, and the instances that have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, Api
from steelyard.deploy.provider.instance_part import PartAttachment, PartKind
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map

_BUSY = ("IncorrectDiskStatus", "IncorrectInstanceStatus", "OperationConflict", "InvalidOperation.Conflict")


def describe(api: Api, disk_id: str) -> Mapping[str, Any] | None:
    """Return a disk's row, None where there is none."""
    answer = api.call(ECS, "DescribeDisks", {"DiskIds": json.dumps([disk_id])})
    rows: list[Mapping[str, Any]] = (answer.get("Disks") or {}).get("Disk") or []
    return rows[0] if rows else None


_KIND = PartKind(
    label="disk",
    key="diskId",
    id_name="DiskId",
    suffix="Disk",
    used_status="In_use",
    busy=_BUSY,
    describe=describe,
)


class EcsDisk(ResourceType):
    """`alicloud.ecs.EcsDisk`: a data disk by itself."""

    token = "alicloud:ecs/ecsDisk:EcsDisk"

    _NAMES: ClassVar = {"diskName": "DiskName", "description": "Description"}
    _FIXED: ClassVar = {
        "zoneId": "ZoneId",
        "category": "DiskCategory",
        "encrypted": "Encrypted",
        "kmsKeyId": "KMSKeyId",
        "performanceLevel": "PerformanceLevel",
        "snapshotId": "SnapshotId",
        "resourceGroupId": "ResourceGroupId",
    }
    _READ: ClassVar = {
        **_FIXED,
        **_NAMES,
        "category": "Category",
        "size": "Size",
        "status": "Status",
        "instanceId": "InstanceId",
        "deleteWithInstance": "DeleteWithInstance",
        "createTime": "CreationTime",
        "regionId": "RegionId",
    }
    # The vendor's provider changes category and level in place (ModifyDiskSpec); here a new disk takes its place.
    create_only = frozenset(_FIXED)
    changeable = frozenset({*_NAMES, "size", "type", "deleteWithInstance", "tags"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateDisk, then wait until it can be used; ModifyDiskAttribute where it goes with its instance."""
        params = {
            **wire(inputs, {**self._FIXED, **self._NAMES, "size": "Size"}),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        answer = api.call(ECS, "CreateDisk", params, retry_on=("UnknownError", "LastTokenProcessing"))
        disk_id = str(answer["DiskId"])
        api.operation.allocated(disk_id)
        _KIND.wait_status(api, disk_id, "Available")
        if inputs.get("deleteWithInstance"):
            api.call(ECS, "ModifyDiskAttribute", {"DiskId": disk_id, "DeleteWithInstance": True})
        return disk_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeDisks."""
        row = describe(api, resource_id)
        if row is None:
            return None
        return {**shown(row, self._READ), "tags": tag_map((row.get("Tags") or {}).get("Tag") or [])}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyDiskAttribute, ResizeDisk, TagResources, UntagResources."""
        changed: dict[str, Any] = changes(old, new, self._NAMES)
        if old.get("deleteWithInstance") != new.get("deleteWithInstance"):
            changed["DeleteWithInstance"] = bool(new.get("deleteWithInstance"))
        if changed:
            api.call(ECS, "ModifyDiskAttribute", {"DiskId": resource_id, **changed})
        if old.get("size") != new.get("size"):
            params = {"DiskId": resource_id, "NewSize": new.get("size"), "Type": new.get("type")}
            api.call(ECS, "ResizeDisk", params, retry_on=("LastTokenProcessing",))
        TagWriter(api, ECS, "disk").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteDisk, then wait until it is gone."""
        api.call(ECS, "DeleteDisk", {"DiskId": resource_id}, retry_on=("IncorrectDiskStatus.Initializing",))
        wait_gone(api, lambda: describe(api, resource_id) is not None, f"disk {resource_id}")


class EcsDiskAttachment(PartAttachment):
    """`alicloud.ecs.EcsDiskAttachment`; its id is `<disk>:<instance>`."""

    token = "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
    create_only = frozenset({"diskId", "instanceId", "deleteWithInstance"})
    kind = _KIND
    settings = {"deleteWithInstance": "DeleteWithInstance"}
    answers = {"device": "Device"}
