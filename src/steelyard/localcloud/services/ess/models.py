from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.text import utc_text

Settings = Mapping[str, object]

ACTIVE, INACTIVE, DELETING = "Active", "Inactive", "Deleting"

PENDING, PENDING_WAIT = "Pending", "Pending:Wait"
IN_SERVICE, PROTECTED, STANDBY = "InService", "Protected", "Standby"
REMOVING, REMOVING_WAIT = "Removing", "Removing:Wait"

COUNTED = (PENDING, PENDING_WAIT, IN_SERVICE, PROTECTED)
"""States of members that make up a group's capacity."""
SERVING = (IN_SERVICE, PROTECTED)
"""States of members that load balancers send traffic to."""

SCALE_OUT, SCALE_IN = "SCALE_OUT", "SCALE_IN"

GROWING, SHRINKING, CHECKING = "ScaleOut", "ScaleIn", "HealthCheck"
ALARMS, SCHEDULES = "AlarmNotification", "ScheduledAction"
PROCESSES = (SHRINKING, GROWING, CHECKING, ALARMS, SCHEDULES)
"""What a group does by itself and can be told not to."""


@dataclass(frozen=True, kw_only=True)
class ScalingGroup(Record):
    """A scaling group.

    Attributes:
        state: `Inactive`, `Active` or `Deleting`.
        settings: Its settings by the API's names.
        desired: The capacity that is wanted, which is the number of instances unless their types have weights; None
            where only the bounds are kept.
        server_groups: Where its members serve: `Type` (`CLB`, `VServerGroup`, `ALB` or `NLB`), `LoadBalancerId`,
            `ServerGroupId`, `Port`, `Weight`.
        configuration_id: The active scaling configuration, if any.
        cooldown_until: Unix time before which alarms change nothing.
        retry_at: Unix time before which no instance is made, after failures.
        num_failures: How often in a row no instance could be made.
        suspended: What it does not do by itself for now, of `PROCESSES`.
        surge: How many members there are to be beside those that are wanted, while they are refreshed.
    """

    kind: ClassVar[str] = "ess_scaling_group"

    region_id: str
    name: str
    vpc_id: str
    vswitch_ids: tuple[str, ...]
    state: str
    settings: Settings
    desired: int | None
    server_groups: tuple[Mapping[str, object], ...]
    configuration_id: str
    modified_at: float
    cooldown_until: float = 0.0
    retry_at: float = 0.0
    num_failures: int = 0
    suspended: tuple[str, ...] = ()
    surge: int = 0

    @property
    def min_size(self) -> int:
        """The least number of members."""
        return int(str(self.settings["MinSize"]))

    @property
    def max_size(self) -> int:
        """The greatest number of members."""
        return int(str(self.settings["MaxSize"]))

    def checks_by(self, method: str) -> bool:
        """Tell whether its members' health is looked at by a method: `ECS` or `LOAD_BALANCER`."""
        methods = self.settings.get("HealthCheckTypes") or [self.settings["HealthCheckType"]]
        assert isinstance(methods, list | tuple)
        return method in methods

    @property
    def has_template(self) -> bool:
        """Whether anything says how members are made."""
        return bool(self.configuration_id or self.settings.get("LaunchTemplateId"))

    def wanted(self, capacity: int) -> int:
        """Give the capacity that there should be.

        Args:
            capacity: What there is.
        """
        wish = capacity if self.desired is None else self.desired
        return max(self.min_size, min(self.max_size, wish)) + (0 if self.desired is None else self.surge)

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeScalingGroups, without those that count members."""
        return {
            **self.settings,
            "ScalingGroupId": self.id,
            "ScalingGroupName": self.name,
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "VSwitchId": self.vswitch_ids[0] if self.vswitch_ids else "",
            "VSwitchIds": list(self.vswitch_ids),
            "LifecycleState": self.state,
            "DesiredCapacity": self.desired,
            "EnableDesiredCapacity": self.desired is not None,
            "ActiveScalingConfigurationId": self.configuration_id,
            "CreationTime": utc_text(self.created_at),
            "ModificationTime": utc_text(self.modified_at),
            "SystemSuspended": False,
            # The Terraform provider reads this list whether it is there or not, and ends where it is not.
            "DBInstanceIds": [],
            "SuspendedProcesses": list(self.suspended),
            "Tags": [
                {"TagKey": key, "TagValue": value, "Propagate": True} for key, value in self.tags.items()
            ],
            **self._balancers(),
        }

    def _balancers(self) -> dict[str, object]:
        by_type: dict[str, list[Mapping[str, object]]] = {}
        for row in self.server_groups:
            by_type.setdefault(str(row["Type"]), []).append(row)
        vserver: dict[str, list[dict[str, object]]] = {}
        for row in by_type.get("VServerGroup", []):
            attributes = {
                "VServerGroupId": row["ServerGroupId"],
                "Port": row["Port"],
                "Weight": row["Weight"],
            }
            vserver.setdefault(str(row["LoadBalancerId"]), []).append(attributes)
        return {
            "LoadBalancerIds": [row["LoadBalancerId"] for row in by_type.get("CLB", [])],
            "VServerGroups": [
                {"LoadBalancerId": key, "VServerGroupAttributes": rows} for key, rows in vserver.items()
            ],
            "AlbServerGroups": [
                {"AlbServerGroupId": row["ServerGroupId"], "Port": row["Port"], "Weight": row["Weight"]}
                for row in by_type.get("ALB", [])
            ],
            "ServerGroups": [
                {key: row[key] for key in ("ServerGroupId", "Type", "Port", "Weight")}
                for row in (*by_type.get("ALB", []), *by_type.get("NLB", []))
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Member(Record):
    """An instance of a scaling group; its id is the instance's.

    Attributes:
        state: Its LifecycleState.
        origin: `AutoCreated` or `Attached`.
        is_healthy: Whether it is to stay; a member that is not is replaced.
        complaint: Why it is not healthy, in words; empty where it is.
        has_passed: Whether the load balancers' health checks have found it healthy since it serves.
        serves: Whether the load balancers were told of it.
        fate: What becomes of it once it has left: `release`, `detach` or `standby`.
        in_service_at: Unix time since which it serves; 0 where it does not yet.
        hooks_done: Whether the hooks of the transition that it is in have been asked.
        weight: Its weight behind classic load balancers that were given none.
        is_weighed: Whether that weight was given for it alone, and counts behind all load balancers.
        capacity: For how much of its group's capacity it counts: the `WeightedCapacity` of its instance type.
    """

    kind: ClassVar[str] = "ess_member"

    group_id: str
    activity_id: str
    state: str
    origin: str
    zone_id: str
    instance_type: str
    is_spot: bool
    configuration_id: str
    template_id: str
    template_version: str
    weight: int
    is_entrusted: bool
    is_healthy: bool = True
    complaint: str = ""
    has_passed: bool = False
    serves: bool = False
    fate: str = "release"
    in_service_at: float = 0.0
    hooks_done: bool = False
    is_weighed: bool = False
    capacity: int = 1

    def to_answer(self, private_address: str, spot_strategy: str) -> dict[str, object]:
        """Give the fields of DescribeScalingInstances."""
        return {
            "InstanceId": self.id,
            "ScalingInstanceId": f"asi-{self.id.removeprefix('i-')}",
            "ScalingGroupId": self.group_id,
            "ScalingConfigurationId": self.configuration_id,
            "ScalingActivityId": self.activity_id,
            "LaunchTemplateId": self.template_id,
            "LaunchTemplateVersion": self.template_version,
            "CreationType": self.origin,
            "CreationTime": utc_text(self.created_at)[:16] + "Z",
            "CreatedTime": utc_text(self.created_at),
            "HealthStatus": "Healthy" if self.is_healthy else "Unhealthy",
            "LifecycleState": self.state,
            "LoadBalancerWeight": self.weight,
            "WeightedCapacity": self.capacity,
            "Entrusted": self.is_entrusted,
            "WarmupState": "NoNeedWarmup",
            "PrivateIpAddress": private_address,
            "SpotStrategy": spot_strategy,
            "ZoneId": self.zone_id,
        }


def capacity_of(members: Iterable[Member]) -> int:
    """Give the capacity that members make up together."""
    return sum(member.capacity for member in members)


@dataclass(frozen=True, kw_only=True)
class Activity(Record):
    """A scaling activity.

    Attributes:
        status: `InProgress`, `Successful`, `Warning`, `Failed` or `Rejected`.
        created: Instances that it made or took in.
        destroyed: Instances that it released or let go.
        total: Members when it began.
        goal: Members that there are to be, until the activity is under way; None then, and where it has no such goal.
        cooldown_s: Seconds after its end in which alarms change nothing.
        asks_hooks: Whether its members wait at lifecycle hooks.
        ignored_hooks: Ids of hooks at which they do not.
        ignored: Instances that it was to be about and could not be.
        stop_s: How long its instances have to stop before they are released; 0 for what their group says.
    """

    kind: ClassVar[str] = "ess_activity"

    group_id: str
    status: str
    cause: str
    description: str
    total: int
    created: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()
    ended_at: float = 0.0
    error_code: str = ""
    error_message: str = ""
    goal: int | None = None
    cooldown_s: int = 0
    asks_hooks: bool = True
    ignored_hooks: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    stop_s: int = 0

    @property
    def detail(self) -> str:
        """Which instances it is about; the text's form is this cloud's own."""
        sides = (("new", self.created), ("removed", self.destroyed), ("ignored", self.ignored))
        return "; ".join(f"{word} ECS instances: {', '.join(ids)}" for word, ids in sides if ids)

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeScalingActivities."""
        is_over = self.status != "InProgress"
        return {
            "ScalingActivityId": self.id,
            "ScalingGroupId": self.group_id,
            "StatusCode": self.status,
            "StatusMessage": self.error_message,
            "ErrorCode": self.error_code or None,
            "ErrorMessage": self.error_message or None,
            "Cause": self.cause,
            "Description": self.description,
            "Detail": self.detail,
            "Progress": 100 if is_over else 0,
            "StartTime": utc_text(self.created_at),
            "EndTime": utc_text(self.ended_at) if is_over else "",
            "TotalCapacity": str(self.total),
            "CreatedCapacity": len(self.created),
            "CreatedInstances": list(self.created),
            "DestroyedCapacity": len(self.destroyed),
            "DestroyedInstances": list(self.destroyed),
            "ScalingInstanceNumber": len(self.created) + len(self.destroyed),
        }


@dataclass(frozen=True, kw_only=True)
class ScalingConfiguration(Record):
    """How a group's instances are made: `settings` by the names of CreateScalingConfiguration."""

    kind: ClassVar[str] = "ess_configuration"

    group_id: str
    name: str
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class LifecycleHook(Record):
    """A pause for members that come or go."""

    kind: ClassVar[str] = "ess_hook"

    group_id: str
    name: str
    transition: str
    heartbeat_timeout_s: int
    default_result: str
    is_enabled: bool
    notification_arn: str
    notification_metadata: str

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeLifecycleHooks."""
        return {
            "LifecycleHookId": self.id,
            "LifecycleHookName": self.name,
            "ScalingGroupId": self.group_id,
            "LifecycleTransition": self.transition,
            "HeartbeatTimeout": self.heartbeat_timeout_s,
            "DefaultResult": self.default_result,
            "LifecycleHookStatus": "Active" if self.is_enabled else "InActive",
            "NotificationArn": self.notification_arn,
            "NotificationMetadata": self.notification_metadata,
        }


@dataclass(frozen=True, kw_only=True)
class LifecycleAction(Record):
    """A member that waits at a hook; its id is the token.

    Attributes:
        status: `Pending`, `Completed` or `TimeOut`.
        result: `CONTINUE`, `ABANDON` or `ROLLBACK`; empty while it waits.
        expires_at: Unix time at which the hook's default result is taken.
    """

    kind: ClassVar[str] = "ess_lifecycle_action"

    hook_id: str
    group_id: str
    activity_id: str
    instance_id: str
    status: str
    result: str
    expires_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeLifecycleActions."""
        return {
            "LifecycleActionToken": self.id,
            "LifecycleHookId": self.hook_id,
            "LifecycleActionStatus": self.status,
            "LifecycleActionResult": self.result,
            "InstanceIds": [self.instance_id],
        }
