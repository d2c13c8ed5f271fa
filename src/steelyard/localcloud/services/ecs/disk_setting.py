"""What calls say of disks that are to be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import check, errors, part_errors
from steelyard.localcloud.services.ecs.disk import MAX_DISKS, next_device
from steelyard.localcloud.services.ecs.image import Image
from steelyard.localcloud.services.ecs.snapshot import Snapshot
from steelyard.localcloud.wire.error import missing_parameter, not_served

_DATA_GIB = {
    "cloud": range(5, 2000 + 1),
    "cloud_efficiency": range(20, 32768 + 1),
    "cloud_ssd": range(20, 32768 + 1),
    "cloud_essd_entry": range(10, 32768 + 1),
    "cloud_regional_disk_auto": range(10, 65536 + 1),
    "elastic_ephemeral_disk_standard": range(64, 8192 + 1),
    "elastic_ephemeral_disk_premium": range(64, 8192 + 1),
}
"""Sizes of data disks by category (help page of CreateDisk)."""
_OTHER_DATA_GIB = range(1, 65536 + 1)
_MAX_IOPS = 50_000
"""IOPS that can be provisioned for a disk at most (help page of CreateDisk)."""
_SMALLEST_GIB = {"PL0": 1, "PL1": 1, "PL2": 461, "PL3": 1261}
"""Smallest ESSDs of the performance levels (help page of RunInstances); of PL1 smaller ones are taken, too."""


class DiskSettings(TypedDict):
    """What a disk is made from."""

    type: str
    category: str
    size_gib: int
    performance_level: str
    name: str
    description: str
    is_encrypted: bool
    kms_key_id: str
    is_bursting: bool
    provisioned_iops: int


@dataclass(frozen=True, kw_only=True)
class DiskOrder:
    """A disk that an instance is to be made with."""

    settings: DiskSettings
    device: str
    deletes_with_instance: bool
    image_id: str = ""
    snapshot: Snapshot | None = None


def read_disks(
    request: Request, image: Image, find_snapshot: Callable[[str, str], Snapshot | None]
) -> list[DiskOrder]:
    """Read the system disk and the data disks that an instance is to be made with.

    Args:
        request: The call.
        image: What the system disk is made from.
        find_snapshot: Gives the snapshot of an id, which may be empty, in a region.

    Raises:
        ApiError: For more disks than an instance has, a size or a category that a disk cannot have, or a snapshot that
            is not there.
    """
    system = request.params.get("SystemDisk") or {}
    assert isinstance(system, dict)
    bounds = range(image.size_gib, 2048 + 1)
    settings = read_disk("system", system, "SystemDisk", max(40, image.size_gib), bounds)
    orders = [
        DiskOrder(settings=settings, device="/dev/xvda", deletes_with_instance=True, image_id=image.image_id)
    ]
    if len(request.records("DataDisk")) >= MAX_DISKS:
        raise part_errors.too_many_disks()
    for number, data in enumerate(request.records("DataDisk"), 1):
        snapshot = find_snapshot(str(data.get("SnapshotId") or ""), request.region_id)
        if data.get("Size") is None and snapshot is None:
            raise missing_parameter(f"DataDisk.{number}.Size")
        orders.append(
            DiskOrder(
                snapshot=snapshot,
                settings=read_data_disk(data, f"DataDisk.{number}", snapshot),
                device=str(data.get("Device") or next_device(order.device for order in orders)),
                deletes_with_instance=bool(data.get("DeleteWithInstance", True)),
            )
        )
    return orders


def data_sizes(category: str) -> range:
    """Give the sizes that a data disk of a category may have, in GiB."""
    return _DATA_GIB.get(category, _OTHER_DATA_GIB)


def read_data_disk(given: Mapping[str, object], name: str, snapshot: Snapshot | None) -> DiskSettings:
    """Read what a data disk is made from; see `read_disk`.

    Raises:
        ApiError: For a size, a category or a name that a disk cannot have.
    """
    sizes = data_sizes(str(given.get("Category") or "cloud_essd"))
    return read_disk("data", given, name, snapshot.size_gib if snapshot is not None else 0, sizes)


def read_disk(
    kind: str, given: Mapping[str, object], name: str, default_gib: int, bounds: range
) -> DiskSettings:
    """Read what a disk is made from.

    Args:
        kind: `system` or `data`.
        given: Its parameters by their names within the disk's, such as `Size`.
        name: What stands before those names.
        default_gib: Size where none is given.
        bounds: Sizes that it may have.

    Raises:
        ApiError: For a size, a category or a name that a disk cannot have.
    """
    category = str(given.get("Category") or "cloud_essd")
    if category not in check.DISK_CATEGORIES:
        raise errors.value_not_supported(f"{name}.Category", category)
    for unserved in ("AutoSnapshotPolicyId", "StorageClusterId", "EncryptAlgorithm"):
        if given.get(unserved):
            raise not_served(f"{name}.{unserved}")
    size_gib = check.read_disk_size(f"{name}.Size", given.get("Size"), default_gib, bounds)
    return DiskSettings(
        type=kind,
        category=category,
        size_gib=size_gib,
        performance_level=read_performance_level(
            str(given.get("PerformanceLevel") or ""), category, size_gib
        ),
        name=check.checked_name("DiskName", str(given.get("DiskName") or "")),
        description=str(given.get("Description") or ""),
        is_encrypted=str(given.get("Encrypted") or "false").lower() == "true",
        kms_key_id=str(given.get("KMSKeyId") or ""),
        is_bursting=_read_bursting(name, given.get("BurstingEnabled"), category),
        provisioned_iops=read_iops(name, given.get("ProvisionedIops"), category),
    )


def _read_bursting(name: str, wanted: object, category: str) -> bool:
    if wanted and category not in check.PROVISIONED_CATEGORIES:
        raise errors.value_not_supported(f"{name}.BurstingEnabled", wanted)
    return bool(wanted)


def read_iops(name: str, wanted: object, category: str) -> int:
    """Give the IOPS that are provisioned for a disk, which some categories alone have.

    Raises:
        ApiError: `Invalid….ProvisionedIops.ValueNotSupported`.
    """
    iops = wanted or 0
    assert isinstance(iops, int)
    most = _MAX_IOPS if category in check.PROVISIONED_CATEGORIES else 0
    if not 0 <= iops <= most:
        raise errors.value_not_supported(f"{name}.ProvisionedIops", iops)
    return iops


def read_performance_level(wanted: str, category: str, size_gib: int) -> str:
    """Give a disk's performance level, which ESSDs alone have.

    Args:
        wanted: The level; empty for PL1.
        category: The disk's category; of another than `cloud_essd` the level is not asked.
        size_gib: Its size, of which the higher levels need some.

    Raises:
        ApiError: `InvalidPerformanceLevel.ValueNotSupported`.
    """
    if category != "cloud_essd":
        return ""
    level = wanted or "PL1"
    if size_gib < _SMALLEST_GIB.get(level, size_gib + 1):
        raise errors.value_not_supported("PerformanceLevel", f"{level} of {size_gib} GiB")
    return level
