"""Disks: those that instances were made with, and those that were made by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

MAX_DISKS = 17
"""Disks of an instance, its system disk included (help page "Limits" of block storage, from memory)."""


@dataclass(frozen=True, kw_only=True)
class Disk(Record):
    """A disk. Nothing is stored on it: an instance's files are on the machine's own disk.

    Attributes:
        instance_id: The instance that has it; empty where none has.
        type: `system` or `data`.
        device: Where the instance has it, e.g. `/dev/xvdb`.
        deletes_with_instance: Whether it goes with its instance; else it stays, and can be given to another one.
        image_id: The image that a system disk was made from.
        attached_at: Unix time at which the instance got it; 0 where none has it.
        source_snapshot_id: The snapshot that it was made of.
        was_attached: Whether an instance ever had it, without which it has nothing that a snapshot could be of.
        deletes_auto_snapshots: Kept and answered, as is the next: there are no automatic snapshots here.
        is_bursting: Kept and answered, as is the next; of `cloud_auto` disks.
    """

    kind: ClassVar[str] = "disk"

    region_id: str
    zone_id: str
    instance_id: str
    type: str
    category: str
    size_gib: int
    performance_level: str
    name: str
    description: str
    is_encrypted: bool
    kms_key_id: str
    device: str
    deletes_with_instance: bool
    image_id: str
    charge_type: str
    attached_at: float
    resource_group_id: str
    source_snapshot_id: str = ""
    was_attached: bool = False
    deletes_auto_snapshots: bool = True
    takes_auto_snapshots: bool = True
    is_bursting: bool = False
    provisioned_iops: int = 0

    @property
    def status(self) -> str:
        """`In_use` or `Available`."""
        return "In_use" if self.instance_id else "Available"

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeDisks."""
        attachment = {
            "InstanceId": self.instance_id,
            "Device": self.device,
            "AttachedTime": utc_text(self.attached_at),
        }
        return {
            "DiskId": self.id,
            "DiskName": self.name,
            "Description": self.description,
            "RegionId": self.region_id,
            "ZoneId": self.zone_id,
            "InstanceId": self.instance_id,
            "Type": self.type,
            "Category": self.category,
            "Size": self.size_gib,
            "PerformanceLevel": self.performance_level,
            "Encrypted": self.is_encrypted,
            "KMSKeyId": self.kms_key_id,
            "Device": self.device,
            "DeleteWithInstance": self.deletes_with_instance,
            "DeleteAutoSnapshot": self.deletes_auto_snapshots,
            "EnableAutoSnapshot": self.takes_auto_snapshots,
            "AutoSnapshotPolicyId": "",
            "SourceSnapshotId": self.source_snapshot_id,
            "BurstingEnabled": self.is_bursting,
            "ProvisionedIops": self.provisioned_iops,
            "EnableAutomatedSnapshotPolicy": False,
            "ImageId": self.image_id,
            "DiskChargeType": self.charge_type,
            "Status": self.status,
            "CreationTime": utc_text(self.created_at),
            "AttachedTime": utc_text(self.attached_at) if self.instance_id else "",
            "DetachedTime": "",
            "ExpiredTime": "2099-12-31T15:59Z",
            "Portable": self.type == "data",
            "MultiAttach": "Disabled",
            "ResourceGroupId": self.resource_group_id,
            "Attachments": {"Attachment": [attachment] if self.instance_id else []},
            "OperationLocks": {"OperationLock": []},
            "Tags": {"Tag": tag_rows(self.tags)},
        }


def next_device(devices: Iterable[str]) -> str:
    """Give the first of `/dev/xvdb`, `/dev/xvdc`, ... that is not among those that are taken."""
    taken = set(devices)
    return next(
        device for letter in "bcdefghijklmnopqrstuvwxyz" if (device := f"/dev/xvd{letter}") not in taken
    )
