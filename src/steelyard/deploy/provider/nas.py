"""File systems of NAS, their mount targets, and who may mount them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import NAS, Api
from steelyard.deploy.provider.resource_type import ResourceType, changes, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list

_BUSY: Final = ("OperationDenied.InvalidState",)
"""What the vendor's provider waits out: the file system or the mount target is about to come or to go."""

_STANDARD: Final = "standard"


class FileSystem(ResourceType):
    """`alicloud.nas.FileSystem`."""

    token = "alicloud:nas/fileSystem:FileSystem"
    create_only = frozenset({"fileSystemType", "protocolType", "storageType", "encryptType", "zoneId"})
    changeable = frozenset({"description", "capacity", "tags"})

    _READ: ClassVar = {
        "fileSystemType": "FileSystemType",
        "protocolType": "ProtocolType",
        "storageType": "StorageType",
        "encryptType": "EncryptType",
        "zoneId": "ZoneId",
        "description": "Description",
        "capacity": "Capacity",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateFileSystem, then wait until it runs."""
        params = {
            **wire(inputs, self._READ),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        file_system_id = str(api.call(NAS, "CreateFileSystem", params)["FileSystemId"])
        api.operation.allocated(file_system_id)
        self._wait_running(api, file_system_id)
        return file_system_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeFileSystems, ListTagResources and, of a general-purpose one, its recycle bin and access list."""
        found = self._find(api, resource_id)
        if found is None:
            return None
        target = {"FileSystemId": resource_id}
        further: dict[str, Any] = {}
        if found["FileSystemType"] == _STANDARD:
            bin_ = api.call(NAS, "GetRecycleBinAttribute", target)["RecycleBinAttribute"]
            names = {"status": "Status", "reservedDays": "ReservedDays", "size": "Size"}
            further["recycleBin"] = shown(bin_, names)
            if found["ProtocolType"] == "NFS":
                acl = api.call(NAS, "DescribeNfsAcl", target)["Acl"]
                further["nfsAcl"] = shown(acl, {"enabled": "Enabled"})
        return {
            **shown(found, {**self._READ, "status": "Status", "createTime": "CreateTime"}),
            **further,
            "tags": TagWriter(api, NAS, "filesystem").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyFileSystem, UpgradeFileSystem, TagResources, UntagResources."""
        target = {"FileSystemId": resource_id}
        described = changes(old, new, {"description": "Description"})
        if described:
            api.call(NAS, "ModifyFileSystem", {**target, **described}, retry_on=_BUSY)
        if old.get("capacity") != new.get("capacity") and new.get("capacity"):
            capacity = {"Capacity": new["capacity"], "ClientToken": api.operation.token}
            api.call(NAS, "UpgradeFileSystem", {**target, **capacity}, retry_on=_BUSY)
            self._wait_running(api, resource_id)
        TagWriter(api, NAS, "filesystem").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteFileSystem, again as long as a mount target that goes as well is there, then wait until it is gone."""
        passing = (*_BUSY, "OperationDenied.MountTargetNotEmpty")
        api.call(NAS, "DeleteFileSystem", {"FileSystemId": resource_id}, retry_on=passing)
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"file system {resource_id}")

    def _wait_running(self, api: Api, file_system_id: str) -> None:
        def look() -> bool | None:
            return True if (self._find(api, file_system_id) or {}).get("Status") == "Running" else None

        api.wait(look, what=f"file system {file_system_id}")

    def _find(self, api: Api, file_system_id: str) -> Mapping[str, Any] | None:
        answer = api.call(NAS, "DescribeFileSystems", {"FileSystemId": file_system_id})
        return _first(answer, "FileSystems", "FileSystem")


class MountTarget(ResourceType):
    """`alicloud.nas.MountTarget`; its id is `FILE-SYSTEM:DOMAIN`."""

    token = "alicloud:nas/mountTarget:MountTarget"
    create_only = frozenset({"fileSystemId", "networkType", "vpcId", "vswitchId"})
    changeable = frozenset({"accessGroupName", "status"})

    _CREATE: ClassVar = {
        "fileSystemId": "FileSystemId",
        "accessGroupName": "AccessGroupName",
        "vpcId": "VpcId",
        "vswitchId": "VSwitchId",
    }
    _READ: ClassVar = {
        "accessGroupName": "AccessGroup",
        "networkType": "NetworkType",
        "vpcId": "VpcId",
        "vswitchId": "VswId",
        "status": "Status",
        "mountTargetDomain": "MountTargetDomain",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateMountTarget, wait until it is active, ModifyMountTarget where it shall not be."""
        params = {**wire(inputs, self._CREATE), "NetworkType": inputs.get("networkType") or "Vpc"}
        answer = api.call(NAS, "CreateMountTarget", params, retry_on=_BUSY)
        resource_id = f"{inputs['fileSystemId']}:{answer['MountTargetDomain']}"
        api.operation.allocated(resource_id)
        self._wait_status(api, resource_id, "Active")
        if inputs.get("status") == "Inactive":
            self._change(api, resource_id, {"Status": "Inactive"})
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeMountTargets."""
        found = self._find(api, resource_id)
        if found is None:
            return None
        return {**shown(found, self._READ), "fileSystemId": resource_id.partition(":")[0]}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyMountTarget, then wait until it is as it shall be."""
        changed = {
            **changes(old, new, {"accessGroupName": "AccessGroupName"}),
            **({"Status": new.get("status") or "Active"} if old.get("status") != new.get("status") else {}),
        }
        self._change(api, resource_id, changed)
        self._wait_status(api, resource_id, new.get("status") or "Active")

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteMountTarget, then wait until it is gone."""
        api.call(NAS, "DeleteMountTarget", _target(resource_id), retry_on=_BUSY)
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"mount target {resource_id}")

    def _change(self, api: Api, resource_id: str, changed: Mapping[str, Any]) -> None:
        api.call(NAS, "ModifyMountTarget", {**_target(resource_id), **changed}, retry_on=_BUSY)

    def _wait_status(self, api: Api, resource_id: str, status: str) -> None:
        def look() -> bool | None:
            return True if (self._find(api, resource_id) or {}).get("Status") == status else None

        api.wait(look, what=f"mount target {resource_id}")

    def _find(self, api: Api, resource_id: str) -> Mapping[str, Any] | None:
        answer = api.call(NAS, "DescribeMountTargets", _target(resource_id))
        return _first(answer, "MountTargets", "MountTarget")


class AccessGroup(ResourceType):
    """`alicloud.nas.AccessGroup`, a permission group; its id is `NAME:FILE-SYSTEM-TYPE`."""

    token = "alicloud:nas/accessGroup:AccessGroup"
    create_only = frozenset({"accessGroupName", "accessGroupType", "fileSystemType"})
    changeable = frozenset({"description"})

    _CREATE: ClassVar = {
        "accessGroupName": "AccessGroupName",
        "accessGroupType": "AccessGroupType",
        "fileSystemType": "FileSystemType",
        "description": "Description",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateAccessGroup."""
        answer = api.call(NAS, "CreateAccessGroup", wire(inputs, self._CREATE))
        resource_id = f"{answer['AccessGroupName']}:{inputs.get('fileSystemType') or _STANDARD}"
        api.operation.allocated(resource_id)
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeAccessGroups."""
        answer = api.call(NAS, "DescribeAccessGroups", _group(resource_id))
        found = _first(answer, "AccessGroups", "AccessGroup")
        return None if found is None else shown(found, {**self._CREATE, "createTime": "CreateTime"})

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyAccessGroup."""
        changed = changes(old, new, {"description": "Description"})
        api.call(NAS, "ModifyAccessGroup", {**_group(resource_id), **changed})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteAccessGroup, again as long as a mount target that goes as well has it."""
        passing = ("InvalidAccessGroup.AlreadyAttached",)
        api.call(NAS, "DeleteAccessGroup", _group(resource_id), retry_on=passing)


class AccessRule(ResourceType):
    """`alicloud.nas.AccessRule`, a rule of a permission group; its id is `GROUP:NUMBER:FILE-SYSTEM-TYPE`."""

    token = "alicloud:nas/accessRule:AccessRule"
    create_only = frozenset({"accessGroupName", "fileSystemType"})
    changeable = frozenset({"sourceCidrIp", "rwAccessType", "userAccessType", "priority"})

    _DEFAULTS: ClassVar = {"rwAccessType": "RDWR", "userAccessType": "no_squash", "priority": 1}
    _CHANGE: ClassVar = {
        "sourceCidrIp": "SourceCidrIp",
        "rwAccessType": "RWAccessType",
        "userAccessType": "UserAccessType",
        "priority": "Priority",
    }
    _READ: ClassVar = {
        "accessGroupName": "AccessGroupName",
        "accessRuleId": "AccessRuleId",
        "fileSystemType": "FileSystemType",
        "sourceCidrIp": "SourceCidrIp",
        "rwAccessType": "RWAccess",
        "userAccessType": "UserAccess",
        "priority": "Priority",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """CreateAccessRule."""
        group, kind = inputs["accessGroupName"], inputs.get("fileSystemType") or _STANDARD
        params = {**self._settings(inputs), "AccessGroupName": group, "FileSystemType": kind}
        number = api.call(NAS, "CreateAccessRule", params)["AccessRuleId"]
        resource_id = f"{group}:{number}:{kind}"
        api.operation.allocated(resource_id)
        return resource_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeAccessRules."""
        answer = api.call(NAS, "DescribeAccessRules", _rule(resource_id))
        found = _first(answer, "AccessRules", "AccessRule")
        return None if found is None else shown(found, self._READ)

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyAccessRule with all that a rule has, as the vendor's provider calls it."""
        api.call(NAS, "ModifyAccessRule", {**_rule(resource_id), **self._settings(new)})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteAccessRule."""
        api.call(NAS, "DeleteAccessRule", _rule(resource_id))

    def _settings(self, inputs: Values) -> dict[str, Any]:
        given = {name: value for name, value in inputs.items() if value is not None}
        return wire({**self._DEFAULTS, **given}, self._CHANGE)


def _first(answer: Mapping[str, Any], outer: str, inner: str) -> Mapping[str, Any] | None:
    rows = (answer.get(outer) or {}).get(inner) or []
    return rows[0] if rows else None


def _target(resource_id: str) -> dict[str, str]:
    file_system_id, _, domain = resource_id.partition(":")
    return {"FileSystemId": file_system_id, "MountTargetDomain": domain}


def _group(resource_id: str) -> dict[str, str]:
    name, _, kind = resource_id.partition(":")
    return {"AccessGroupName": name, "FileSystemType": kind}


def _rule(resource_id: str) -> dict[str, str]:
    group, number, kind = resource_id.split(":")
    return {"AccessGroupName": group, "AccessRuleId": number, "FileSystemType": kind}
