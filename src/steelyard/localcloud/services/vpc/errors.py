"""Codes, texts and statuses of the VPC API's own error tables (help pages of each action)."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError

_WORDS = {"Vpc": "VPC", "VSwitch": "virtual switch", "Eip": "elastic IP address"}


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
    """Tell that there are too many; `kind` is `Vpc`, `VSwitch` or `Eip`."""
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


def nat_gateway_not_found() -> ApiError:
    """Tell that there is no such NAT gateway."""
    return ApiError(
        "InvalidNatGatewayId.NotFound", "The specified NatGatewayId does not exist in our records.", 404
    )


def incorrect_nat_gateway_status() -> ApiError:
    """Tell that a NAT gateway is not available yet."""
    return ApiError("IncorrectStatus.NatGateway", "The status of the NAT gateway is incorrect.")


def nat_gateway_has_eips() -> ApiError:
    """Tell that EIPs are bound to the NAT gateway that is to be deleted."""
    return ApiError(
        "DependencyViolation.EIPS", "There are Eips on specified NatGateway, please unbind it first."
    )


def nat_gateway_has_snat_entries(gateway_id: str) -> ApiError:
    """Tell that the NAT gateway that is to be deleted has SNAT entries."""
    return ApiError(
        "DependencyViolation.SnatEntry",
        f"The specified resource of {gateway_id} depends on SnatEntry, so the operation cannot be completed.",
    )


def deletion_protected() -> ApiError:
    """Tell that deletion protection is on; the text's spelling is the provider's."""
    return ApiError(
        "InvalidOperation.DeletionProtection", "The instance cannnot delete because of deletion protecion."
    )


def eip_not_found() -> ApiError:
    """Tell that there is no such EIP; code and text from memory."""
    return ApiError("InvalidAllocationId.NotFound", "Specified allocation ID is not found.", 404)


def incorrect_eip_status() -> ApiError:
    """Tell that an EIP is bound, or is not; the text from memory, the code as the vendor's provider knows it."""
    return ApiError("IncorrectEipStatus", "Current elastic IP status does not support this operation.")


def eip_used_by_snat() -> ApiError:
    """Tell that a SNAT entry sends by the EIP that is to be unbound; code and text are of this cloud's own."""
    return ApiError("DependencyViolation.SnatEntry", "A SNAT entry uses the specified elastic IP address.")


def snat_table_not_found() -> ApiError:
    """Tell that there is no such SNAT table."""
    return ApiError("InvalidSnatTableId.NotFound", "Specified SNAT table does not exist.", 404)


def snat_entry_not_found() -> ApiError:
    """Tell that a SNAT table has no such entry."""
    return ApiError("InvalidSnatEntryId.NotFound", "Specified SNAT entry does not exist.", 404)


def malformed_snat_ip() -> ApiError:
    """Tell that what a SNAT entry should send by is no address."""
    return ApiError("InvalidSnatIp.Malformed", "The specified SnatIp is not a valid IP address.")


def snat_ip_not_in_gateway() -> ApiError:
    """Tell that an address is not bound to the SNAT table's gateway; the text from memory."""
    return ApiError("EIP_NOT_IN_GATEWAY", "The specified EIP is not bound to the NAT gateway.")


def source_duplicated() -> ApiError:
    """Tell that a source has a SNAT entry already; the text's spelling is the provider's."""
    return ApiError("Forbidden.SourceVSwitchId.Duplicated", "The specified SourceCIDRis duplicated.")
