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


def still_has(owner: str, what: str) -> ApiError:
    """Tell that a role, user or group cannot be deleted because of what it still has, e.g. a `Policy`."""
    text = f"The {owner.lower()} CAN NOT has any {what} while deleting the {owner.lower()}."
    return ApiError(f"DeleteConflict.{owner}.{what}", text, 409)


def user_not_found() -> ApiError:
    """Tell that there is no such user."""
    return ApiError("EntityNotExist.User", "The user does not exist.", 404)


def user_exists() -> ApiError:
    """Tell that there is a user of this name already."""
    return ApiError("EntityAlreadyExists.User", "The user does already EXIST.", 409)


def group_not_found() -> ApiError:
    """Tell that there is no such group."""
    return ApiError("EntityNotExist.Group", "The group does not exist.", 404)


def group_exists() -> ApiError:
    """Tell that there is a group of this name already."""
    return ApiError("EntityAlreadyExists.Group", "The group does already EXIST.", 409)


def already_member() -> ApiError:
    """Tell that a user is in the group already."""
    return ApiError("EntityAlreadyExists.User.Group", "The user has already been added into the group.", 409)


def not_member() -> ApiError:
    """Tell that a user is not in the group."""
    return ApiError("EntityNotExist.User.Group", "The user does not belong to the group.", 404)


def key_not_found() -> ApiError:
    """Tell that a user has no such access key."""
    return ApiError("EntityNotExist.User.AccessKey", "The access key does not exist.", 404)


def login_profile_not_found() -> ApiError:
    """Tell that a user does not sign in to the console."""
    return ApiError("EntityNotExist.User.LoginProfile", "The login policy does not exist.", 404)


def login_profile_exists() -> ApiError:
    """Tell that a user signs in to the console already."""
    text = "The login policy of the user does already EXIST."
    return ApiError("EntityAlreadyExists.User.LoginProfile", text, 409)


def mfa_device_not_found() -> ApiError:
    """Tell that a user has no second factor."""
    return ApiError("EntityNotExist.User.MFADevice", "The MFA device of the user does not exist.", 404)


def too_many(what: str, limit: int) -> ApiError:
    """Tell that there are as many as there may be, e.g. of `User.AccessKey`."""
    return ApiError(f"LimitExceeded.{what}", f"The count beyond the current limits: {limit}.", 409)


def policy_not_found() -> ApiError:
    """Tell that there is no such policy."""
    return ApiError("EntityNotExist.Policy", "The policy does not exist.", 404)


def policy_exists() -> ApiError:
    """Tell that there is a policy of this name already."""
    return ApiError("EntityAlreadyExists.Policy", "The policy does already EXIST.", 409)


def policy_is_attached(holder: str) -> ApiError:
    """Tell that a policy cannot be deleted because it is attached to a role, a user or a group."""
    return ApiError(
        f"DeleteConflict.Policy.{holder}",
        f"The policy CAN NOT been attached to any {holder.lower()} while deleting the policy.",
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


def already_attached(holder: str) -> ApiError:
    """Tell that a policy is attached to the role, user or group already."""
    text = f"The {holder.lower()} has already been attached this policy."
    return ApiError(f"EntityAlreadyExists.{holder}.Policy", text, 409)


def not_attached(holder: str) -> ApiError:
    """Tell that a policy is not attached to the role, user or group."""
    text = f"The indicate policy attached to the {holder.lower()} does not exist."
    return ApiError(f"EntityNotExist.{holder}.Policy", text, 404)


def not_authorized(product: str, action: str, resources: Sequence[str], why: str) -> ApiError:
    """Tell that a user or a role may not do something.

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
