"""Codes, texts and statuses of the ALB API beside those of `zonal.errors`: from memory."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def priority_taken(priority: int) -> ApiError:
    """Tell that a rule of the listener has a priority."""
    return ApiError("Conflict.Priority", f"There is already a Rule having the same Priority with {priority}.")


def acl_associated(acl_id: str) -> ApiError:
    """Tell that a listener has a list already."""
    return ApiError(
        "ResourceAlreadyAssociated.Acl", f"The specified resource Acl is already associated: {acl_id}."
    )


def entry_exists(entry: str) -> ApiError:
    """Tell that a list has a range already."""
    return ApiError(
        "ResourceAlreadyExist.AclEntry", f"The specified resource AclEntry already exists: {entry}."
    )
