from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors, part_errors
from steelyard.localcloud.services.ecs.disk import MAX_DISKS, Disk, next_device
from steelyard.localcloud.services.ecs.disk_setting import data_sizes, read_data_disk
from steelyard.localcloud.services.ecs.instance_actions import both_pages, names_no_filter
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED
from steelyard.localcloud.services.ecs.snapshot_actions import SnapshotActions, restored
from steelyard.localcloud.services.ecs.state import read_json_texts
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.time_filter import made_within
from steelyard.localcloud.wire.error import missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS

_FILTERS = (
    ("InstanceId", "InstanceId"),
    ("DiskType", "Type"),
    ("Category", "Category"),
    ("ZoneId", "ZoneId"),
    ("Status", "Status"),
    ("DiskName", "DiskName"),
    ("DiskChargeType", "DiskChargeType"),
    ("ResourceGroupId", "ResourceGroupId"),
    ("MultiAttach", "MultiAttach"),
    ("SnapshotId", "SourceSnapshotId"),
    ("AutoSnapshotPolicyId", "AutoSnapshotPolicyId"),
    ("KMSKeyId", "KMSKeyId"),
    ("PerformanceLevel", "PerformanceLevel"),
)
_TAKEN = (
    "Size",
    "PerformanceLevel",
    "DiskName",
    "Description",
    "KMSKeyId",
    "BurstingEnabled",
    "ProvisionedIops",
)
"""What CreateDisk takes as the disks of an instance have it."""
_UNSERVED = ("StorageSetId", "StorageClusterId", "EncryptAlgorithm", "AdvancedFeatures", "Arn")
_FLAGS = (
    "Encrypted",
    "Portable",
    "DeleteWithInstance",
    "DeleteAutoSnapshot",
    "EnableAutoSnapshot",
    "EnableAutomatedSnapshotPolicy",
)
_TOKEN_PAGE = range(10, 500 + 1)
"""See `both_pages` (help page of DescribeDisks)."""


class DiskActions(SnapshotActions):
    """Disks."""

    @action("CreateDisk")
    def create_disk(self, request: Request) -> dict[str, object]:
        """Make a data disk that no instance has, by itself or as one of a snapshot."""
        request.refuse_unserved(*_UNSERVED)
        if request.text("MultiAttach", "Disabled") != "Disabled":
            raise not_served("disks of several instances (MultiAttach)")
        zone_id = request.text("ZoneId")
        if zone_id not in REGIONS[request.region_id]:
            raise errors.zone_not_found()
        if request.text("InstanceId"):
            # With it, the API makes a disk that is paid for together with a prepaid instance.
            raise errors.value_not_supported("InstanceId", request.text("InstanceId"))
        snapshot = self.find_snapshot(request.text("SnapshotId"), request.region_id)
        if request.params.get("Size") is None and snapshot is None:
            raise missing_parameter("Size")
        given = {
            "Category": request.text("DiskCategory") or "cloud",
            "Encrypted": str(request.flag("Encrypted")).lower(),
            **{name: request.params.get(name) for name in _TAKEN},
        }
        disk = Disk(
            id=self.cloud.new_id("d"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            zone_id=zone_id,
            instance_id="",
            device="",
            deletes_with_instance=False,
            image_id="",
            charge_type="PostPaid",
            attached_at=0.0,
            resource_group_id=request.text("ResourceGroupId"),
            **read_data_disk(given, "Disk", snapshot),
        )
        self.disks.put(restored(disk, snapshot, self.cloud.clock()))
        return {"DiskId": disk.id}

    @action("AttachDisk")
    def attach_disk(self, request: Request) -> dict[str, object]:
        """Give a disk to an instance of its zone that runs or is stopped."""
        request.refuse_unserved("Bootable")
        disk, instance = self._disk(request.text("DiskId")), self.instance(request)
        if disk.instance_id:
            raise part_errors.incorrect_disk_status(disk.status)
        if instance.status not in (RUNNING, STOPPED) or instance.is_released:
            raise errors.incorrect_status(instance.status)
        if disk.zone_id != instance.zone_id:
            raise part_errors.disk_in_other_zone()
        if len(instance.disk_ids) >= MAX_DISKS:
            raise part_errors.too_many_disks()
        others = self.disks_of(instance)
        device = request.text("Device") or next_device(other.device for other in others)
        if any(other.device == device for other in others):
            raise part_errors.device_in_use()
        self.disks.put(
            replace(
                disk,
                instance_id=instance.id,
                device=device,
                deletes_with_instance=request.flag("DeleteWithInstance", disk.deletes_with_instance),
                attached_at=self.cloud.clock(),
                was_attached=True,
            )
        )
        self.instances.put(replace(instance, disk_ids=(*instance.disk_ids, disk.id)))
        return {}

    @action("DetachDisk")
    def detach_disk(self, request: Request) -> dict[str, object]:
        """Take a data disk from its instance."""
        disk, instance = self._disk(request.text("DiskId")), self.instance(request)
        if not disk.instance_id:
            raise part_errors.disk_detached()
        if disk.instance_id != instance.id:
            raise part_errors.disk_of_other_instance()
        if disk.type == "system":
            raise part_errors.disk_is_system()
        if instance.status not in (RUNNING, STOPPED):
            raise errors.incorrect_status(instance.status)
        self.instances.put(
            replace(instance, disk_ids=tuple(one for one in instance.disk_ids if one != disk.id))
        )
        self.disks.put(replace(disk, instance_id="", device="", attached_at=0.0))
        return {}

    @action("DescribeDisks")
    def describe_disks(self, request: Request) -> dict[str, object]:
        """List disks by ids, instance, type, category, zone, state, name, encryption, age and tags."""
        if names_no_filter(request):
            disks, head = both_pages(request, self.disks.paged("region_id", request.region_id), _TOKEN_PAGE)
            return {**head, "Disks": {"Disk": [disk.to_answer() for disk in disks]}}
        ids, tags = read_json_texts(request, "DiskIds"), read_tags(request)
        wanted: dict[str, object] = {
            key: request.text(name) for name, key in _FILTERS if request.text(name) not in ("", "all")
        }
        wanted |= {name: request.flag(name) for name in _FLAGS if name in request.params}
        rows = [
            disk.to_answer()
            for disk in self._candidates(request, ids)
            # No disk is ever locked.
            if disk.region_id == request.region_id
            and has_tags(disk.tags, tags)
            and not request.text("LockReason")
        ]
        is_of_then = made_within(request)
        found = [
            row
            for row in rows
            if all(row[key] == want for key, want in wanted.items()) and is_of_then(row["CreationTime"])
        ]
        page, head = both_pages(request, found, _TOKEN_PAGE)
        return {**head, "Disks": {"Disk": list(page)}}

    @action("ModifyDiskAttribute")
    def modify_disk_attribute(self, request: Request) -> dict[str, object]:
        """Change disks' names, descriptions, whether they go with their instances, and what else is kept of them."""
        ids = [request.text("DiskId"), *request.texts("DiskIds")]
        if not any(ids):
            raise missing_parameter("DiskId")
        for disk in [self._disk(disk_id) for disk_id in ids if disk_id]:
            if request.flag("BurstingEnabled") and disk.category not in check.PROVISIONED_CATEGORIES:
                raise errors.value_not_supported("BurstingEnabled", True)
            self.disks.put(
                replace(
                    disk,
                    name=check.read_name(request, "DiskName", disk.name),
                    description=check.read_description(request, disk.description),
                    deletes_with_instance=request.flag("DeleteWithInstance", disk.deletes_with_instance),
                    deletes_auto_snapshots=request.flag("DeleteAutoSnapshot", disk.deletes_auto_snapshots),
                    takes_auto_snapshots=request.flag("EnableAutoSnapshot", disk.takes_auto_snapshots),
                    is_bursting=request.flag("BurstingEnabled", disk.is_bursting),
                )
            )
        return {}

    @action("ResizeDisk")
    def resize_disk(self, request: Request) -> dict[str, object]:
        """Make a disk larger, at once."""
        disk, size_gib = self._disk(request.text("DiskId")), request.number("NewSize", 0)
        check.read_choice(request, "Type", ("offline", "online"), "offline")
        if size_gib < disk.size_gib:
            raise part_errors.disk_size_too_small(size_gib, disk.size_gib)
        check.read_disk_size("NewSize", size_gib, 0, range(1, data_sizes(disk.category).stop))
        self.disks.put(replace(disk, size_gib=size_gib))
        return {"OrderId": ""}

    @action("DeleteDisk")
    def delete_disk(self, request: Request) -> dict[str, object]:
        """Delete a disk that no instance has."""
        disk = self._disk(request.text("DiskId"))
        if disk.instance_id:
            raise part_errors.incorrect_disk_status(disk.status)
        self.disks.delete(disk.id)
        return {}

    def _disk(self, disk_id: str) -> Disk:
        disk = self.disks.get(disk_id)
        if disk is None:
            raise part_errors.disk_not_found()
        return disk

    def _candidates(self, request: Request, ids: Sequence[str]) -> Sequence[Disk]:
        """Give the disks to look through: no more than those of an instance or of ids that the call names."""
        if ids:
            return self.disks.named(ids)
        instance = self.instances.get(request.text("InstanceId"))
        if instance is not None:
            return self.disks_of(instance)
        return self.disks.where("region_id", request.region_id)
