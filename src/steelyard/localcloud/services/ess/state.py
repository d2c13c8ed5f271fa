from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.hook_context import ALL, HookContext
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    COUNTED,
    DELETING,
    PENDING,
    Activity,
    LifecycleAction,
    LifecycleHook,
    Member,
    ScalingConfiguration,
    ScalingGroup,
    capacity_of,
)
from steelyard.localcloud.services.ess.refresh import UNDER_WAY, InstanceRefresh
from steelyard.localcloud.services.ess.setting import read_weights
from steelyard.localcloud.services.vpc.state import VpcState

_MAX_ACTIVITIES = 1000
_MAX_ACTIONS = 2000
_FIRST_RETRY_S, _LAST_RETRY_S, _MAX_FAILURES = 1.0, 60.0, 10


class EssState(Service):
    """What the parts of the Auto Scaling service share: its records, and what is looked up in them."""

    code, version = "ess", "2022-02-22"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.groups = Records(cloud.store, ScalingGroup)
        self.members = Records(cloud.store, Member)
        self.activities = Records(cloud.store, Activity, on_change=self.activity_changed)
        self.configurations = Records(cloud.store, ScalingConfiguration)
        self.hooks = Records(cloud.store, LifecycleHook)
        self.refreshes = Records(cloud.store, InstanceRefresh)
        self.lifecycle_actions = Records(cloud.store, LifecycleAction)
        # Groups of which an activity may be in progress; after a start that may be any.
        self.busy_groups = {group.id for group in self.groups.list()}

    @property
    def ecs(self) -> EcsService:
        """The ECS service."""
        return self.cloud.service(EcsService)

    @property
    def vpc(self) -> VpcState:
        """The VPC service."""
        return self.cloud.service(VpcState)

    @property
    def hour(self) -> int:
        """Hours since 1970, by which the price of spot instances goes."""
        return int(self.cloud.clock()) // 3600

    def with_owner(self, request: Request) -> Request:
        """Give a call on a hook or an activity with its scaling group."""
        hook = self.hooks.get(request.text("LifecycleHookId"))
        activity = self.activities.get(request.text("ScalingActivityId"))
        owner = hook.group_id if hook else activity.group_id if activity else ""
        return request.with_params({"ScalingGroupId": owner}) if owner else request

    def group(self, request: Request, name: str = "ScalingGroupId") -> ScalingGroup:
        """Give the scaling group that a call names.

        Raises:
            ApiError: `InvalidScalingGroupId.NotFound`.
        """
        group = self.groups.get(request.text(name))
        if group is None:
            raise errors.group_not_found(request.text(name))
        return group

    def standing_group(self, request: Request) -> ScalingGroup:
        """Give the scaling group that a call names, and that is not about to go.

        Raises:
            ApiError: `InvalidScalingGroupId.NotFound` or `IncorrectScalingGroupStatus`.
        """
        group = self.group(request)
        if group.state == DELETING:
            raise errors.incorrect_group_status(group.state, request.action)
        return group

    def active_group(self, request: Request) -> ScalingGroup:
        """Give the scaling group that a call names, and that is enabled.

        Raises:
            ApiError: `InvalidScalingGroupId.NotFound` or `IncorrectScalingGroupStatus`.
        """
        group = self.group(request)
        if group.state != ACTIVE:
            raise errors.incorrect_group_status(group.state, request.action)
        return group

    def members_of(self, group_id: str) -> list[Member]:
        """Give a group's members, the first to come first."""
        return list(self.members.where("group_id", group_id))

    def capacity(self, group_id: str) -> int:
        """Give a group's capacity."""
        return capacity_of(member for member in self.members_of(group_id) if member.state in COUNTED)

    def weights_of(self, group: ScalingGroup) -> dict[str, int]:
        """Give for how much of a group's capacity an instance of each type counts; 1 for those that are not named."""
        if group.settings.get("LaunchTemplateId"):
            return read_weights(group.settings.get("LaunchTemplateOverrides"))
        configuration = self.configurations.get(group.configuration_id)
        return (
            {} if configuration is None else read_weights(configuration.settings.get("InstanceTypeOverrides"))
        )

    def hooks_of(self, group_id: str) -> list[LifecycleHook]:
        """Give a group's lifecycle hooks."""
        return list(self.hooks.where("group_id", group_id))

    def refresh_of(self, group_id: str, states: Collection[str] = UNDER_WAY) -> InstanceRefresh | None:
        """Give the refresh of a group's instances that is in one of some states, if any."""
        found = (one for one in self.refreshes.where("group_id", group_id) if one.status in states)
        return next(found, None)

    def begin_activity(
        self,
        group: ScalingGroup,
        cause: str,
        description: str,
        *,
        status: str = "InProgress",
        hooks: HookContext = ALL,
    ) -> Activity:
        """Keep a new activity of a group; the last 1000 of all groups are kept."""
        now = self.cloud.clock()
        activity = Activity(
            id=self.cloud.new_id("asa"),
            created_at=now,
            group_id=group.id,
            status=status,
            cause=cause,
            description=description,
            total=self.capacity(group.id),
            ended_at=0.0 if status == "InProgress" else now,
            asks_hooks=not hooks.is_off,
            ignored_hooks=hooks.ignored,
        )
        self.activities.put(activity)
        self.busy_groups.add(group.id)
        self.cloud.store.trim(Activity.kind, _MAX_ACTIVITIES)
        self.cloud.store.trim(LifecycleAction.kind, _MAX_ACTIONS)
        return activity

    def activity_changed(self, activity_id: str) -> None:
        """Take note of an activity that begins, goes on or ends, in the transaction that changes it."""

    def new_member(self, group: ScalingGroup, activity: Activity, instance: Instance) -> Member:
        """Give the record of an instance that comes to a group, made by the group unless somebody says otherwise."""
        return Member(
            id=instance.id,
            created_at=self.cloud.clock(),
            group_id=group.id,
            activity_id=activity.id,
            state=PENDING,
            origin="AutoCreated",
            zone_id=instance.zone_id,
            instance_type=instance.instance_type,
            is_spot=instance.spot_strategy != "NoSpot",
            configuration_id="",
            template_id="",
            template_version="",
            weight=50,
            is_entrusted=False,
            capacity=self.weights_of(group).get(instance.instance_type, 1),
        )

    def put_off(self, group_id: str) -> float:
        """Let a group make no instance for a while, longer after each failure in a row; give the seconds."""
        group = self.groups.get(group_id)
        if group is None:
            return 0.0
        wait_s = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2**group.num_failures)
        num_failures = min(group.num_failures + 1, _MAX_FAILURES)
        retry_at = self.cloud.clock() + wait_s
        self.groups.put(replace(group, num_failures=num_failures, retry_at=retry_at))
        return wait_s

    def waiting_activity(self, group_id: str) -> Activity | None:
        """Give the first of a group's activities that is not under way yet, if any; inside of a transaction."""
        waiting = (one for one in self.open_activities(group_id) if one.goal is not None)
        return next(waiting, None)

    def is_busy(self, group_id: str) -> bool:
        """Tell whether an activity of a group is in progress."""
        return bool(self.open_activities(group_id))

    def open_activities(self, group_id: str) -> list[Activity]:
        """Give a group's activities that are in progress, the first one first; inside of a transaction.

        The history is read where something may be in progress alone: it is long, and asked for again and again.
        """
        if group_id not in self.busy_groups:
            return []
        found = [one for one in self.activities.where("group_id", group_id) if one.status == "InProgress"]
        if not found:
            self.busy_groups.discard(group_id)
        return found
