from __future__ import annotations

import secrets
import string
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nas import errors
from steelyard.localcloud.services.nas.file_system_actions import MAX_PAGE
from steelyard.localcloud.services.nas.models import FileSystem, MountTarget
from steelyard.localcloud.services.nas.state import NasState
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.wire.error import invalid_parameter, not_served

MAX_MOUNT_TARGETS = {"standard": 2, "extreme": 1}
"""Of one file system, by its type (help page "Limits"; that of `extreme` from memory)."""

_NETWORK = ("VpcId", "VSwitchId")


class MountTargetActions(NasState):
    """Mount targets."""

    @action("CreateMountTarget", optional=("AccessGroupName", *_NETWORK))
    def create_mount_target(self, request: Request) -> dict[str, object]:
        """Create a mount target of a file system in a VSwitch."""
        file_system = self.running_file_system(request)
        _refuse_unserved(request)
        vswitch = self._vswitch(request)
        group = self.group(request, file_system.file_system_type)
        most = MAX_MOUNT_TARGETS[file_system.file_system_type]
        if self.cloud.terms.has_quotas and len(self.targets_of(file_system.id)) >= most:
            raise errors.too_many("MountTarget", most)
        target = MountTarget(
            id=_new_domain(file_system),
            created_at=self.cloud.clock(),
            file_system_id=file_system.id,
            region_id=file_system.region_id,
            vpc_id=vswitch.vpc_id,
            vswitch_id=vswitch.id,
            group_id=group.id,
            group_name=group.name,
        )
        self.mount_targets.put(target)
        self.cloud.after_commit(lambda: self.settle_door(target.id))
        return {"MountTargetDomain": target.id}

    @action("DescribeMountTargets")
    def describe_mount_targets(self, request: Request) -> dict[str, object]:
        """List a file system's mount targets; one that is not there is not listed, which the provider waits for."""
        file_system, domain = self.file_system(request), request.text("MountTargetDomain")
        found = [one for one in self.targets_of(file_system.id) if domain in ("", one.id)]
        page, head = number_page(request, found, MAX_PAGE)
        now = self.cloud.clock()
        return {**head, "MountTargets": {"MountTarget": [one.to_answer(now) for one in page]}}

    @action("ModifyMountTarget")
    def modify_mount_target(self, request: Request) -> dict[str, object]:
        """Give a mount target another permission group, or let nobody in by it."""
        file_system = self.running_file_system(request)
        target = self._target(request)
        status = request.text("Status")
        if status not in ("", "Active", "Inactive"):
            raise invalid_parameter("Status", status, "`Active` or `Inactive`")
        if status == "Inactive" and file_system.file_system_type != "standard":
            raise invalid_parameter("Status", status, "`Active`, the only one of a file system of this type")
        if request.text("AccessGroupName"):
            group = self.group(request, file_system.file_system_type)
            target = replace(target, group_id=group.id, group_name=group.name)
        target = replace(target, is_active=status == "Active" if status else target.is_active)
        self.mount_targets.put(target)
        self.cloud.after_commit(lambda: self.settle_door(target.id))
        return {}

    @action("DeleteMountTarget")
    def delete_mount_target(self, request: Request) -> dict[str, object]:
        """Delete a mount target; who sees the file system by it sees it no more."""
        self.running_file_system(request)
        target = self._target(request)
        self._forget_gone()
        self.mount_targets.put(replace(target, deleted_at=self.cloud.clock()))
        self.cloud.after_commit(lambda: self.settle_door(target.id))
        return {}

    def _target(self, request: Request) -> MountTarget:
        """Give the mount target that a call names, if it can be worked on."""
        domain, file_system_id = request.text("MountTargetDomain"), request.text("FileSystemId")
        target = next((one for one in self.targets_of(file_system_id) if one.id == domain), None)
        if target is None:
            raise errors.mount_target_not_found()
        status = target.status_at(self.cloud.clock())
        if status in ("Pending", "Deleting"):
            raise errors.invalid_state("mount target", status)
        return target

    def _forget_gone(self) -> None:
        now = self.cloud.clock()
        for target in self.mount_targets.list():
            if target.is_gone(now):
                self.mount_targets.delete(target.id)

    def _vswitch(self, request: Request) -> VSwitch:
        for name in _NETWORK:
            if not request.text(name):
                raise errors.missing_network(name)
        network = self.cloud.service(VpcState)
        vpc = network.find_vpc(request.text("VpcId"))
        if vpc is None or vpc.region_id != request.region_id:
            raise errors.vpc_not_found()
        vswitch = network.find_vswitch(request.text("VSwitchId"))
        if vswitch is None or vswitch.vpc_id != vpc.id:
            raise errors.vswitch_not_found()
        return vswitch


def _refuse_unserved(request: Request) -> None:
    if request.text("NetworkType") == "Classic":
        raise not_served("mount targets in the classic network")
    if request.text("NetworkType") != "Vpc":
        raise invalid_parameter("NetworkType", request.text("NetworkType"), "`Vpc`")
    if request.flag("EnableIpv6"):
        raise not_served("mount targets of IPv6")
    if request.text("SecurityGroupId"):
        raise not_served("security groups of mount targets")


def _new_domain(file_system: FileSystem) -> str:
    """Give a host name in the form of the real ones, such as `31a8e4f0c2-abc12.cn-hangzhou.nas.aliyuncs.com`."""
    mark = "".join(secrets.choice(string.ascii_lowercase) for _ in range(3)) + f"{secrets.randbelow(100):02}"
    product = "extreme.nas" if file_system.file_system_type == "extreme" else "nas"
    return f"{file_system.id.removeprefix('extreme-')}-{mark}.{file_system.region_id}.{product}.aliyuncs.com"
