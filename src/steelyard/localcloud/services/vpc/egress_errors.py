"""Codes, texts and statuses of NAT gateways, elastic addresses and their entries; where they are from, each says."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


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


def nat_gateway_has_forward_entries(gateway_id: str) -> ApiError:
    """Tell that the NAT gateway that is to be deleted has forward entries; the code is from memory."""
    return ApiError(
        "DependencyViolation.ForwardEntry",
        f"The specified resource of {gateway_id} depends on ForwardEntry, so the operation cannot be completed.",
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
    """Tell that a SNAT entry sends by the EIP that is to be unbound; the vendor's provider tries again on this code."""
    return ApiError(
        "InvalidIpStatus.HasBeenUsedBySnatTable", "The specified EIP has been used by the SNAT table."
    )


def eip_used_by_forward_entry() -> ApiError:
    """Tell that a forward entry takes the EIP that is to be unbound; the vendor's provider tries again on this code."""
    return ApiError(
        "InvalidIpStatus.HasBeenUsedByForwardEntry", "The specified EIP has been used by a forward entry."
    )


def eip_holder_not_found() -> ApiError:
    """Tell that there is nothing to bind an EIP to; code and text from memory."""
    return ApiError("InvalidInstanceId.NotFound", "The specified InstanceId does not exist.", 404)


def eip_holder_has_one() -> ApiError:
    """Tell that an instance or an interface has an EIP already; code and text from memory."""
    return ApiError("InvalidAssociation.Duplicated", "Specified instance already is associated.")


def eip_holder_status(status: str) -> ApiError:
    """Tell that an instance's status does not let an EIP come; the vendor's provider tries again on this code."""
    return ApiError(
        "IncorrectInstanceStatus", f"Current instance status does not support this operation: {status}."
    )


def eip_holder_has_bandwidth() -> ApiError:
    """Tell that an instance has a public address of its own; the code is one that the vendor's provider knows."""
    return ApiError(
        "InvalidStatus.InstanceHasBandWidth", "The bandwidth of the specified instance is not zero."
    )


def eip_mode_not_supported() -> ApiError:
    """Tell that secondary network interfaces alone can see an EIP as their own; code and text from memory."""
    return ApiError(
        "OperationUnsupported.Mode", "The mode is not supported: the EIP is not bound to a secondary ENI."
    )


def snat_table_not_found() -> ApiError:
    """Tell that there is no such SNAT table."""
    return ApiError("InvalidSnatTableId.NotFound", "Specified SNAT table does not exist.", 404)


def snat_entry_not_found() -> ApiError:
    """Tell that a SNAT table has no such entry."""
    return ApiError("InvalidSnatEntryId.NotFound", "Specified SNAT entry does not exist.", 404)


def incorrect_snat_entry_status() -> ApiError:
    """Tell that a SNAT entry is not available yet (help page of DeleteSnatEntry; the spelling is its own)."""
    return ApiError("IncorretSnatEntryStatus", "Some Snat entry status blocked this operation.")


def malformed_snat_ip() -> ApiError:
    """Tell that what a SNAT entry should send by is no address."""
    return ApiError("InvalidSnatIp.Malformed", "The specified SnatIp is not a valid IP address.")


def snat_ip_not_in_gateway() -> ApiError:
    """Tell that an address is not bound to the SNAT table's gateway; the text from memory."""
    return ApiError("EIP_NOT_IN_GATEWAY", "The specified EIP is not bound to the NAT gateway.")


def source_duplicated() -> ApiError:
    """Tell that a source has a SNAT entry already; the text's spelling is the provider's."""
    return ApiError("Forbidden.SourceVSwitchId.Duplicated", "The specified SourceCIDRis duplicated.")


def external_ip_used_by_snat() -> ApiError:
    """Tell that an EIP that an entry is to map as a whole has SNAT entries; code and text from memory."""
    return ApiError(
        "Forbidden.ExternalIp.UsedInSnatTable", "The specified ExternalIp is already used in SnatTable."
    )


def eip_is_mapped() -> ApiError:
    """Tell that a forward entry maps all of the EIP that a SNAT entry is to send by; code and text from memory."""
    return ApiError(
        "Forbidden.SnatIp.UsedInForwardTable", "The specified SnatIp is already used in ForwardTable."
    )


def forward_table_not_found() -> ApiError:
    """Tell that there is no such forward table; the vendor's provider looks for this code."""
    return ApiError("InvalidForwardTableId.NotFound", "Specified forward table does not exist.", 404)


def forward_entry_not_found() -> ApiError:
    """Tell that a forward table has no such entry; the vendor's provider looks for this code."""
    return ApiError("InvalidForwardEntryId.NotFound", "Specified forward entry does not exist.", 404)


def incorrect_forward_entry_status() -> ApiError:
    """Tell that a forward entry is not available yet (help page of CreateForwardEntry; the spelling is its own)."""
    return ApiError("IncorretForwardEntryStatus", "Some Forward entry status blocked this operation.")


def malformed_external_ip() -> ApiError:
    """Tell that what an entry is reached at is no address (help page of CreateForwardEntry)."""
    return ApiError("InvalidExternalIp.Malformed", "The specified ExternalIp is not a valid IP address.")


def malformed_internal_ip() -> ApiError:
    """Tell that what an entry leads to is no address (help page of CreateForwardEntry)."""
    return ApiError("InvalidInternalIp.Malformed", "The specified InternalIp is not a valid IP address.")


def malformed_external_port() -> ApiError:
    """Tell that an entry's outer ports are none (help page of CreateForwardEntry)."""
    return ApiError("InvalidExternalPort.Malformed", "The specified ExternalPort is not a valid port.")


def malformed_internal_port() -> ApiError:
    """Tell that an entry's inner ports are none, or not as many (help page of CreateForwardEntry)."""
    return ApiError("InvalidInternalPort.Malformed", "The specified InternalPort is not a valid port.")


def forward_protocol_not_supported() -> ApiError:
    """Tell that entries have no such protocol (help page of CreateForwardEntry; the spelling is its own)."""
    return ApiError("InvalidProtocal.ValueNotSupported", "The specified IpProtocol does not support.")


def internal_ip_outside_vpc() -> ApiError:
    """Tell that an entry leads out of its VPC (help page of CreateForwardEntry; the spelling is its own)."""
    return ApiError("Forbidden.DestnationIpOutOfVpcCIDR", "The specified Internal Ip is Out of VPC CIDR.")


def external_ip_not_in_gateway() -> ApiError:
    """Tell that an address is not bound to the table's gateway; the vendor's provider tries again on this code."""
    return ApiError("InvalidIp.NotInNatgw", "The specified IP address is not in the NAT gateway.")


def external_port_in_use() -> ApiError:
    """Tell that an entry takes these packets already; code and text from memory."""
    return ApiError(
        "Forbidden.ExternalPort.Duplicated",
        "The specified ExternalIp, ExternalPort and IpProtocol are in use.",
    )


def internal_port_in_use() -> ApiError:
    """Tell that an entry leads to this place already (help page of CreateForwardEntry)."""
    return ApiError("OperationUnsupported.ForwardEntry", "Duplicated destination ip port is unsupported.")


def nat_gateway_has_no_spec() -> ApiError:
    """Tell that a gateway that is paid by its use has no size to change; code and text of this cloud's own."""
    return ApiError(
        "OperationUnsupported.NatGatewaySpec",
        "The specification cannot be changed: the NAT gateway is charged by LCU.",
    )


def nat_gateway_is_enhanced() -> ApiError:
    """Tell that a gateway is of the newer sort already; code and text of this cloud's own."""
    return ApiError(
        "OperationUnsupported.NatGatewayType",
        "The NAT gateway is an enhanced one already, and stays where it is.",
    )
