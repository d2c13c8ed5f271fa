from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.nas import check, errors
from steelyard.localcloud.services.nas.meter import Meter
from steelyard.localcloud.services.nas.models import (
    DEFAULT_GROUP,
    AccessGroup,
    AccessRule,
    FileSystem,
    MountTarget,
)
from steelyard.localcloud.services.nas.share import Shares

_JOIN_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class NasState(Service):
    """What the parts of the NAS service share: its records, its folders, how they are found and what others ask."""

    code, version = "nas", "2017-06-26"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.file_systems = Records(cloud.store, FileSystem)
        self.mount_targets = Records(cloud.store, MountTarget)
        self.access_groups = Records(cloud.store, AccessGroup)
        self.access_rules = Records(cloud.store, AccessRule)
        self.shares = Shares(cloud.data_dir / "nas")
        self.meter = Meter(self.shares.measure)
        self._removals: list[threading.Thread] = []
        self._is_stopped = False

    def start(self) -> None:
        """Make the folders what the records say, and go on with deletions that were cut off."""
        with self.cloud.transaction():
            file_systems, targets = self.file_systems.list(), self.mount_targets.list()
        self.shares.settle(
            [one.id for one in file_systems],
            {one.id: one.file_system_id for one in targets if one.is_active and not one.deleted_at},
        )
        for one in file_systems:
            if one.is_deleting:
                self.remove_in_background(one.id)

    def stop(self) -> None:
        """Let deletions end that are about to; the next start takes up the others."""
        self._is_stopped = True
        for thread in self._removals:
            thread.join(_JOIN_TIMEOUT_S)

    def settle_door(self, domain: str) -> None:
        """Open or close a mount target as its record says now: calls may have changed it since the one that asks."""
        with self.cloud.transaction():
            target = self.mount_targets.get(domain)
            if target is not None and target.is_active and not target.deleted_at:
                self.shares.open(domain, target.file_system_id)
            else:
                self.shares.close(domain)

    def remove_in_background(self, file_system_id: str) -> None:
        """Remove a file system's folder, which may take long, and then its record."""

        def run() -> None:
            self.shares.remove(file_system_id)
            if not self._is_stopped:
                self.file_systems.delete(file_system_id)
                self.meter.forget(file_system_id)
                logger.info("%s is gone", file_system_id)

        thread = threading.Thread(target=run, name=f"remove-{file_system_id}", daemon=True)
        self._removals = [one for one in self._removals if one.is_alive()]
        thread.start()
        self._removals.append(thread)

    def file_system(self, request: Request) -> FileSystem:
        """Give the file system that a call names.

        Raises:
            ApiError: `InvalidFileSystem.NotFound`.
        """
        found = self.file_systems.get(request.text("FileSystemId"))
        if found is None or found.region_id != request.region_id:
            raise errors.file_system_not_found()
        return found

    def running_file_system(self, request: Request) -> FileSystem:
        """Give the file system that a call names, if it can be worked on.

        Raises:
            ApiError: `InvalidFileSystem.NotFound` or `OperationDenied.InvalidState`.
        """
        found = self.file_system(request)
        status = found.status_at(self.cloud.clock())
        if status != "Running":
            raise errors.invalid_state("file system", status)
        return found

    def targets(self) -> Sequence[MountTarget]:
        """Give the mount targets that are there, oldest first."""
        now = self.cloud.clock()
        return [one for one in self.mount_targets.list() if not one.is_gone(now)]

    def targets_of(self, file_system_id: str) -> Sequence[MountTarget]:
        """Give a file system's mount targets."""
        return [one for one in self.targets() if one.file_system_id == file_system_id]

    def groups_of(self, region_id: str, file_system_type: str) -> Sequence[AccessGroup]:
        """Give a region's permission groups for a type of file systems; the default one comes first."""
        own = self.access_groups.where("region_id", region_id)
        of_type = [one for one in own if one.file_system_type == file_system_type]
        return [_default_group(region_id, file_system_type), *of_type]

    def group(self, request: Request, file_system_type: str = "") -> AccessGroup:
        """Give the permission group that a call names.

        Args:
            request: The call.
            file_system_type: What it is for; what the call says where it is empty.

        Raises:
            ApiError: `InvalidAccessGroup.NotFound`.
        """
        kind = file_system_type or check.read_file_system_type(request)
        name = request.text("AccessGroupName") or DEFAULT_GROUP
        found = next((one for one in self.groups_of(request.region_id, kind) if one.name == name), None)
        if found is None:
            raise errors.access_group_not_found()
        return found

    def own_group(self, request: Request, verb: str) -> AccessGroup:
        """Give the permission group that a call names, if it may be changed.

        Args:
            request: The call.
            verb: `Modify` or `Delete`, for the code of the refusal.

        Raises:
            ApiError: `InvalidAccessGroup.NotFound`, or the refusal to change the default one.
        """
        found = self.group(request)
        if found.is_default:
            raise errors.default_group_stays(verb)
        return found

    def rules_of(self, group: AccessGroup) -> Sequence[AccessRule]:
        """Give a permission group's rules, by priority."""
        if group.is_default:
            return [_default_rule(group)]
        return sorted(self.access_rules.where("group_id", group.id), key=lambda rule: rule.priority)

    def find_group(self, target: MountTarget) -> AccessGroup:
        """Give a mount target's permission group, which cannot go before it."""
        return self.access_groups.get(target.group_id) or _default_group(
            target.region_id, target.group_id.split("/")[1]
        )

    # What the VPC service asks before it deletes something (`NetworkUser`).

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what stands directly in a VPC: nothing, since mount targets stand in VSwitches."""
        return None

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what stands in a VSwitch: `MountTarget`, or None."""
        return "MountTarget" if self.num_addresses(vswitch_id) else None

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that mount targets hold, one each."""
        now = self.cloud.clock()
        return sum(not one.is_gone(now) for one in self.mount_targets.where("vswitch_id", vswitch_id))


def group_id(region_id: str, file_system_type: str, name: str) -> str:
    """Give the id under which the store keeps a permission group, whose name others may have elsewhere."""
    return f"{region_id}/{file_system_type}/{name}"


def _default_group(region_id: str, file_system_type: str) -> AccessGroup:
    return AccessGroup(
        id=group_id(region_id, file_system_type, DEFAULT_GROUP),
        created_at=0.0,
        region_id=region_id,
        name=DEFAULT_GROUP,
        file_system_type=file_system_type,
        description="",
    )


def _default_rule(group: AccessGroup) -> AccessRule:
    return AccessRule(
        id=f"{group.id}/1",
        created_at=0.0,
        region_id=group.region_id,
        group_id=group.id,
        group_name=group.name,
        file_system_type=group.file_system_type,
        number=1,
        source="0.0.0.0/0",
        rw_access="RDWR",
        user_access="no_squash",
        priority=1,
    )
