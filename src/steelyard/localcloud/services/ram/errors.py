"""Codes, texts and statuses of the RAM API's own error list (help page "Error messages" of RAM)."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.localcloud.wire.error import ApiError

_NO_PERMISSION = ("ram", "sts", "tag", "bssopenapi", "cas")


def role_not_found() -> ApiError:
    """Tell that there is no such role."""
    return ApiError("EntityNotExist.Role", "The role does not exist.", 404)


def role_exists() -> ApiError:
    """Tell that there is a role of this name already."""
    return ApiError("EntityAlreadyExists.Role", "The role does already EXIST.", 409)


def role_has_policies() -> ApiError:
    """Tell that a role cannot be deleted because a policy is attached to it."""
    return ApiError(
        "DeleteConflict.Role.Policy",
        "The role CAN NOT has any attached policy while deleting the role.",
        409,
    )


def policy_not_found() -> ApiError:
    """Tell that there is no such policy."""
    return ApiError("EntityNotExist.Policy", "The policy does not exist.", 404)


def policy_exists() -> ApiError:
    """Tell that there is a policy of this name already."""
    return ApiError("EntityAlreadyExists.Policy", "The policy does already EXIST.", 409)


def policy_has_roles() -> ApiError:
    """Tell that a policy cannot be deleted because it is attached to a role."""
    return ApiError(
        "DeleteConflict.Policy.Role",
        "The policy CAN NOT been attached to any role while deleting the policy.",
        409,
    )


def policy_has_versions() -> ApiError:
    """Tell that a policy cannot be deleted because it has more than its default version."""
    return ApiError(
        "DeleteConflict.Policy.Version",
        "The policy CAN NOT has any version except the default version.",
        409,
    )


def version_not_found() -> ApiError:
    """Tell that a policy has no such version."""
    return ApiError("EntityNotExist.Policy.Version", "The policy version does not exist.", 404)


def version_is_default() -> ApiError:
    """Tell that a policy's default version cannot be deleted."""
    return ApiError(
        "DeleteConflict.Policy.Version.Default",
        "The default policy version CAN NOT been deleted directly.",
        409,
    )


def too_many_versions() -> ApiError:
    """Tell that a policy has as many versions as it may have."""
    return ApiError(
        "LimitExceeded.Policy.Version", "The count of policy versions beyond the current limits.", 409
    )


def already_attached() -> ApiError:
    """Tell that a policy is attached to the role already."""
    return ApiError("EntityAlreadyExists.Role.Policy", "The role has already been attached this policy.", 409)


def not_attached() -> ApiError:
    """Tell that a policy is not attached to the role."""
    return ApiError(
        "EntityNotExist.Role.Policy", "The indicate policy attached to the role does not exist.", 404
    )


def not_authorized(product: str, action: str, resources: Sequence[str], why: str) -> ApiError:
    """Tell that a role may not do something.

    The codes are the products' own: `NoPermission` of RAM, STS and some newer ones, `Forbidden.RAM` of the others.
    """
    text = f"Action: {action}, resource: {', '.join(resources)}: {why}."
    if product in _NO_PERMISSION:
        return ApiError("NoPermission", f"You are not authorized to do this action. {text}", 403)
    return ApiError(
        "Forbidden.RAM",
        f"User not authorized to operate on the specified resource, or this API doesn't support RAM. {text}",
        403,
    )


def too_long(name: str) -> ApiError:
    """Tell that a parameter is too long, or empty."""
    return ApiError(f"InvalidParameter.{name}.Length", f'The parameter - "{name}" beyond the length limit.')


def invalid_chars(name: str) -> ApiError:
    """Tell that a name holds characters that it may not hold."""
    return ApiError(
        f"InvalidParameter.{name}.InvalidChars", f'The parameter - "{name}" contains invalid chars.'
    )


def invalid_value(name: str) -> ApiError:
    """Tell that a parameter is none of the values that it may have."""
    return ApiError(f"InvalidParameter.{name}", f'The parameter - "{name}" is incorrect.')


def malformed_document(detail: str) -> ApiError:
    """Tell what is wrong with a policy document."""
    return ApiError("MalformedPolicyDocument", detail)
