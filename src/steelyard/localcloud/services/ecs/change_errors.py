"""Codes, texts and statuses of changes of instances; where they are from, `errors` says."""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def charge_type_violation(charge_type: str) -> ApiError:
    """Tell that the way in which an instance is paid for does not allow a call."""
    return ApiError(
        "ChargeTypeViolation",
        f"The operation is not permitted due to charge type of the instance: {charge_type}.",
        403,
    )


def same_instance_type(name: str) -> ApiError:
    """Tell that an instance is of the wanted type already."""
    return ApiError(
        "InvalidInstanceType.ValueUnauthorized",
        f"The specified InstanceType is that of the instance: {name}.",
        403,
    )


def public_address_allocated() -> ApiError:
    """Tell that an instance has a public address already (help page of AllocatePublicIpAddress)."""
    return ApiError(
        "AllocatedAlready", "The specified instance has been allocated an IP address already.", 403
    )


def instance_has_eip() -> ApiError:
    """Tell that an instance has an elastic address, beside which it has no other public one."""
    return ApiError("InvalidInstance.EipAssociated", "An EIP is associated with the specified instance.", 403)


def already_in_group() -> ApiError:
    """Tell that an instance is in a security group already; the vendor's provider looks for this code."""
    return ApiError(
        "InvalidInstanceId.AlreadyExists",
        "The specified instance already exists in the specified security group.",
    )


def not_in_group() -> ApiError:
    """Tell that an instance is not in a security group that it is to leave."""
    return ApiError(
        "InstanceNotInSecurityGroup",
        "The instance not in the security group or the security group is not exist.",
        403,
    )


def last_group() -> ApiError:
    """Tell that an instance stays in at least one security group (help page of LeaveSecurityGroup)."""
    return ApiError(
        "InstanceLastSecurityGroup",
        "The specified security group is the last security group for the instance.",
        403,
    )


def too_many_groups(most: int) -> ApiError:
    """Tell that an instance is in as many security groups as it may be (help page of JoinSecurityGroup)."""
    return ApiError(
        "InstanceSecurityGroupLimitExceeded",
        f"Exceeding the allowed amount of security groups that an instance can be in: {most}.",
        403,
    )


def mixed_group_types() -> ApiError:
    """Tell that an instance is in security groups of one type."""
    return ApiError(
        "InvalidOperation.MultiGroupType",
        "The instance cannot be in security groups of different types.",
        403,
    )


def release_time_malformed(text: str) -> ApiError:
    """Tell that a time of release is none (help page of ModifyInstanceAutoReleaseTime)."""
    return ApiError(
        "InvalidAutoReleaseTime.Malformed", f"The specified AutoReleaseTime is not valid: {text!r}."
    )


def pool_not_found() -> ApiError:
    """Tell that there is no such private pool."""
    return ApiError("InvalidPrivatePoolOptionsId.NotFound", "The specified private pool does not exist.", 404)


def address_has_other_place() -> ApiError:
    """Tell that a VSwitch is not of the instance's zone."""
    return ApiError(
        "InvalidVSwitchId.ZoneMismatch",
        "The specified VSwitch and the instance are not in the same zone.",
        403,
    )


def resource_not_found(resource_id: str) -> ApiError:
    """Tell that what is to be moved into a resource group is not there."""
    return ApiError(
        "InvalidResourceId.NotFound", f"The specified ResourceId is not found: {resource_id!r}.", 404
    )


def interface_has_no_such_address(address: str) -> ApiError:
    """Tell that a network interface does not have an address that is to be taken away."""
    return ApiError("InvalidIp.IpUnassigned", f"The specified private IP address is not assigned: {address}.")


def too_many_addresses(most: int) -> ApiError:
    """Tell that a network interface has as many addresses as it may have."""
    return ApiError(
        "InvalidIp.LimitExceeded", f"The private IP addresses of the ENI exceed its limit: {most}.", 403
    )


def primary_address_stays() -> ApiError:
    """Tell that a network interface keeps its first address."""
    return ApiError("InvalidIp.PrimaryIp", "The primary private IP address cannot be unassigned.")


def instance_has_interfaces() -> ApiError:
    """Tell that an instance with secondary network interfaces stays in its VPC."""
    return ApiError(
        "InvalidOperation.EniAttached", "Secondary ENIs are attached to the instance, detach them first.", 403
    )


def too_many_points(most: int) -> ApiError:
    """Tell that one answer has no room for all points (help page of DescribeInstanceMonitorData)."""
    return ApiError("InvalidParameter.TooManyDataQueried", f"Too many data queried: more than {most} points.")
