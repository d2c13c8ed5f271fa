"""Codes, texts and statuses of disks and network interfaces; where they are from, `errors` says."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def disk_not_found() -> ApiError:
    """Tell that there is no such disk (help page of DetachDisk)."""
    return ApiError("InvalidDiskId.NotFound", "The specified disk does not exist.", 404)


def incorrect_disk_status(status: str) -> ApiError:
    """Tell that a disk's status does not allow a call."""
    return ApiError(
        "IncorrectDiskStatus", f"The current disk status does not support this operation: {status}.", 403
    )


def disk_in_other_zone() -> ApiError:
    """Tell that a disk and an instance are in different zones; the code is from memory."""
    return ApiError(
        "ResourcesNotInSameZone", "The specified instance and disk are not in the same zone.", 403
    )


def too_many_disks() -> ApiError:
    """Tell that an instance takes no more disks (help page of RunInstances)."""
    return ApiError("InstanceDiskNumLimitExceed", "The number of specified disk in an instance exceeds.", 403)


def too_many_rules() -> ApiError:
    """Tell that a security group has as many rules as it may have (help page of AuthorizeSecurityGroup)."""
    text = "The limit of authorization records in the security group reaches."
    return ApiError("AuthorizationLimitExceed", text, 403)


def missing_peer(side: str) -> ApiError:
    """Tell that a rule says not whom it is for (help page of ModifySecurityGroupRule).

    Args:
        side: `Source` or `Dest`.
    """
    names = f"{side}CidrIp, {side}GroupId or {side}PrefixListId"
    return ApiError(f"MissingParameter.{side}", f"One of the parameters {names} must be specified.")


def rule_names_its_own_group(side: str) -> ApiError:
    """Tell that a rule names the group that it is in (help pages of AuthorizeSecurityGroup and its egress).

    Args:
        side: `Source` or `Dest`.
    """
    text = f"The specified SecurityGroupId should be different from the {side}GroupId."
    return ApiError("InvalidParamter.Conflict", text, 403)


def device_in_use() -> ApiError:
    """Tell that another disk has a device (help page of RunInstances)."""
    return ApiError("InvalidDevice.InUse", "The specified device has been occupied.", 403)


def disk_detached() -> ApiError:
    """Tell that no instance has a disk (help page of DetachDisk)."""
    return ApiError("InvalidDisk.AlreadyDetached", "The specified disk has been detached.", 404)


def disk_of_other_instance() -> ApiError:
    """Tell that another instance has a disk (help page of DetachDisk)."""
    return ApiError(
        "DependencyViolation", "The specified disk has not been attached on the specified instance.", 403
    )


def disk_is_system() -> ApiError:
    """Tell that a system disk stays (help page of DetachDisk)."""
    return ApiError(
        "DiskTypeViolation", "The specified disk is a system disk and cannot support the operation.", 403
    )


def disk_size_too_small(size_gib: int, least_gib: int) -> ApiError:
    """Tell that a disk cannot be made smaller."""
    return ApiError(
        "InvalidDiskSize.TooSmall",
        f"Specified new disk size is less than the original disk size: {size_gib} < {least_gib}.",
    )


def disk_never_attached() -> ApiError:
    """Tell that a disk never had anything of which a snapshot could be made (help page of CreateSnapshot)."""
    return ApiError(
        "IncorrectDiskStatus.NeverAttached",
        "The specified disk has never been attached to any instance.",
        403,
    )


def snapshot_not_found() -> ApiError:
    """Tell that there is no such snapshot (help page of DeleteSnapshot)."""
    return ApiError("InvalidSnapshotId.NotFound", "The specified SnapshotId does not exist.", 404)


def snapshot_not_ready() -> ApiError:
    """Tell that a snapshot is still being made (help page of CreateDisk)."""
    return ApiError(
        "InvalidSnapshotId.NotReady", "The specified snapshot creation is not completed yet.", 403
    )


def snapshot_made_disk() -> ApiError:
    """Tell that a disk was made of a snapshot; the vendor's provider looks for this code."""
    return ApiError(
        "SnapshotCreatedDisk", "The snapshot has been used to create disks, delete it with Force.", 403
    )


def snapshot_name_reserved() -> ApiError:
    """Tell that names of automatic snapshots begin as this one does (help page of CreateSnapshot)."""
    return ApiError("InvalidSnapshotName.Malformed", "The specified SnapshotName begins with auto.")


def too_many_snapshots() -> ApiError:
    """Tell that a disk has as many snapshots as it may have (help page of CreateSnapshot)."""
    return ApiError("QuotaExceed.Snapshot", "The snapshot quota exceeds.", 403)


def prefix_list_not_found() -> ApiError:
    """Tell that there is no such prefix list (help page of DeletePrefixList)."""
    return ApiError("InvalidPrefixListId.NotFound", "The specified prefix list was not found.", 404)


def prefix_list_in_use() -> ApiError:
    """Tell that rules name a prefix list (help page of DeletePrefixList)."""
    return ApiError("NotAllowed.AssociationExist", "The specified prefix list has associated resources.")


def too_many_prefix_lists() -> ApiError:
    """Tell that a region holds no more prefix lists; the code is from memory."""
    return ApiError("QuotaExceed.PrefixList", "The prefix list quota exceeds.", 403)


def interface_not_found() -> ApiError:
    """Tell that there is no such network interface (help page of DetachNetworkInterface)."""
    return ApiError("InvalidEniId.NotFound", "The specified EniId is not found.", 404)


def interface_owner_not_found() -> ApiError:
    """Tell that there is no such instance (help page of AttachNetworkInterface)."""
    return ApiError("InvalidEcsId.NotFound", "The specified EcsId is not found.", 404)


def interface_owner_state(status: str) -> ApiError:
    """Tell that an instance's status does not let interfaces come or go (help page of AttachNetworkInterface)."""
    return ApiError(
        "InvalidOperation.InvalidEcsState",
        f"The operation is not allowed in the current ECS state: {status}.",
    )


def incorrect_interface_state(status: str) -> ApiError:
    """Tell that a network interface's status does not allow a call (help page of AttachNetworkInterface)."""
    return ApiError(
        "InvalidOperation.InvalidEniState",
        f"The operation is not allowed in the current ENI state: {status}.",
    )


def interface_in_other_zone() -> ApiError:
    """Tell that an interface and an instance are in different zones (help page of AttachNetworkInterface)."""
    return ApiError(
        "InvalidOperation.AvailabilityZoneMismatch", "The ENI and the instance are in different zones.", 403
    )


def interface_in_other_vpc() -> ApiError:
    """Tell that an interface and an instance are in different VPCs (help page of AttachNetworkInterface)."""
    return ApiError("InvalidOperation.VpcMismatch", "The ENI and the instance are in different VPCs.", 403)


def too_many_interfaces() -> ApiError:
    """Tell that an instance takes no more interfaces (help page of AttachNetworkInterface)."""
    return ApiError(
        "EniPerInstanceLimitExceeded", "The maximum number of ENIs of the instance is exceeded.", 403
    )


def primary_interface_stays() -> ApiError:
    """Tell that an instance's own interface cannot be taken away (help page of DetachNetworkInterface)."""
    return ApiError(
        "InvalidOperation.DetachPrimaryEniNotAllowed", "Detaching the primary ENI is not allowed."
    )


def interface_is_next_hop() -> ApiError:
    """Tell that a route leads to the interface that is to be deleted; code and text from memory."""
    return ApiError(
        "InvalidOperation.RouteEntryExist",
        "The ENI is the next hop of a route entry, delete that first.",
        403,
    )


def interface_has_eip() -> ApiError:
    """Tell that an elastic address is bound to the interface that is to be deleted; code and text from memory."""
    return ApiError("InvalidOperation.EniHasEip", "The ENI has an EIP, disassociate that first.", 403)


def disk_spec_unchanged() -> ApiError:
    """Tell that a disk is what it is to become already; code and text from memory."""
    return ApiError(
        "InvalidDiskSpec.Unchanged", "The specified category and performance level are those of the disk."
    )
