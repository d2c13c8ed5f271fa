"""Codes, texts and statuses that the APIs of NLB and ALB share.

The `ResourceNotFound`, `IncorrectStatus`, `ResourceInConfiguring` and `ResourceInUse` codes are those that the
Terraform provider looks for; the others are from memory.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def not_found(what: str) -> ApiError:
    """Tell that a thing is not there.

    Args:
        what: The API's word for it; NLB writes `loadBalancer`, `listener`, `serverGroup`, ALB the same with a capital.
    """
    return ApiError(f"ResourceNotFound.{what}", f"The specified resource {what} is not found.", 404)


def in_use(what: str) -> ApiError:
    """Tell that something else still uses a thing."""
    return ApiError(f"ResourceInUse.{what}", f"The specified resource of {what} is in use.")


def incorrect_status(what: str, status: str) -> ApiError:
    """Tell that a thing is not in a state in which it can be changed."""
    return ApiError(f"IncorrectStatus.{what}", f"The status of {what} is incorrect: {status}.")


def in_configuring(what: str) -> ApiError:
    """Tell that a thing is taking in an earlier change."""
    return ApiError(f"ResourceInConfiguring.{what}", f"The specified {what} is being configured.")


def listener_exists(port: int) -> ApiError:
    """Tell that a port has a listener."""
    return ApiError(
        "ResourceAlreadyExist.Listener", f"The specified resource Listener already exists: {port}."
    )


def server_exists(server_id: str, port: object) -> ApiError:
    """Tell that a server is in the group with this port."""
    return ApiError(
        "ResourceAlreadyExist.BackendServer",
        f"The specified resource BackendServer already exists: {server_id}:{port}.",
    )


def delete_protected() -> ApiError:
    """Tell that a load balancer is protected from being deleted."""
    return ApiError(
        "OperationDenied.DeletionProtection",
        "The operation is not allowed because DeletionProtection is enabled.",
    )


def different_vpc(what: str) -> ApiError:
    """Tell that a thing stands in another VPC."""
    return ApiError("ResourceNotInVpc", f"The specified {what} does not belong to the VPC.")


def address_not_available(address: str) -> ApiError:
    """Tell that an address is taken, outside of the VSwitch, or that there is none left."""
    return ApiError(
        "OperationDenied.AddressNotAvailable", f"The specified address is not available: {address or 'any'}."
    )


def last_zone(zone_id: str) -> ApiError:
    """Tell that a load balancer's name would have no zone left.

    The rule is that of StartShiftLoadBalancerZones' help page, which names no code for it; this one is made up.
    """
    return ApiError(
        "OperationDenied.OnlyOneAvailableZone", f"The zone {zone_id} is the only one that is in use."
    )


def too_many_servers(num_servers: int, limit: int) -> ApiError:
    """Tell that a call names too many servers."""
    return ApiError("QuotaExceeded.ServersNum", f"A call takes {limit} servers, not {num_servers}.")


def protocol_mismatch(listener: str, group: str) -> ApiError:
    """Tell that a listener cannot use a server group because of its protocol (code from memory)."""
    return ApiError(
        "OperationDenied.ServerGroupProtocolMismatch",
        f"A listener of the protocol {listener} cannot use a server group of the protocol {group}.",
    )
