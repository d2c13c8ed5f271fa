"""Codes, texts and statuses of the Auto Scaling API.

`InvalidScalingGroupId.NotFound`, `InvalidScalingConfigurationId.NotFound`, `InvalidScalingRuleId.NotFound`,
`InvalidScheduledTaskId.NotFound`, `InvalidLifecycleHookId.NotExist`, `IncorrectScalingGroupStatus`,
`IncorrectCapacity.MaxSize`, `IncorrectCapacity.MinSize`, `ScalingActivityInProgress`, `InvalidInstanceId.NotFound` and
`IncorrectInstanceStatus` are those that the Terraform provider looks for; those of notifications are of the help page
of CreateNotificationConfiguration; the others are from memory.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def group_not_found(group_id: str) -> ApiError:
    """Tell that a scaling group is not there."""
    return _not_found("ScalingGroup", "scaling group", group_id)


def configuration_not_found(configuration_id: str) -> ApiError:
    """Tell that a scaling configuration is not there."""
    return _not_found("ScalingConfiguration", "scaling configuration", configuration_id)


def rule_not_found(rule: str) -> ApiError:
    """Tell that a scaling rule is not there."""
    return _not_found("ScalingRule", "scaling rule", rule)


def task_not_found(task_id: str) -> ApiError:
    """Tell that a scheduled task is not there."""
    return _not_found("ScheduledTask", "scheduled task", task_id)


def alarm_not_found(alarm_id: str) -> ApiError:
    """Tell that an alarm task is not there."""
    return _not_found("AlarmTask", "alarm task", alarm_id)


def activity_not_found(activity_id: str) -> ApiError:
    """Tell that a scaling activity is not there, or not any more."""
    return _not_found("ScalingActivity", "scaling activity", activity_id)


def vswitch_not_found(vswitch_id: str) -> ApiError:
    """Tell that a VSwitch is not there."""
    return _not_found("VSwitch", "vSwitch", vswitch_id)


def server_group_not_found(group_id: str) -> ApiError:
    """Tell that a load balancer's server group is not there."""
    return _not_found("ServerGroup", "server group", group_id)


def resource_not_found(resource_id: str) -> ApiError:
    """Tell that a resource whose tags are asked for is not there."""
    return _not_found("Resource", "resource", resource_id)


def instance_not_found(instance_id: str) -> ApiError:
    """Tell that an instance is not in the group, or not there."""
    return _not_found("Instance", "instance", instance_id)


def hook_not_found(hook: str) -> ApiError:
    """Tell that a lifecycle hook is not there."""
    return ApiError(
        "InvalidLifecycleHookId.NotExist", f"The specified lifecycle hook does not exist: {hook!r}.", 404
    )


def token_not_found(token: str) -> ApiError:
    """Tell that no instance waits under a token."""
    return ApiError(
        "InvalidLifecycleActionToken.NotFound",
        f"The specified lifecycle action token is not waited for: {token!r}.",
        404,
    )


def name_duplicated(what: str, name: str) -> ApiError:
    """Tell that a name is taken.

    Args:
        what: The API's word for the thing, e.g. `ScalingGroup`.
        name: The name.
    """
    return ApiError(
        f"Invalid{what}Name.Duplicate", f"The specified value of {what}Name is duplicated: {name!r}."
    )


def incorrect_group_status(status: str, action: str) -> ApiError:
    """Tell that a group's state does not allow an action."""
    return ApiError(
        "IncorrectScalingGroupStatus",
        f"The current status of the scaling group, {status}, does not support {action}.",
    )


def incorrect_capacity(bound: str, value: int, limit: int) -> ApiError:
    """Tell that the number of instances would leave its bounds.

    Args:
        bound: `MaxSize` or `MinSize`.
        value: The number that it would be.
        limit: The bound.
    """
    return ApiError(
        f"IncorrectCapacity.{bound}",
        f"The number of instances, {value}, would be beyond the {bound} of the scaling group, {limit}.",
    )


def no_change() -> ApiError:
    """Tell that a rule would change nothing."""
    return ApiError(
        "IncorrectCapacity.NoChange", "The capacity does not change: the scaling group stays as it is."
    )


def refresh_under_way(group_id: str) -> ApiError:
    """Tell that a group's instances are refreshed already."""
    return ApiError(
        "InstanceRefreshInProgress", f"An instance refresh of the scaling group {group_id!r} is in progress."
    )


def nothing_to_refresh(group_id: str) -> ApiError:
    """Tell that all members are as desired already; the provider tries again on this code."""
    return ApiError(
        "InvalidInstance.NoInstanceNeedBeRefreshed",
        f"No instance of the scaling group {group_id!r} needs to be refreshed.",
    )


def refresh_not_found(refresh_id: str) -> ApiError:
    """Tell that an instance refresh is not there."""
    return _not_found("InstanceRefreshTask", "instance refresh task", refresh_id)


def incorrect_refresh_status(status: str, action: str) -> ApiError:
    """Tell that a refresh's state does not allow an action."""
    return ApiError(
        "IncorrectInstanceRefreshTaskStatus",
        f"The current status of the instance refresh task, {status}, does not support {action}.",
    )


def no_rollback(version: str) -> ApiError:
    """Tell that a refresh cannot be rolled back: what a version without a number is may change."""
    return ApiError(
        "InstanceRefreshTask.RollbackNotSupported",
        f"A refresh to or from the launch template version {version} cannot be rolled back.",
    )


def not_balanced(group_id: str) -> ApiError:
    """Tell that a group is not to be balanced over its zones."""
    return ApiError(
        "IncorrectScalingGroupMultiAZPolicy",
        f"The scaling group {group_id!r} is not balanced over its zones; take MultiAZPolicy BALANCE.",
    )


def activity_in_progress() -> ApiError:
    """Tell that one scaling activity has to end before another begins."""
    return ApiError(
        "ScalingActivityInProgress", "You cannot execute the scaling activity: another one is in progress."
    )


def incorrect_instance_status(instance_id: str, status: str) -> ApiError:
    """Tell that an instance's state does not allow what was asked."""
    return ApiError("IncorrectInstanceStatus", f"The current status of instance {instance_id!r} is {status}.")


def instance_in_use(instance_id: str) -> ApiError:
    """Tell that an instance is in a scaling group already."""
    return ApiError("InvalidInstanceId.InUse", f"Instance {instance_id!r} is in a scaling group already.")


def different_vpc(instance_id: str) -> ApiError:
    """Tell that an instance stands in another network than the group."""
    return ApiError(
        "InvalidInstanceId.VPCMismatch", f"Instance {instance_id!r} is not in the VPC of the scaling group."
    )


def no_configuration(group_id: str) -> ApiError:
    """Tell that nothing says how the group's instances are made."""
    return ApiError(
        "MissingActiveScalingConfiguration",
        f"The scaling group {group_id!r} has no active scaling configuration and no launch template.",
    )


def configuration_in_use() -> ApiError:
    """Tell that the active configuration cannot be deleted."""
    return ApiError(
        "IncorrectScalingConfigurationLifecycleState",
        "The active scaling configuration of a scaling group cannot be deleted.",
    )


def group_in_use(num_members: int) -> ApiError:
    """Tell that a group has instances and is deleted with `ForceDelete` alone."""
    return ApiError(
        "InstanceInUse",
        f"There are {num_members} instances in the scaling group; use ForceDelete to delete it.",
    )


def delete_protected() -> ApiError:
    """Tell that a group is protected from being deleted."""
    return ApiError(
        "OperationDenied.GroupDeletionProtection",
        "The scaling group is protected from deletion; turn GroupDeletionProtection off first.",
    )


def invalid_notification_arn(arn: str) -> ApiError:
    """Tell that no recipient of notifications is named."""
    return ApiError("InvalidNotificationArn", f"The specified parameter notificationArn is invalid: {arn!r}.")


def invalid_notification_type(name: str) -> ApiError:
    """Tell that there is no such event."""
    return ApiError("InvalidNotificationTypes", f"The specified notificationType is invalid: {name!r}.")


def no_message_service(kind: str, name: str) -> ApiError:
    """Tell that a queue or topic is not there: the local cloud has no message service.

    Args:
        kind: `queue` or `topic`.
        name: Its name.
    """
    return ApiError(
        f"{kind.capitalize()}NotExist",
        f"The specified {kind} {name} does not exist: the local cloud has no message service; name cloudmonitor.",
    )


def notification_exists(arn: str) -> ApiError:
    """Tell that a recipient is told of a group's events already."""
    return ApiError(
        "NotificationConfigurationExist",
        f"The specified notificationConfiguration already exist for the scalingGroup: {arn!r}.",
    )


def notification_not_found(arn: str) -> ApiError:
    """Tell that a recipient is told of no event of a group."""
    return ApiError(
        "NotificationConfigurationNotExist",
        f"The specified notificationConfiguration not exist for the scalingGroup: {arn!r}.",
    )


def too_many_notifications(limit: int) -> ApiError:
    """Tell that a group has as many recipients as it can have."""
    return ApiError(
        "NotificationConfigurationQuotaExceed.ForScalingGroup",
        f"NotificationConfiguration num exceed for the specified scalingGroup: there can be {limit}.",
    )


def quota_exceeded(what: str, limit: int) -> ApiError:
    """Tell that there are too many things of a kind."""
    return ApiError(f"QuotaExceeded.{what}", f"There can be {limit} of {what} at most.")


def _not_found(kind: str, words: str, resource_id: str) -> ApiError:
    return ApiError(
        f"Invalid{kind}Id.NotFound",
        f"The specified {words} does not exist in this account: {resource_id!r}.",
        404,
    )
