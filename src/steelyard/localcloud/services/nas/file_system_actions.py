from __future__ import annotations

import secrets
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nas import check, errors
from steelyard.localcloud.services.nas.models import FileSystem
from steelyard.localcloud.services.nas.state import NasState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS

MAX_FILE_SYSTEMS = 20
"""Of one account in one region (help page "Limits", from memory)."""

MAX_PAGE = 100

_NOT_OF_ALL = ("Capacity", "Duration", "HpnZone", "KmsKeyId", "RedundancyVSwitchIds", "VSwitchId", "VpcId")
"""Parameters that the schema calls required and that only some types of file systems need."""


class FileSystemActions(NasState):
    """File systems."""

    @action("CreateFileSystem", optional=_NOT_OF_ALL)
    def create_file_system(self, request: Request) -> dict[str, object]:
        """Create a file system, which is a folder here."""
        _refuse_unserved(request)
        kind = check.read_file_system_type(request)
        check.check_medium(kind, request.text("ProtocolType"), request.text("StorageType"))
        file_system = FileSystem(
            id=_new_id(kind),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            zone_id=_zone(request, kind),
            file_system_type=kind,
            protocol_type=request.text("ProtocolType"),
            storage_type=request.text("StorageType"),
            description=check.read_description(request),
            encrypt_type=request.number("EncryptType", 0),
            capacity_gib=_capacity(request) if kind == "extreme" else 0,
            resource_group_id=request.text("ResourceGroupId"),
        )
        others = self.file_systems.where("region_id", request.region_id)
        if self.cloud.terms.has_quotas and len(others) >= MAX_FILE_SYSTEMS:
            raise errors.too_many("FileSystem", MAX_FILE_SYSTEMS)
        self.file_systems.put(file_system)
        self.cloud.after_commit(lambda: self.shares.make(file_system.id))
        return {"FileSystemId": file_system.id}

    @action("DescribeFileSystems")
    def describe_file_systems(self, request: Request) -> dict[str, object]:
        """List file systems by id, type, storage type, VPC of a mount target, resource group and tags."""
        wanted = [self.file_system(request)] if request.text("FileSystemId") else None
        kind = check.read_file_system_type(request, default="all")
        vpc_id, tags = request.text("VpcId"), read_tags(request)
        found = [
            one
            for one in wanted or self.file_systems.where("region_id", request.region_id)
            if kind in ("all", one.file_system_type)
            and request.text("StorageType") in ("", one.storage_type)
            and request.text("ResourceGroupId") in ("", one.resource_group_id)
            and has_tags(one.tags, tags)
            and (not vpc_id or any(target.vpc_id == vpc_id for target in self.targets_of(one.id)))
        ]
        page, head = number_page(request, found, MAX_PAGE)
        return {**head, "FileSystems": {"FileSystem": [self._answer(one) for one in page]}}

    @action("ModifyFileSystem")
    def modify_file_system(self, request: Request) -> dict[str, object]:
        """Change a file system's description."""
        file_system = self.running_file_system(request)
        for name in ("Options", "AutoUpgradeConfig"):
            if request.params.get(name):
                raise not_served(f"the parameter {name} of ModifyFileSystem")
        description = check.read_description(request, file_system.description)
        self.file_systems.put(replace(file_system, description=description))
        return {}

    @action("UpgradeFileSystem")
    def upgrade_file_system(self, request: Request) -> dict[str, object]:
        """Let an `extreme` file system hold more."""
        file_system = self.running_file_system(request)
        if file_system.file_system_type != "extreme":
            raise errors.cannot_be_upgraded(file_system.file_system_type)
        capacity = _capacity(request)
        if capacity <= file_system.capacity_gib:
            raise invalid_parameter("Capacity", capacity, f"above {file_system.capacity_gib}")
        self.file_systems.put(replace(file_system, capacity_gib=capacity))
        return {}

    @action("DeleteFileSystem")
    def delete_file_system(self, request: Request) -> dict[str, object]:
        """Delete a file system that has no mount target any more, with all that is in it."""
        file_system = self.running_file_system(request)
        if self.targets_of(file_system.id):
            raise errors.has_mount_targets()
        self.file_systems.put(replace(file_system, is_deleting=True))
        self.cloud.after_commit(lambda: self.remove_in_background(file_system.id))
        return {}

    @action("DescribeNfsAcl")
    def describe_nfs_acl(self, request: Request) -> dict[str, object]:
        """Tell that a file system has no NFSv4 access control list: they cannot be switched on here."""
        self.file_system(request)
        return {"Acl": {"Enabled": False}}

    @action("DescribeSmbAcl")
    def describe_smb_acl(self, request: Request) -> dict[str, object]:
        """Tell that a file system has no SMB access control list: they cannot be switched on here."""
        self.file_system(request)
        return {"Acl": {"Enabled": False}}

    @action("GetRecycleBinAttribute")
    def get_recycle_bin_attribute(self, request: Request) -> dict[str, object]:
        """Tell that a file system keeps nothing of what is deleted: recycle bins cannot be switched on here."""
        self.file_system(request)
        return {
            "RecycleBinAttribute": {"Status": "Disable", "ReservedDays": 0, "Size": 0, "SecondarySize": 0}
        }

    def _answer(self, file_system: FileSystem) -> dict[str, object]:
        now = self.cloud.clock()
        return file_system.to_answer(
            now=now,
            size=self.meter.size(file_system.id),
            mount_targets=[target.to_answer(now) for target in self.targets_of(file_system.id)],
        )


def _refuse_unserved(request: Request) -> None:
    if request.text("ChargeType", "PayAsYouGo") != "PayAsYouGo":
        raise not_served("file systems on subscription")
    if request.text("SnapshotId"):
        raise not_served("file systems that are made from snapshots")
    encrypt_type = request.number("EncryptType", 0)
    if encrypt_type == 2:
        raise not_served("keys of KMS: take the EncryptType 1")
    if encrypt_type not in (0, 1):
        raise invalid_parameter("EncryptType", encrypt_type, "0, 1 or 2")


def _new_id(file_system_type: str) -> str:
    return f"extreme-{secrets.token_hex(6)}" if file_system_type == "extreme" else secrets.token_hex(5)


def _zone(request: Request, file_system_type: str) -> str:
    zone_id, zones = request.text("ZoneId"), REGIONS[request.region_id]
    if not zone_id and file_system_type == "extreme":
        raise missing_parameter("ZoneId")
    if zone_id and zone_id not in zones:
        raise errors.zone_not_found()
    return zone_id or zones[0]


def _capacity(request: Request) -> int:
    low, high = check.EXTREME_CAPACITY_GIB
    if not request.number("Capacity", 0):
        raise missing_parameter("Capacity")
    capacity = request.number("Capacity", 0)
    if not low <= capacity <= high:
        raise invalid_parameter("Capacity", capacity, f"from {low} to {high}")
    return capacity
