"""Error codes of the tag service, from memory."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def malformed_tags(text: str) -> ApiError:
    """Tell that `Tags` is no JSON object of texts."""
    return ApiError(
        "InvalidParameter.Tags",
        f'The parameter Tags has to be a JSON object such as {{"k":"v"}}, got {text!r}.',
    )


def too_many_resources(number: int, most: int) -> ApiError:
    """Tell that a call names more resources than it may."""
    return ApiError("NumberExceed.ResourceARN", f"The number of ResourceARN is exceeded: {number} > {most}.")


def malformed_name(name: str) -> ApiError:
    """Tell that a text names no resource."""
    return ApiError(
        "InvalidResourceARN.Malformed",
        f"The ResourceARN is not valid: {name!r} is not acs:<product>:<region>:<account>:<kind>/<id>.",
    )


def foreign_resource(name: str) -> ApiError:
    """Tell that a resource is another account's, or another region's than the call's."""
    return ApiError(
        "NoPermission", f"The resource is not of this account and the call's region: {name!r}.", 403
    )


def unknown_resource_type(kind: str) -> ApiError:
    """Tell that no tags are kept for a kind of resource."""
    return ApiError("InvalidResourceType.NotSupport", f"The ResourceType is not supported: {kind!r}.")


def resource_not_found(name: str) -> ApiError:
    """Tell that nothing has a name."""
    return ApiError("InvalidResourceId.NotFound", f"The specified ResourceARN is not found: {name!r}.", 404)
