"""Codes, texts and statuses of route tables and route entries.

Those of DeleteRouteTable are of its help page; the others are from memory, where the vendor's provider does not name
them.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def route_table_not_found() -> ApiError:
    """Tell that there is no such route table; the vendor's provider looks for this code."""
    return ApiError("InvalidRouteTable.NotFound", "Specified route table does not exist.", 404)


def route_table_in_other_vpc() -> ApiError:
    """Tell that a route table and a VSwitch are in different VPCs."""
    return ApiError(
        "InvalidParameter.VpcMismatch", "The specified route table and virtual switch are in different VPCs."
    )


def route_table_is_system() -> ApiError:
    """Tell that a router's own table stays (help page of DeleteRouteTable)."""
    return ApiError(
        "IncorrectRouteTableType", "Route table can be deleted by this action only when its type is custom."
    )


def route_table_has_entries() -> ApiError:
    """Tell that a route table still has custom entries (help page of DeleteRouteTable)."""
    return ApiError(
        "IncorrectRouteTableStatus.RouteEntryExist",
        "You cannot delete the specified route table because it still has custom route entry.",
    )


def route_table_has_vswitches() -> ApiError:
    """Tell that VSwitches still have a route table."""
    return ApiError(
        "IncorrectRouteTableStatus.VSwitchExist",
        "You cannot delete the specified route table because it still associates with virtual switch.",
    )


def incorrect_route_table_status() -> ApiError:
    """Tell that a route table is not available yet; the vendor's provider tries again on this code."""
    return ApiError("IncorrectStatus.RouteTableStatus", "The status of the route table is incorrect.")


def vswitch_already_associated() -> ApiError:
    """Tell that a VSwitch has a custom route table already."""
    return ApiError(
        "OperationFailed.RouteTableAssociated",
        "The specified virtual switch already has a custom route table.",
    )


def vswitch_not_associated() -> ApiError:
    """Tell that a VSwitch does not have a route table that is to be taken off it."""
    return ApiError(
        "OperationFailed.RouteTableNotAssociated",
        "The specified route table is not associated with the virtual switch.",
    )


def route_entry_not_found() -> ApiError:
    """Tell that there is no such route entry; the vendor's provider looks for this code."""
    return ApiError("InvalidRouteEntry.NotFound", "Specified route entry does not exist.", 404)


def route_entry_is_system() -> ApiError:
    """Tell that an entry that the router has by itself stays."""
    return ApiError("IncorrectRouteEntryType", "A system route entry cannot be changed or deleted.")


def incorrect_route_entry_status() -> ApiError:
    """Tell that a route entry is not available yet; the vendor's provider tries again on this code."""
    return ApiError("IncorrectRouteEntryStatus", "Specified route entry status error.")


def destination_duplicated() -> ApiError:
    """Tell that a table leads to a range already; the vendor's provider looks for this code."""
    return ApiError("InvalidCIDRBlock.Duplicate", "Specified CIDR block is already exists.")


def destination_not_allowed(destination: str) -> ApiError:
    """Tell that no custom entry may lead to a range (its rules: help page of CreateRouteEntry)."""
    return ApiError(
        "InvalidCidrBlock",
        f"The destination CIDR block lies in that of a virtual switch or is reserved: {destination}.",
    )


def next_hop_not_found(next_hop_type: str) -> ApiError:
    """Tell that the VPC has no such next hop."""
    return ApiError(
        "InvalidNextHop.NotFound", f"The specified next hop of type {next_hop_type} does not exist.", 404
    )
