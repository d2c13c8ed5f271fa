from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, part_errors
from steelyard.localcloud.services.ecs.disk import Disk
from steelyard.localcloud.services.ecs.instance_actions import both_pages
from steelyard.localcloud.services.ecs.snapshot import ACCOMPLISHED, MAX_SNAPSHOTS, Snapshot
from steelyard.localcloud.services.ecs.state import EcsState, read_json_texts
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.time_filter import made_within
from steelyard.localcloud.wire.error import invalid_parameter, not_served

_RETENTION_DAYS = range(1, 65536 + 1)
_FILTERS = {
    "DiskId": "SourceDiskId",
    "SnapshotName": "SnapshotName",
    "SnapshotLinkId": "SnapshotLinkId",
    "SnapshotType": "SnapshotType",
    "SourceDiskType": "SourceDiskType",
    "Status": "Status",
    "Usage": "Usage",
    "Category": "Category",
    "KMSKeyId": "KMSKeyId",
    "ResourceGroupId": "ResourceGroupId",
}
_WORDS = ("SnapshotType", "SourceDiskType", "Status", "Usage", "Category")
"""Filters whose values the API takes in capitals as well."""
_PAGE = range(1, 100 + 1)
"""See `both_pages` (help page of DescribeSnapshots)."""


class SnapshotActions(EcsState):
    """Snapshots of disks that instances have, or had."""

    @action("CreateSnapshot")
    def create_snapshot(self, request: Request) -> dict[str, object]:
        """Make a snapshot of a disk that an instance has, or once had."""
        request.refuse_unserved("StorageLocationArn")
        if request.text("Category", "Standard").lower() != "standard":
            raise not_served(f"snapshots of category {request.text('Category')}")
        disk = self.disks.get(request.text("DiskId"))
        if disk is None:
            raise part_errors.disk_not_found()
        if not (disk.was_attached or disk.instance_id):
            raise part_errors.disk_never_attached()
        num_snapshots = sum(one.disk_id == disk.id for one in self.kept_snapshots())
        if self.cloud.terms.has_quotas and num_snapshots >= MAX_SNAPSHOTS:
            raise part_errors.too_many_snapshots()
        now = self.cloud.clock()
        made = Snapshot(
            id=self.cloud.new_id("s"),
            created_at=now,
            modified_at=now,
            tags=read_tags(request),
            region_id=disk.region_id,
            name=_name(request, ""),
            description=check.read_description(request),
            disk_id=disk.id,
            disk_type=disk.type,
            size_gib=disk.size_gib,
            retention_days=_retention_days(request, 0),
            is_encrypted=disk.is_encrypted,
            kms_key_id=disk.kms_key_id,
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.snapshots.put(made)
        return {"SnapshotId": made.id}

    @action("DescribeSnapshots")
    def describe_snapshots(self, request: Request) -> dict[str, object]:
        """List snapshots by ids, disk, instance, name, state, use, encryption and tags."""
        ids, tags, now = read_json_texts(request, "SnapshotIds"), read_tags(request), self.cloud.clock()
        wanted = {
            field: request.text(name).lower() if name in _WORDS else request.text(name)
            for name, field in _FILTERS.items()
            if request.text(name) not in ("", "all")
        }
        instance_id, disks = request.text("InstanceId"), self.disks.list()
        used = {disk.source_snapshot_id for disk in disks}
        held = {disk.id for disk in disks if disk.instance_id == instance_id}
        rows = [
            one.to_answer(now, is_used=one.id in used)
            for one in self.kept_snapshots()
            if one.region_id == request.region_id
            and (not ids or one.id in ids)
            and (not instance_id or one.disk_id in held)
            and request.flag("Encrypted", one.is_encrypted) == one.is_encrypted
            and has_tags(one.tags, tags)
        ]
        is_of_then = made_within(request)
        found = [
            row
            for row in rows
            if all(row[key] == want for key, want in wanted.items()) and is_of_then(row["CreationTime"])
        ]
        page, head = both_pages(request, found, _PAGE)
        return {**head, "Snapshots": {"Snapshot": list(page)}}

    @action("ModifySnapshotAttribute")
    def modify_snapshot_attribute(self, request: Request) -> dict[str, object]:
        """Change a snapshot's name, description, and for how long it is kept, which can only become longer."""
        snapshot = self._snapshot(request)
        days = _retention_days(request, snapshot.retention_days)
        if 0 < days < snapshot.retention_days:
            raise invalid_parameter("RetentionDays", days, f"at least {snapshot.retention_days}, as before")
        self.snapshots.put(
            replace(
                snapshot,
                name=_name(request, snapshot.name),
                description=check.read_description(request, snapshot.description),
                retention_days=days,
                modified_at=self.cloud.clock(),
            )
        )
        return {}

    @action("DeleteSnapshot")
    def delete_snapshot(self, request: Request) -> dict[str, object]:
        """Delete a snapshot of which no disk was made or, with `Force`, any."""
        snapshot = self._snapshot(request)
        is_used = any(disk.source_snapshot_id == snapshot.id for disk in self.disks.list())
        if is_used and not request.flag("Force"):
            raise part_errors.snapshot_made_disk()
        self.snapshots.delete(snapshot.id)
        return {}

    def kept_snapshots(self) -> list[Snapshot]:
        """Give the snapshots, and delete those that have been kept for as long as they were to be."""
        kept, now = [], self.cloud.clock()
        for snapshot in self.snapshots.list():
            if snapshot.is_over(now):
                self.snapshots.delete(snapshot.id)
            else:
                kept.append(snapshot)
        return kept

    def _snapshot(self, request: Request) -> Snapshot:
        wanted = request.text("SnapshotId")
        found = next((one for one in self.kept_snapshots() if one.id == wanted), None)
        if found is None:
            raise part_errors.snapshot_not_found()
        return found


def restored(disk: Disk, snapshot: Snapshot | None, now: float) -> Disk:
    """Give a disk that is to be made as one of a snapshot, which it is at least as large as.

    Raises:
        ApiError: `InvalidSnapshotId.NotReady`.
    """
    if snapshot is None:
        return disk
    if snapshot.status(now) != ACCOMPLISHED:
        raise part_errors.snapshot_not_ready()
    return replace(disk, source_snapshot_id=snapshot.id, size_gib=max(disk.size_gib, snapshot.size_gib))


def _name(request: Request, default: str) -> str:
    name = check.read_name(request, "SnapshotName", default)
    if name.startswith("auto"):
        raise part_errors.snapshot_name_reserved()
    return name


def _retention_days(request: Request, default: int) -> int:
    days = request.number("RetentionDays", default)
    if "RetentionDays" in request.params and days not in _RETENTION_DAYS:
        raise invalid_parameter("RetentionDays", days, f"from 1 to {_RETENTION_DAYS[-1]}")
    return days
