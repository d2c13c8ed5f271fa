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


def no_erdma(instance_type: str) -> ApiError:
    """Tell that an instance type has no elastic RDMA interface; the code is from memory."""
    return ApiError(
        "InvalidInstanceType.NotSupportERI",
        f"The specified instance type does not support elastic RDMA interfaces: {instance_type}.",
        403,
    )


def no_stock() -> ApiError:
    """Tell that a zone has no more of an instance type (code and text: help page of RunInstances)."""
    return ApiError(
        "OperationDenied.NoStock",
        "The requested resource is sold out in the specified zone; "
        "try other types of resources or other regions and zones.",
        403,
    )


def no_spot_instance(instance_id: str) -> ApiError:
    """Tell that an instance is no spot instance, which has no code of the API's: nobody can ask for this there."""
    return ApiError(
        "InvalidInstanceChargeType.ValueNotSupported", f"The instance is no spot instance: {instance_id}."
    )


def spot_not_post_paid() -> ApiError:
    """Tell that a spot instance cannot be paid for in advance (help page of RunInstances)."""
    return ApiError("InvalidSpotPrepaid", "The specified Spot type is not support PrePay Instance.")


def spot_price_limit_invalid(limit: float) -> ApiError:
    """Tell that a spot instance's price limit is no price (help page of RunInstances)."""
    return ApiError("InvalidSpotPriceLimit", f"The specified SpotPriceLimit is not valid: {limit}.")


def spot_price_limit_too_low(limit: float, price: float) -> ApiError:
    """Tell that a spot instance costs more than its limit (help page of RunInstances)."""
    return ApiError(
        "InvalidSpotPriceLimit.LowerThanPublicPrice",
        f'The specified parameter "spotPriceLimit" can\'t be lower than current public price: {limit} < {price}.',
    )


def spot_duration_invalid(duration: int) -> ApiError:
    """Tell that a spot instance has no such protected time (help page of RunInstances)."""
    return ApiError("InvalidSpotDuration", f"The specified SpotDuration is not valid: {duration}.")


def key_pair_not_found() -> ApiError:
    """Tell that there is no such key pair."""
    return ApiError("InvalidKeyPairName.NotFound", "The specified KeyPairName does not exist.", 404)


def key_pair_there() -> ApiError:
    """Tell that there is a key pair of this name (help page of CreateKeyPair)."""
    return ApiError("KeyPair.AlreadyExist", "The key pair already exist.")


def public_key_malformed() -> ApiError:
    """Tell that a public key cannot be read (help page of ImportKeyPair)."""
    return ApiError("InvalidPublicKeyBody.Malformed", "The PublicKeyBody format is not supported.")


def too_many_key_pairs() -> ApiError:
    """Tell that a region holds no more key pairs (help page of CreateKeyPair)."""
    return ApiError("QuotaExceed.KeyPair", "The key pair quota exceeds.", 403)


def key_pair_in_use(name: str) -> ApiError:
    """Tell that instances have a key pair; the vendor's provider tries again on this code."""
    return ApiError(
        "InvalidParameter.KeypairAlreadyAttachedInstance",
        f"The specified keypair is attached to instances: {name}.",
    )


def deployment_set_not_found() -> ApiError:
    """Tell that there is no such deployment set (help page of ModifyDeploymentSetAttribute)."""
    return ApiError("InvalidDeploymentSetId.NotFound", "The specified DeploymentSetId does not exist.")


def deployment_set_of_instance_not_found() -> ApiError:
    """Tell that there is no deployment set to move an instance to (help page of ModifyInstanceDeployment)."""
    return ApiError("DeploymentSet.InvalidId", "The specified Deployment Set id doesn't exist.")


def deployment_set_full() -> ApiError:
    """Tell that a deployment set holds no more instances (help page of RunInstances)."""
    return ApiError(
        "QuotaExceed.DeploymentSetInstanceQuotaFull", "Instance quota in one deployment set exceeded.", 403
    )


def deployment_set_in_other_zone(zone_id: str) -> ApiError:
    """Tell that a low-latency set stands in another zone; the code is from memory."""
    return ApiError(
        "InvalidParameter.NotMatch",
        f"The instances of a deployment set for low latency are in one zone, here {zone_id}.",
        403,
    )


def deployment_set_in_use() -> ApiError:
    """Tell that a deployment set has instances; the code is from memory."""
    return ApiError("DependencyViolation", "There is still instance(s) in the specified deployment set.", 403)


def too_many_deployment_sets() -> ApiError:
    """Tell that a region holds no more deployment sets; the code is from memory."""
    return ApiError("QuotaExceed.DeploymentSet", "The deployment set quota exceeds.", 403)


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


def instance_is_next_hop() -> ApiError:
    """Tell that a route leads to the instance that is to be released; the provider tries again on this code."""
    return ApiError(
        "DependencyViolation.RouteEntry", "The specified instance is the next hop of a route entry.", 403
    )


def group_in_use(what: str) -> ApiError:
    """Tell that instances or rules of other groups still name a security group."""
    return ApiError("DependencyViolation", f"There is still {what} in the specified security group.", 403)


def too_many_security_groups() -> ApiError:
    """Tell that a region holds no more security groups (help page of CreateSecurityGroup)."""
    return ApiError("QuotaExceed.SecurityGroup", "The maximum number of security groups is reached.", 403)


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
