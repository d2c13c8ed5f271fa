from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_list
from steelyard.localcloud.text import utc_text

# The real cloud takes a second to some minutes; a waiter meets the state here, too.
PENDING_S = 0.05

DEFAULT_GROUP = "DEFAULT_VPC_GROUP_NAME"
"""The permission group that every region has, which lets everybody of the VPC in."""

_TIB_IN_GIB = 1024
_STANDARD_CAPACITIES_GIB = {"Capacity": 10 * 1024 * _TIB_IN_GIB}
_STANDARD_CAPACITY_GIB = 1024 * _TIB_IN_GIB


@dataclass(frozen=True, kw_only=True)
class FileSystem(Record):
    """A file system; it is a folder here.

    Attributes:
        file_system_type: `standard` or `extreme`.
        protocol_type: `NFS` or `SMB`.
        encrypt_type: 0 for none, 1 for a key of NAS's own.
        capacity_gib: What was paid for; 0 of a `standard` one, which is paid for by what is in it.
        is_deleting: Whether it is about to go.
    """

    kind: ClassVar[str] = "nas_file_system"

    region_id: str
    zone_id: str
    file_system_type: str
    protocol_type: str
    storage_type: str
    description: str
    encrypt_type: int
    capacity_gib: int
    resource_group_id: str
    is_deleting: bool = False

    def status_at(self, now: float) -> str:
        """Give `Pending` for a moment after the making, then `Running`, in the end `Deleting`."""
        if self.is_deleting:
            return "Deleting"
        return "Pending" if now < self.created_at + PENDING_S else "Running"

    @property
    def limit_gib(self) -> int:
        """How much it takes: what was paid for, else what its storage type holds (help page "Limits", from memory)."""
        return self.capacity_gib or _STANDARD_CAPACITIES_GIB.get(self.storage_type, _STANDARD_CAPACITY_GIB)

    def to_answer(
        self, *, now: float, size: int, mount_targets: list[dict[str, object]]
    ) -> dict[str, object]:
        """Give the fields of DescribeFileSystems.

        Args:
            now: The Unix time.
            size: Bytes that are in it.
            mount_targets: Its mount targets, as this answer has them.
        """
        return {
            "FileSystemId": self.id,
            "FileSystemType": self.file_system_type,
            "ProtocolType": self.protocol_type,
            "StorageType": self.storage_type,
            "RegionId": self.region_id,
            "ZoneId": self.zone_id,
            "Status": self.status_at(now),
            "Description": self.description,
            "CreateTime": utc_text(self.created_at),
            "ChargeType": "PayAsYouGo",
            "EncryptType": self.encrypt_type,
            "Capacity": self.limit_gib,
            "MeteredSize": size,
            "ResourceGroupId": self.resource_group_id,
            "MountTargets": {"MountTarget": mount_targets},
            "Packages": {"Package": []},
            "SupportedFeatures": {"SupportedFeature": []},
            "Tags": {"Tag": tag_list(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class MountTarget(Record):
    """A door to a file system in a VSwitch; its id is its host name.

    Attributes:
        group_id: Record of its permission group.
        group_name: Name of that.
        is_active: Whether it lets anybody in.
        deleted_at: Unix time of its deletion; 0 where nobody asked for it.
    """

    kind: ClassVar[str] = "nas_mount_target"

    file_system_id: str
    region_id: str
    vpc_id: str
    vswitch_id: str
    group_id: str
    group_name: str
    is_active: bool = True
    deleted_at: float = 0.0

    def is_gone(self, now: float) -> bool:
        """Whether its deletion is over."""
        return bool(self.deleted_at) and now >= self.deleted_at + PENDING_S

    def status_at(self, now: float) -> str:
        """Give `Pending` for a moment after the making, then `Active` or `Inactive`, in the end `Deleting`."""
        if self.deleted_at:
            return "Deleting"
        if now < self.created_at + PENDING_S:
            return "Pending"
        return "Active" if self.is_active else "Inactive"

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of DescribeMountTargets; DescribeFileSystems has a part of them, with another name.

        Args:
            now: The Unix time.
        """
        return {
            "MountTargetDomain": self.id,
            "NetworkType": "Vpc",
            "VpcId": self.vpc_id,
            "VswId": self.vswitch_id,
            "AccessGroup": self.group_name,
            "AccessGroupName": self.group_name,
            "Status": self.status_at(now),
            "IPVersion": "IPv4",
            "Tags": {"Tag": []},
        }


@dataclass(frozen=True, kw_only=True)
class AccessGroup(Record):
    """A permission group: who may mount what has it.

    Attributes:
        file_system_type: What its mount targets may be of; groups of two types may have the same name.
        last_rule: Number of the newest rule that it ever had.
    """

    kind: ClassVar[str] = "nas_access_group"

    region_id: str
    name: str
    file_system_type: str
    description: str
    last_rule: int = 0

    @property
    def is_default(self) -> bool:
        """Whether it is the one that every region has."""
        return self.name == DEFAULT_GROUP

    def to_answer(self, *, num_rules: int, num_mount_targets: int) -> dict[str, object]:
        """Give the fields of DescribeAccessGroups."""
        return {
            "AccessGroupName": self.name,
            "AccessGroupType": "Vpc",
            "FileSystemType": self.file_system_type,
            "Description": self.description,
            "CreateTime": utc_text(self.created_at),
            "RegionId": self.region_id,
            "RuleCount": num_rules,
            "MountTargetCount": num_mount_targets,
        }


@dataclass(frozen=True, kw_only=True)
class AccessRule(Record):
    """A rule of a permission group.

    Attributes:
        group_id: Record of its group.
        number: What the API calls it, one after the other in its group.
        source: Address or range that it is about.
        rw_access: `RDWR` or `RDONLY`.
        user_access: `no_squash`, `root_squash` or `all_squash`.
        priority: 1 to 100; of two rules about an address, the lower one is the one that counts.
    """

    kind: ClassVar[str] = "nas_access_rule"

    region_id: str
    group_id: str
    group_name: str
    file_system_type: str
    number: int
    source: str
    rw_access: str
    user_access: str
    priority: int

    def is_about(self, address: str) -> bool:
        """Whether it is the rule of an address."""
        return IPv4Address(address) in IPv4Network(self.source, strict=False)

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeAccessRules."""
        return {
            "AccessRuleId": str(self.number),
            "AccessGroupName": self.group_name,
            "FileSystemType": self.file_system_type,
            "RegionId": self.region_id,
            "SourceCidrIp": self.source,
            "Ipv6SourceCidrIp": "",
            "RWAccess": self.rw_access,
            "UserAccess": self.user_access,
            "Priority": self.priority,
        }
