"""Codes, texts and statuses of the NAS API.

They are those of the help page "Error codes" of NAS, as far as it lists one; the others are from memory, and say so.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def file_system_not_found() -> ApiError:
    """Tell that there is no such file system."""
    return ApiError("InvalidFileSystem.NotFound", "The specified FileSystem does not exist.", 404)


def mount_target_not_found() -> ApiError:
    """Tell that a file system has no such mount target."""
    return ApiError("InvalidMountTarget.NotFound", "The specified MountTarget does not exist.", 404)


def access_group_not_found() -> ApiError:
    """Tell that there is no such permission group."""
    return ApiError("InvalidAccessGroup.NotFound", "The specified AccessGroup does not exist.", 404)


def access_rule_not_found() -> ApiError:
    """Tell that a permission group has no such rule."""
    return ApiError("InvalidAccessRule.NotFound", "The specified AccessRule does not exist.", 404)


def zone_not_found() -> ApiError:
    """Tell that the region has no such zone."""
    return ApiError("InvalidAZone.NotFound", "The specified AZone is not found.", 404)


def vpc_not_found() -> ApiError:
    """Tell that there is no such VPC."""
    return ApiError("InvalidVpc.NotFound", "The specified VPC is not found.", 404)


def vswitch_not_found() -> ApiError:
    """Tell that the VPC has no such VSwitch."""
    return ApiError("InvalidVSwitchId.NotFound", "The specified VSwitchId is not found in the VPC.", 404)


def missing_network(name: str) -> ApiError:
    """Tell that a mount target was asked for without its VPC or VSwitch."""
    return ApiError(f"MissingParameter.{name}", f"Parameter `{name}` is mandatory for this action.")


def bad_storage_type(storage_type: str, want: str) -> ApiError:
    """Tell that a file system of the type has no such storage type."""
    return ApiError(
        "InvalidParameter.StorageType",
        f"The specified StorageType is not valid: {storage_type!r} is not one of {want}.",
    )


def bad_protocol_type(protocol_type: str, want: str) -> ApiError:
    """Tell that a file system of the type has no such protocol; the code's spelling is the help page's."""
    return ApiError(
        "InvalidParameter.ProtocalType",
        f"The specified ProtocolType is not valid: {protocol_type!r} is not one of {want}.",
    )


def bad_description() -> ApiError:
    """Tell that a description is too long or has a character that it may not have."""
    return ApiError("InvalidDescription.InvalidFormat", "Description format is invalid.", 404)


def access_group_exists() -> ApiError:
    """Tell that a permission group of this name is there."""
    return ApiError(
        "InvalidAccessGroup.AlreadyExisted", "The specified AccessGroup has been already existed.", 403
    )


def access_group_attached() -> ApiError:
    """Tell that mount targets still use a permission group."""
    return ApiError(
        "InvalidAccessGroup.AlreadyAttached",
        "The specified AccessGroup is still attached by some MountTarget(s).",
        403,
    )


def default_group_stays(verb: str) -> ApiError:
    """Tell that the default permission group is as it is.

    Args:
        verb: `Delete` or `Modify`.
    """
    done = {"Delete": "deleted", "Modify": "modified"}[verb]
    return ApiError(
        f"OperationDenied.DefaultAccessGroupCannot{verb}",
        f"The default AccessGroup can not be {done}.",
        403,
    )


def has_mount_targets() -> ApiError:
    """Tell that a file system still has mount targets."""
    return ApiError(
        "OperationDenied.MountTargetNotEmpty",
        "There are still MountTarget(s) on the specified FileSystem.",
        403,
    )


def invalid_state(what: str, status: str) -> ApiError:
    """Tell that a thing is about to come or to go; the code is one that the Terraform provider waits out."""
    return ApiError(
        "OperationDenied.InvalidState", f"The operation is not allowed while the {what} is {status}.", 403
    )


def cannot_be_upgraded(file_system_type: str) -> ApiError:
    """Tell that a file system has no capacity of its own that could grow; the code is from memory."""
    return ApiError(
        "InvalidFileSystemType.NotSupported",
        f"The capacity of a file system of the type {file_system_type!r} cannot be upgraded.",
        403,
    )


def too_many(what: str, most: int) -> ApiError:
    """Tell that there are as many things as the account, or what they belong to, may have.

    Args:
        what: `FileSystem`, `MountTarget`, `AccessGroup` or `AccessRule`.
        most: How many there may be.
    """
    return ApiError(
        f"OperationDenied.{what}CountsExceeded",
        f"The amount of {what} has reached its limits (maximum {most}).",
        403,
    )
