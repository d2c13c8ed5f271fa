"""Codes, texts and statuses of the VPC API's own error tables (help pages of each action)."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def vpc_not_found() -> ApiError:
    """Tell that there is no such VPC."""
    return ApiError("InvalidVpcId.NotFound", "Specified VPC does not exist.", 404)


def vswitch_not_found() -> ApiError:
    """Tell that there is no such VSwitch."""
    return ApiError("InvalidVSwitchId.NotFound", "Specified virtual switch does not exist.", 404)


def zone_not_found() -> ApiError:
    """Tell that the region has no such zone."""
    return ApiError("InvalidZoneId.NotFound", "Specified zone does not exist.", 404)


def malformed_vpc_cidr() -> ApiError:
    """Tell that the range of a new VPC is not valid; CreateVpc has no code of its own for it."""
    return ApiError("InvalidParameter", "Specified CIDR block is not valid.")


def bad_mask() -> ApiError:
    """Tell that the mask of a VSwitch's range is too short or too long; the code's spelling is the provider's."""
    return ApiError("InvalidCirdrBlock.MaskLength", "Specified CIDR block is not valid .")


def malformed_cidr() -> ApiError:
    """Tell that a range is not valid: its form, its mask or a forbidden part of the address space."""
    return ApiError("InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")


def cidr_outside_vpc() -> ApiError:
    """Tell that a VSwitch's range is not inside of its VPC's."""
    return ApiError("InvalidParameter", "Specified CIDR block is not valid in VPC.")


def cidr_overlaps() -> ApiError:
    """Tell that a VSwitch's range overlaps another's."""
    return ApiError("InvalidCidrBlock.Overlapped", "Specified CIDR block overlapped with other subnets.")


def malformed_name(kind: str) -> ApiError:
    """Tell that a name is not valid; `kind` is `Vpc` or `VSwitch`."""
    what = "VPC" if kind == "Vpc" else "virtual switch"
    return ApiError(f"Invalid{kind}Name.Malformed", f"Specified {what} name is not valid.")


def malformed_description(kind: str) -> ApiError:
    """Tell that a description is not valid; the code's spelling is the provider's."""
    what = "VPC" if kind == "Vpc" else "virtual switch"
    return ApiError(f"Invalid{kind}Discription.Malformed", f"Specified {what} description is not valid.")


def incorrect_vpc_status() -> ApiError:
    """Tell that a VPC is not available yet."""
    return ApiError("IncorrectVpcStatus", "Current VPC status does not support this operation.")


def incorrect_vswitch_status() -> ApiError:
    """Tell that a VSwitch is not available yet."""
    return ApiError("IncorrectVSwitchStatus", "Current VSwitch status does not support this operation.")


def dependency_violation(what: str) -> ApiError:
    """Tell that something still stands in what is to be deleted, e.g. `VSwitch` or `SecurityGroup`."""
    return ApiError(f"DependencyViolation.{what}", f"Specified object has dependent resources {what}.")


def quota_exceeded(kind: str) -> ApiError:
    """Tell that there are too many; `kind` is `Vpc` or `VSwitch`."""
    what = "VPC" if kind == "Vpc" else "Virtual switch"
    return ApiError(f"QuotaExceeded.{kind}", f"{what} quota exceeded.")


def unknown_resource_type(resource_type: str) -> ApiError:
    """Tell that tags cannot be set on such things."""
    return ApiError(
        "InvalidResourceType.NotFound", f"The ResourceType provided does not exist: {resource_type!r}.", 404
    )


def resource_not_found(resource_id: str) -> ApiError:
    """Tell that what is to be tagged is not there."""
    return ApiError(
        "InvalidResourceId.NotFound", f"The specified ResourceIds are not found: {resource_id!r}.", 404
    )
