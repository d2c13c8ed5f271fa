"""Codes and texts of the CloudMonitor API; `ResourceNotFound` is the provider's, the others are from memory."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def parameter_invalid(text: str) -> ApiError:
    """Tell that a parameter is not what the action takes."""
    return ApiError("ParameterInvalid", text)


def rule_not_found(rule_id: str) -> ApiError:
    """Tell that an alarm rule is not there."""
    return ApiError("ResourceNotFound", f"The specified resource is not found: rule {rule_id!r}.", 404)


def contact_not_found(name: str) -> ApiError:
    """Tell that a contact is not there."""
    return ApiError("ContactNotExists", f"The specified contact does not exist: {name!r}.", 404)


def contact_group_not_found(name: str) -> ApiError:
    """Tell that a contact group is not there."""
    return ApiError("ResourceNotFound", f"The specified contact group is not found: {name!r}.", 404)


def contact_group_in_use(name: str) -> ApiError:
    """Tell that an alarm rule tells a contact group."""
    return ApiError("ResourceInUse", f"The contact group {name!r} is used by an alarm rule.", 409)


def metric_not_found(name: str) -> ApiError:
    """Tell that nobody has put such a metric."""
    return ApiError("ResourceNotFound", f"The specified metric is not found: {name!r}.", 404)


def monitor_group_not_found(group_id: str) -> ApiError:
    """Tell that an application group is not there."""
    return ApiError("ResourceNotFound", f"The specified application group is not found: {group_id!r}.", 404)


def quota_exceeded(what: str, limit: int) -> ApiError:
    """Tell that there are too many things of a kind."""
    return ApiError("ResourceOverLimit", f"There can be {limit} of {what} at most.")
