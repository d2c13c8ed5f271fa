"""Codes, texts and statuses of the VPC API's own error tables (help pages of each action)."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError

_WORDS = {
    "Vpc": "VPC",
    "VSwitch": "virtual switch",
    "Eip": "elastic IP address",
    "RouteTable": "route table",
    "RouteEntry": "route entry",
    "ForwardEntry": "forward entry",
    "SecondaryCidrBlock": "secondary CIDR block",
}


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


def default_vpc_exists() -> ApiError:
    """Tell that a region has its default VPC already; code and text from memory."""
    return ApiError("OperationFailed.DefaultVpcExist", "The default VPC already exists in the region.")


def default_vpc_keeps_cidr() -> ApiError:
    """Tell that a default VPC's range stays (its rule: help page of CreateDefaultVpc; the code from memory)."""
    return ApiError("OperationFailed.DefaultVpc", "The CIDR block of the default VPC cannot be changed.")


def no_default_vpc() -> ApiError:
    """Tell that a region has no default VPC for a default VSwitch; code and text from memory."""
    return ApiError("InvalidDefaultVpc.NotFound", "The default VPC does not exist in the region.", 404)


def default_vswitch_exists() -> ApiError:
    """Tell that a zone has its default VSwitch already; code and text from memory."""
    return ApiError("OperationFailed.DefaultVSwitchExist", "The default vSwitch already exists in the zone.")


def cidr_not_associated() -> ApiError:
    """Tell that a VPC has no such secondary range; code and text from memory."""
    return ApiError(
        "ResourceNotAssociated.CidrBlock", "The specified CIDR block is not associated with the VPC.", 404
    )


def cidr_in_use() -> ApiError:
    """Tell that VSwitches have a secondary range; the vendor's provider tries again on this code."""
    return ApiError("OperationFailed.CidrInUse", "The specified CIDR block is used by virtual switches.")


def malformed_name(kind: str) -> ApiError:
    """Tell that a name is not valid; `kind` is `Vpc`, `VSwitch` or what else bears one."""
    what = _WORDS.get(kind, kind)
    return ApiError(f"Invalid{kind}Name.Malformed", f"Specified {what} name is not valid.")


def malformed_description(kind: str) -> ApiError:
    """Tell that a description is not valid; the code's spelling is the provider's."""
    what = _WORDS.get(kind, kind)
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
    """Tell that there are too many; `kind` is `Vpc`, `VSwitch`, `Eip` or what else is counted."""
    what = _WORDS[kind]
    return ApiError(f"QuotaExceeded.{kind}", f"{what[0].upper()}{what[1:]} quota exceeded.")


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
