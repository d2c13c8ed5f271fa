"""Snapshots of disks. As nothing is stored on disks here, they are records: a disk that is made of one begins empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

MAX_SNAPSHOTS = 256
"""Snapshots of a disk that calls made (help page "Limits" of block storage, from memory)."""
PROGRESSING, ACCOMPLISHED = "progressing", "accomplished"

_DAY_S = 86400
# The real cloud takes minutes; a waiter meets the state here, too.
_PROGRESS_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Snapshot(Record):
    """A snapshot.

    Attributes:
        disk_id: The disk that it is of, which may be gone.
        retention_days: After how many days it is deleted; 0 for never.
    """

    kind: ClassVar[str] = "snapshot"

    region_id: str
    name: str
    description: str
    disk_id: str
    disk_type: str
    size_gib: int
    retention_days: int
    is_encrypted: bool
    kms_key_id: str
    resource_group_id: str
    modified_at: float

    def status(self, now: float) -> str:
        """Give `progressing` for a moment after the making, then `accomplished`."""
        return PROGRESSING if now < self.created_at + _PROGRESS_S else ACCOMPLISHED

    def is_over(self, now: float) -> bool:
        """Tell whether it has been kept for as long as it was to be."""
        return 0 < self.retention_days * _DAY_S <= now - self.created_at

    def to_answer(self, now: float, *, is_used: bool) -> dict[str, object]:
        """Give the fields of DescribeSnapshots.

        Args:
            now: Unix time.
            is_used: Whether a disk was made of it.
        """
        status = self.status(now)
        return {
            "SnapshotId": self.id,
            "SnapshotName": self.name,
            "Description": self.description,
            "RegionId": self.region_id,
            "SourceRegionId": self.region_id,
            "SourceDiskId": self.disk_id,
            "SourceDiskType": self.disk_type,
            "SourceDiskSize": str(self.size_gib),
            "SourceStorageType": "disk",
            "SnapshotType": "user",
            "SnapshotLinkId": f"sl-{self.disk_id[2:]}",
            "Category": "standard",
            "Status": status,
            "Available": status == ACCOMPLISHED,
            "Progress": "100%" if status == ACCOMPLISHED else "0%",
            "RemainTime": 0,
            "Usage": "disk" if is_used else "none",
            "Encrypted": self.is_encrypted,
            "KMSKeyId": self.kms_key_id,
            "InstantAccess": False,
            "RetentionDays": self.retention_days or None,
            "ProductCode": "",
            "ResourceGroupId": self.resource_group_id,
            "CreationTime": utc_text(self.created_at),
            "LastModifiedTime": utc_text(self.modified_at),
            "Tags": {"Tag": tag_rows(self.tags)},
        }
