from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.backends import Backends
from steelyard.localcloud.services.ess.hook_context import ALL, NONE, HookContext
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
from steelyard.localcloud.wire.error import ApiError, invalid_parameter

T = TypeVar("T")

_MAX_HOOKS = 6


class EssCore(EssState):
    """What the actions of the Auto Scaling service do with groups, and the reconciler that carries it out."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.backends = Backends(cloud)
        self.launcher = Launcher(self)
        self.passage = Passage(self, self.backends)
        self.reconciler = Reconciler(
            self, self.passage, self.launcher, on_delete=self.forget_group, timers=self.timers
        )

    def start(self) -> None:
        """Go on with what was under way."""
        self.reconciler.start()

    def stop(self) -> None:
        """Begin nothing any more."""
        self.reconciler.stop()

    def timers(self) -> Sequence[Callable[[], None]]:
        """Give what does what is due by the clock; each is called at each look of the reconciler."""
        return ()

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

    def scale_to(
        self, group: ScalingGroup, goal: int, cause: str, *, cooldown_s: int = 0, hooks: HookContext = ALL
    ) -> Activity:
        """Ask for another number of members; the reconciler brings it about.

        Args:
            group: The group, which is active.
            goal: The number; it is kept within the group's bounds.
            cause: Why, for the activity.
            cooldown_s: Seconds after the activity's end in which alarms change nothing.
            hooks: Which lifecycle hooks are asked.
        """
        goal = max(group.min_size, min(group.max_size, goal))
        activity = self.begin_activity(group, cause, f"Change the capacity to {goal}.", hooks=hooks)
        activity = replace(activity, goal=goal, cooldown_s=cooldown_s)
        self.activities.put(activity)
        if group.desired is not None:
            self.groups.put(replace(group, desired=goal))
        self.wake()
        return activity

    def take_in(
        self,
        group: ScalingGroup,
        instance_ids: Sequence[str],
        *,
        is_entrusted: bool = False,
        weights: Sequence[int] = (),
        hooks: HookContext = NONE,
        is_lenient: bool = False,
    ) -> Activity:
        """Make members of instances that are there already.

        Args:
            group: The group, which is active.
            instance_ids: The instances.
            is_entrusted: Whether the group releases them when they leave.
            weights: Their weights behind load balancers, in the same order; none for those of the server groups.
            hooks: Which lifecycle hooks are asked.
            is_lenient: Whether instances that cannot be taken in are passed over.

        Raises:
            ApiError: `InvalidInstanceId.NotFound`, `InvalidInstanceId.InUse`, `InvalidInstanceId.VPCMismatch`,
                `IncorrectInstanceStatus` or `IncorrectCapacity.MaxSize`.
        """
        if not is_lenient:
            self.check_growth(group, len(instance_ids))
        found, ignored = passing(instance_ids, lambda one: self._candidate(group, one), is_lenient=is_lenient)
        weights_of = self.weights_of(group)
        self.check_growth(group, sum(weights_of.get(one.instance_type, 1) for one in found))
        cause = "Instances were attached by a user."
        activity = self.begin_activity(group, cause, "Attach instances.", hooks=hooks)
        self.activities.put(replace(activity, created=tuple(one.id for one in found), ignored=ignored))
        weight_of = dict(zip(instance_ids, weights, strict=False))
        for instance in found:
            member = self.new_member(group, activity, instance)
            weight, is_weighed = weight_of.get(instance.id, member.weight), instance.id in weight_of
            member = replace(member, origin="Attached", is_entrusted=is_entrusted)
            self.members.put(replace(member, weight=weight, is_weighed=is_weighed))
        self.keep_up(group)
        return activity

    def keep_up(self, group: ScalingGroup) -> None:
        """Let no less be wanted of a group than it has by now, and let the reconciler look."""
        if group.desired is not None:
            self.groups.put(replace(group, desired=max(group.desired, self.capacity(group.id))))
        self.wake()

    def check_growth(self, group: ScalingGroup, more: int) -> None:
        """Check that a group may have so much more capacity."""
        capacity = self.capacity(group.id) + more
        if capacity > group.max_size:
            raise errors.incorrect_capacity("MaxSize", capacity, group.max_size)

    def _candidate(self, group: ScalingGroup, instance_id: str) -> Instance:
        """Give an instance that can be taken into a group."""
        instance = self.ecs.find_instance(instance_id)
        if instance is None:
            raise errors.instance_not_found(instance_id)
        if self.members.get(instance_id) is not None:
            raise errors.instance_in_use(instance_id)
        if instance.vpc_id != group.vpc_id:
            raise errors.different_vpc(instance_id)
        if instance.status != "Running":
            raise errors.incorrect_instance_status(instance_id, instance.status)
        return instance

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
        if group.id in self.busy_groups:
            self.busy_groups.remove(group.id)
            self.cloud.on_undo(lambda: self.busy_groups.add(group.id))


def passing(
    ids: Sequence[str], find: Callable[[str], T], *, is_lenient: bool
) -> tuple[list[T], tuple[str, ...]]:
    """Give what is found of some ids, and the ids that were passed over because it was refused.

    Raises:
        ApiError: As `find`, unless `is_lenient`.
    """
    found, ignored = list[T](), list[str]()
    for one in ids:
        try:
            found.append(find(one))
        except ApiError:
            if not is_lenient:
                raise
            ignored.append(one)
    return found, tuple(ignored)


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
