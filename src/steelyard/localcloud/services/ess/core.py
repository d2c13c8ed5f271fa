from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.backends import Backends
from steelyard.localcloud.services.ess.launching import Launcher
from steelyard.localcloud.services.ess.models import (
    SCALE_IN,
    SCALE_OUT,
    Activity,
    LifecycleHook,
    ScalingConfiguration,
    ScalingGroup,
)
from steelyard.localcloud.services.ess.passage import Passage
from steelyard.localcloud.services.ess.reconciler import Reconciler
from steelyard.localcloud.services.ess.state import EssState
from steelyard.localcloud.wire.error import invalid_parameter

_MAX_HOOKS = 6


class EssCore(EssState):
    """What the actions of the Auto Scaling service do with groups, and the reconciler that carries it out."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.backends = Backends(cloud)
        self.launcher = Launcher(self)
        self.passage = Passage(self, self.backends)
        self.reconciler = Reconciler(
            self, self.passage, self.launcher, on_delete=self.forget_group, timers=(self.run_timers,)
        )

    def start(self) -> None:
        """Go on with what was under way."""
        self.reconciler.start()

    def stop(self) -> None:
        """Begin nothing any more."""
        self.reconciler.stop()

    def run_timers(self) -> None:
        """Do what is due by the clock; it is called at each look of the reconciler."""

    def wake(self) -> None:
        """Let the reconciler look at once, when the change at hand is kept."""
        self.cloud.after_commit(self.reconciler.wake)

    def configuration_of(self, group: ScalingGroup, configuration_id: str) -> ScalingConfiguration:
        """Give a scaling configuration of a group.

        Raises:
            ApiError: `InvalidScalingConfigurationId.NotFound`.
        """
        configuration = self.configurations.get(configuration_id)
        if configuration is None or configuration.group_id != group.id:
            raise errors.configuration_not_found(configuration_id)
        return configuration

    def scale_to(self, group: ScalingGroup, goal: int, cause: str, *, cooldown_s: int = 0) -> Activity:
        """Ask for another number of members; the reconciler brings it about.

        Args:
            group: The group, which is active.
            goal: The number; it is kept within the group's bounds.
            cause: Why, for the activity.
            cooldown_s: Seconds after the activity's end in which alarms change nothing.
        """
        goal = max(group.min_size, min(group.max_size, goal))
        activity = self.begin_activity(group, cause, f"Change the capacity to {goal}.")
        activity = replace(activity, goal=goal, cooldown_s=cooldown_s)
        self.activities.put(activity)
        if group.desired is not None:
            self.groups.put(replace(group, desired=goal))
        self.wake()
        return activity

    def take_in(self, group: ScalingGroup, instance_ids: list[str], *, is_entrusted: bool) -> Activity:
        """Make members of instances that are there already.

        Raises:
            ApiError: `InvalidInstanceId.NotFound`, `InvalidInstanceId.InUse`, `InvalidInstanceId.VPCMismatch`,
                `IncorrectInstanceStatus` or `IncorrectCapacity.MaxSize`.
        """
        num_counted = self.num_counted(group.id)
        if num_counted + len(instance_ids) > group.max_size:
            raise errors.incorrect_capacity("MaxSize", num_counted + len(instance_ids), group.max_size)
        activity = self.begin_activity(group, "Instances were attached by a user.", "Attach instances.")
        self.activities.put(replace(activity, created=tuple(instance_ids)))
        for instance_id in instance_ids:
            instance = self.ecs.find_instance(instance_id)
            if instance is None:
                raise errors.instance_not_found(instance_id)
            if self.members.get(instance_id) is not None:
                raise errors.instance_in_use(instance_id)
            if instance.vpc_id != group.vpc_id:
                raise errors.different_vpc(instance_id)
            if instance.status != "Running":
                raise errors.incorrect_instance_status(instance_id, instance.status)
            member = self.new_member(group, activity, instance)
            self.members.put(replace(member, origin="Attached", is_entrusted=is_entrusted))
        if group.desired is not None:
            self.groups.put(replace(group, desired=max(group.desired, num_counted + len(instance_ids))))
        self.wake()
        return activity

    def make_hook(self, group: ScalingGroup, given: Mapping[str, object]) -> LifecycleHook:
        """Make a lifecycle hook of a group.

        Raises:
            ApiError: `InvalidParameter`, a name that is taken, or too many hooks.
        """
        hooks = self.hooks_of(group.id)
        if len(hooks) >= _MAX_HOOKS:
            raise errors.quota_exceeded("LifecycleHook", _MAX_HOOKS)
        hook_id = self.cloud.new_id("ash")
        hook = LifecycleHook(
            id=hook_id,
            created_at=self.cloud.clock(),
            group_id=group.id,
            name=str(given.get("LifecycleHookName") or hook_id),
            transition="",
            heartbeat_timeout_s=600,
            default_result="CONTINUE",
            is_enabled=True,
            notification_arn="",
            notification_metadata="",
        )
        if any(one.name == hook.name for one in hooks):
            raise errors.name_duplicated("LifecycleHook", hook.name)
        hook = changed_hook(hook, given)
        self.hooks.put(hook)
        return hook

    def forget_group(self, group: ScalingGroup) -> None:
        """Remove a group that has no members, and all that is its own; its activities stay as history."""
        for hook in self.hooks_of(group.id):
            self.hooks.delete(hook.id)
        for configuration in self.configurations.list():
            if configuration.group_id == group.id:
                self.configurations.delete(configuration.id)
        self.groups.delete(group.id)
        self.busy_groups.discard(group.id)


def changed_hook(hook: LifecycleHook, given: Mapping[str, object]) -> LifecycleHook:
    """Give a hook with what a call says of it.

    Raises:
        ApiError: `InvalidParameter`.
    """

    def choice(name: str, before: str, choices: tuple[str, ...]) -> str:
        value = str(given.get(name) or before)
        if value not in choices:
            raise invalid_parameter(name, value, f"one of {', '.join(choices)}")
        return value

    timeout_s = given.get("HeartbeatTimeout") or hook.heartbeat_timeout_s
    if not isinstance(timeout_s, int) or not 30 <= timeout_s <= 21600:
        raise invalid_parameter("HeartbeatTimeout", timeout_s, "from 30 to 21600")
    status = choice(
        "LifecycleHookStatus", "Active" if hook.is_enabled else "InActive", ("Active", "InActive")
    )
    return replace(
        hook,
        transition=choice("LifecycleTransition", hook.transition, (SCALE_OUT, SCALE_IN)),
        heartbeat_timeout_s=timeout_s,
        default_result=choice("DefaultResult", hook.default_result, ("CONTINUE", "ABANDON", "ROLLBACK")),
        is_enabled=status == "Active",
        notification_arn=str(given.get("NotificationArn") or hook.notification_arn),
        notification_metadata=str(given.get("NotificationMetadata") or hook.notification_metadata),
    )
