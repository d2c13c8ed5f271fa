from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors, part_errors
from steelyard.localcloud.services.ecs.disk_setting import read_iops, read_performance_level
from steelyard.localcloud.services.ecs.image_state import ImageState
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.models import STOPPED

_LARGEST_GIB = 2048


class SystemDiskActions(ImageState):
    """The replacement of a system disk, by which an instance gets another image, and what disks are made of."""

    @action("ReplaceSystemDisk")
    def replace_system_disk(self, request: Request) -> dict[str, object]:
        """Give a stopped instance a new system disk; its files are gone for those of the image."""
        request.refuse_unserved("DiskId")
        check.read_password(request)
        instance = self.instance(request)
        refuse_released(instance)
        if instance.status != STOPPED:
            raise errors.incorrect_status(instance.status)
        if request.text("KeyPairName"):
            self.check_key_pair(request.text("KeyPairName"), instance.region_id)
        image = self.read_image(request)
        old, *data = self.disks_of(instance)
        given = request.params.get("SystemDisk") or {}
        assert isinstance(given, dict)
        bounds = range(image.size_gib, _LARGEST_GIB + 1)
        disk = replace(
            old,
            id=self.cloud.new_id("d"),
            created_at=self.cloud.clock(),
            attached_at=self.cloud.clock(),
            image_id=image.image_id,
            size_gib=check.read_disk_size("SystemDisk.Size", given.get("Size"), old.size_gib, bounds),
            is_encrypted=request.flag("Encrypted", old.is_encrypted),
            kms_key_id=request.text("KMSKeyId", old.kms_key_id),
        )
        self.disks.delete(old.id)
        self.disks.put(disk)
        self.instances.put(
            replace(
                instance,
                image_id=image.image_id,
                os_name=image.os_name,
                key_pair_name=request.text("KeyPairName", instance.key_pair_name),
                disk_ids=(disk.id, *(one.id for one in data)),
            )
        )
        self.life.renew(instance.id)
        return {"DiskId": disk.id}

    @action("ModifyDiskSpec")
    def modify_disk_spec(self, request: Request) -> dict[str, object]:
        """Change a disk's category, performance level or provisioned IOPS, at once."""
        request.refuse_unserved("DestinationZoneId", "PerformanceControlOptions")
        disk = self.disks.get(request.text("DiskId"))
        if disk is None:
            raise part_errors.disk_not_found()
        category = check.read_choice(request, "DiskCategory", check.DISK_CATEGORIES, disk.category)
        changed = replace(disk, category=category)
        level = read_performance_level(
            request.text("PerformanceLevel") or disk.performance_level, category, disk.size_gib
        )
        iops = read_iops("Disk", request.params.get("ProvisionedIops", disk.provisioned_iops), category)
        changed = replace(changed, performance_level=level, provisioned_iops=iops)
        if changed == disk:
            raise part_errors.disk_spec_unchanged()
        request.stop_if_dry_run()
        self.disks.put(changed)
        return {"OrderId": "", "TaskId": ""}
