"""Codes, texts and statuses of the STS API."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def role_not_found() -> ApiError:
    """Tell that there is no role of this ARN."""
    return ApiError("EntityNotExist.Role", "The specified Role not exists.", 404)


def not_trusted() -> ApiError:
    """Tell that a role's trust policy does not name the caller."""
    return ApiError(
        "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.", 403
    )


def invalid_value(name: str, want: str) -> ApiError:
    """Tell that a parameter's value is not one that it may have."""
    return ApiError(f"InvalidParameter.{name}", f"The parameter {name} is wrongly formed: want {want}.")
