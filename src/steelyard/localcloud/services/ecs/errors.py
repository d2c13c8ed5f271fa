"""Codes, texts and statuses of the ECS API.

Those that the Terraform provider looks for are as it spells them; the others follow the error tables of the help pages
from memory, and were not compared with them one by one.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def instance_not_found() -> ApiError:
    """Tell that there is no such instance."""
    return ApiError("InvalidInstanceId.NotFound", "The specified InstanceId does not exist.", 404)


def security_group_not_found() -> ApiError:
    """Tell that there is no such security group."""
    return ApiError("InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist.", 404)


def rule_not_found() -> ApiError:
    """Tell that a security group has no such rule."""
    return ApiError(
        "InvalidSecurityGroupRuleId.NotFound", "The specified SecurityGroupRuleId does not exist.", 404
    )


def vpc_not_found() -> ApiError:
    """Tell that there is no such VPC."""
    return ApiError("InvalidVpcId.NotFound", "The specified VpcId does not exist.", 404)


def vswitch_not_found() -> ApiError:
    """Tell that there is no such VSwitch."""
    return ApiError("InvalidVSwitchId.NotFound", "The specified VSwitchId does not exist.", 404)


def zone_not_found() -> ApiError:
    """Tell that the region has no such zone."""
    return ApiError("InvalidZoneId.NotFound", "The specified ZoneId does not exist.", 404)


def image_not_found() -> ApiError:
    """Tell that there is no such image."""
    return ApiError("InvalidImageId.NotFound", "The specified ImageId does not exist.", 404)


def instance_type_not_supported(name: str) -> ApiError:
    """Tell that there is no such instance type."""
    return ApiError(
        "InvalidInstanceType.ValueNotSupported",
        f"The specified InstanceType does not exist or beyond the permitted range: {name!r}.",
        403,
    )


def role_not_found() -> ApiError:
    """Tell that there is no such RAM role."""
    return ApiError("InvalidRamRole.NotFound", "The specified RamRoleName does not exist.", 404)


def role_not_for_ecs() -> ApiError:
    """Tell that a RAM role's trust policy does not name ECS."""
    return ApiError(
        "InvalidRamRole.NotEcsRole",
        "The specified ram role is not authorized for ecs, please check your role policy.",
        400,
    )


def incorrect_status(status: str) -> ApiError:
    """Tell that an instance's status does not allow a call."""
    return ApiError(
        "IncorrectInstanceStatus",
        f"The current status of the resource does not support this operation: {status}.",
        403,
    )


def deletion_protected() -> ApiError:
    """Tell that an instance is protected from being released."""
    return ApiError(
        "InvalidOperation.DeletionProtection",
        "The operation is not allowed due to deletion protection.",
        403,
    )


def group_in_use(what: str) -> ApiError:
    """Tell that instances or rules of other groups still name a security group."""
    return ApiError("DependencyViolation", f"There is still {what} in the specified security group.", 403)


def different_vpc() -> ApiError:
    """Tell that a security group and a VSwitch do not belong together."""
    return ApiError(
        "InvalidParameter.Mismatch", "Specified security group and virtual switch are not in the same VPC."
    )


def zone_mismatch() -> ApiError:
    """Tell that a VSwitch is in another zone than the one asked for."""
    return ApiError("InvalidParameter.Mismatch", "Specified virtual switch is not in the specified zone.")


def address_malformed() -> ApiError:
    """Tell that an address is no address of the VSwitch."""
    return ApiError(
        "InvalidPrivateIpAddress.Malformed",
        "Specified private IP address is malformed or outside the VSwitch.",
    )


def address_duplicated() -> ApiError:
    """Tell that an address is taken."""
    return ApiError("InvalidPrivateIpAddress.Duplicated", "Specified private IP address is duplicated.", 403)


def addresses_exhausted(vswitch_id: str) -> ApiError:
    """Tell that a VSwitch has no free address."""
    return ApiError(
        "InvalidVSwitchId.IpNotEnough", f'The specified VSwitch "{vswitch_id}" has not enough IpAddress.', 400
    )


def user_data_not_base64() -> ApiError:
    """Tell that user data is not what the API takes."""
    return ApiError(
        "InvalidUserData.Base64FormatInvalid", "The specified parameter UserData must be base64 encoded."
    )


def user_data_too_long() -> ApiError:
    """Tell that user data is too long."""
    return ApiError("InvalidUserData.SizeExceeded", "The specified parameter UserData exceeds the size.")


def malformed(name: str) -> ApiError:
    """Tell that a name or text breaks its rules; `name` is the parameter."""
    return ApiError(f"Invalid{name}.Malformed", f"The specified parameter {name} is not valid.")


def value_not_supported(name: str, value: object) -> ApiError:
    """Tell that a parameter's value is none of those that it may have."""
    return ApiError(
        f"Invalid{name}.ValueNotSupported", f"The specified parameter {name} is not valid: {value!r}."
    )


def unknown_resource_type(resource_type: str) -> ApiError:
    """Tell that tags cannot be set on such things."""
    return ApiError(
        "InvalidResourceType.NotFound", f"The ResourceType provided does not exist: {resource_type!r}.", 404
    )


def launch_template_not_found() -> ApiError:
    """Tell that there is no such launch template."""
    return ApiError("InvalidLaunchTemplate.NotFound", "The specified LaunchTemplate does not exist.", 404)


def launch_template_version_not_found(number: int) -> ApiError:
    """Tell that a launch template has no such version."""
    return ApiError(
        "InvalidLaunchTemplateVersion.NotFound",
        f"The specified LaunchTemplateVersion does not exist: {number}.",
        404,
    )


def launch_template_duplicated(name: str) -> ApiError:
    """Tell that a launch template of this name is there (code and text: help page of CreateLaunchTemplate)."""
    return ApiError(
        "LaunchTemplateName.Duplicated", f'The specified LaunchTemplateName "{name}" already exist.', 403
    )


def launch_template_default_version() -> ApiError:
    """Tell that a launch template's default version cannot be deleted; the code is from memory."""
    return ApiError(
        "InvalidLaunchTemplateVersion.DefaultVersion",
        "The default version of the launch template cannot be deleted.",
        403,
    )


def too_many_launch_templates() -> ApiError:
    """Tell that a region holds no more launch templates (code and text: help page of CreateLaunchTemplate)."""
    return ApiError("LaunchTemplateLimitExceed", "The maximum number of templates is exceeded.", 403)


def too_many_launch_template_versions() -> ApiError:
    """Tell that a launch template holds no more versions; the code is from memory."""
    return ApiError(
        "LaunchTemplateVersionLimitExceed", "The maximum number of template versions is exceeded.", 403
    )
