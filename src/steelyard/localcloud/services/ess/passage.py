"""The way of one member into a scaling group and out of it, a step at a time."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs.life import STOP_GRACE_S
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED, STOPPING, Instance
from steelyard.localcloud.services.ess.backends import Backends
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    CHECKING,
    DELETING,
    IN_SERVICE,
    PENDING,
    PENDING_WAIT,
    PROTECTED,
    REMOVING,
    REMOVING_WAIT,
    SCALE_IN,
    SCALE_OUT,
    SERVING,
    STANDBY,
    Activity,
    LifecycleAction,
    Member,
    ScalingGroup,
)
from steelyard.localcloud.services.ess.setting import FORCED
from steelyard.localcloud.services.ess.state import EssState
from steelyard.localcloud.wire.error import ApiError

_log = logging.getLogger(__name__)


class Passage:
    """Moves members one step at a time; each step is called inside of a transaction of its own.

    A member that is set aside stays in the load balancers with a weight of 0 (help page of EnterStandby). One that
    leaves is first taken out of them, then waits at the hooks, is stopped where it is to be released, and goes at last;
    hooks are not asked of an instance that does not run any more, since nobody is there to answer.

    Args:
        state: The service's records.
        backends: The load balancers' server groups.
    """

    def __init__(self, state: EssState, backends: Backends) -> None:
        self._state = state
        self._backends = backends

    def is_settled(self, group: ScalingGroup, member: Member, instance: Instance | None) -> bool:
        """Tell whether a member needs no step; it is asked without a transaction."""
        if member.state in SERVING:
            is_going = instance is not None and _is_wanted_back(group, member, instance)
            is_going = is_going or self._is_too_old(group, member)
            return not is_going and not self._is_lost(group, member, instance)
        if member.state == STANDBY:
            return instance is not None
        return member.state == PENDING and instance is not None and instance.status not in (RUNNING, STOPPED)

    def step(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        """Take a member's next step, if there is one.

        Raises:
            ApiError: A load balancer or the ECS service refuses it; nothing of the step is to be kept.
        """
        if member.state == PENDING:
            self._step_pending(group, member, instance)
        elif member.state == PENDING_WAIT:
            self._step_waiting(group, member, instance)
        elif member.state in SERVING:
            if self._is_lost(group, member, instance):
                self._replace(group, member, instance)
            elif instance is not None and _is_wanted_back(group, member, instance):
                self.exchange(
                    group,
                    [member],
                    f"The spot instance {member.id} is about to be reclaimed.",
                    f"Replace the spot instance {member.id}.",
                )
            elif self._is_too_old(group, member) and not self._state.is_busy(group.id):
                # One after the other, which is this cloud's own.
                self.exchange(
                    group,
                    [member],
                    f"The instance {member.id} has stood for as long as it may.",
                    f"Replace the instance {member.id}.",
                )
        elif member.state == STANDBY:
            if instance is None:
                self._state.members.delete(member.id)
        elif member.state == REMOVING:
            self._step_removing(group, member, instance)
        elif member.state == REMOVING_WAIT:
            self._step_leaving(group, member, instance)

    def leave(self, member: Member, activity: Activity, *, fate: str = "release") -> None:
        """Begin a member's way out.

        Args:
            member: The member.
            activity: What it goes by.
            fate: `release`, `detach` or `standby`; an instance that was taken in and not entrusted is let go, never
                released.
        """
        if fate == "release" and member.origin != "AutoCreated" and not member.is_entrusted:
            fate = "detach"
        self._forget_actions(member)
        self._state.members.put(
            replace(member, state=REMOVING, activity_id=activity.id, fate=fate, hooks_done=False)
        )

    def exchange(
        self, group: ScalingGroup, members: Sequence[Member], cause: str, description: str
    ) -> Activity:
        """Let members go and others come in their place, also where no number of members is wanted.

        Where a change waits to be carried out, such as another exchange, there are to be as many as that asks for.

        Args:
            group: The group.
            members: Who goes.
            cause: Why, for the activity.
            description: What is done, for the activity.
        """
        before = self._state.waiting_activity(group.id)
        goal = self._state.capacity(group.id) if before is None else before.goal
        activity = self._state.begin_activity(group, cause, description)
        gone = tuple(member.id for member in members)
        activity = replace(activity, destroyed=gone, goal=goal)
        self._state.activities.put(activity)
        for member in members:
            self.leave(member, activity)
        return activity

    def fail(self, member: Member, err: ApiError) -> None:
        """Give a member up that a step failed on, and tell its activity why."""
        activity = self._state.activities.get(member.activity_id)
        if activity is not None:
            failed = replace(activity, error_code=err.code, error_message=err.message)
            self._state.activities.put(failed)
            if member.state in (PENDING, PENDING_WAIT, *SERVING):
                self.leave(member, failed)
                self._state.put_off(member.group_id)
        _log.error("%s of %s: %s", member.id, member.group_id, err)

    def _is_lost(self, group: ScalingGroup, member: Member, instance: Instance | None) -> bool:
        if CHECKING in group.suspended:
            return False
        if instance is None or instance.vpc_id != group.vpc_id:
            return True
        if protects(member):
            return False
        if not member.is_healthy:
            return True
        return group.checks_by("ECS") and instance.status in (STOPPED, STOPPING)

    def _is_too_old(self, group: ScalingGroup, member: Member) -> bool:
        """Tell whether a member has stood for as long as it may (`MaxInstanceLifetime`), and another can be made."""
        lifetime_s = int(str(group.settings.get("MaxInstanceLifetime") or 0))
        is_held = not lifetime_s or protects(member) or group.state != ACTIVE or not group.has_template
        return not is_held and self._state.cloud.clock() - member.created_at > lifetime_s

    def _replace(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        why = "it is gone" if instance is None else member.complaint or f"it is {instance.status.lower()}"
        activity = self._state.begin_activity(
            group,
            f"A health check found the instance {member.id} unhealthy: {why}.",
            f"Remove the unhealthy instance {member.id}.",
        )
        self._state.activities.put(replace(activity, destroyed=(member.id,)))
        self.leave(replace(member, is_healthy=False), activity)

    def _step_pending(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        if instance is None or instance.status == STOPPED:
            self._lost_before_service(member)
        elif instance.status == RUNNING and not self._asks(group, member, SCALE_OUT, PENDING_WAIT):
            self._join(group, member)

    def _step_waiting(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        if instance is None or instance.status == STOPPED:
            self._lost_before_service(member)
            return
        result = self._verdict(member)
        if result == "CONTINUE":
            self._join(group, member)
        elif result is not None:
            self.fail(member, ApiError("LifecycleHook.Abandoned", f"A lifecycle hook ended with {result}."))

    def _lost_before_service(self, member: Member) -> None:
        self.fail(member, ApiError("InstanceNotRunning", f"{member.id} ended before it was in service."))

    def _join(self, group: ScalingGroup, member: Member) -> None:
        self._backends.add(group, member)
        self._state.members.put(
            replace(
                member,
                state=IN_SERVICE,
                serves=True,
                in_service_at=self._state.cloud.clock(),
                has_passed=False,
                hooks_done=False,
            )
        )
        _log.info("%s is in service in %s", member.id, group.id)

    def _step_removing(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        if member.serves and member.fate == "standby":
            self._backends.idle(group, member)
        elif member.serves:
            self._backends.remove(group, member.id)
            member = replace(member, serves=False)
            self._state.members.put(member)
        is_there = instance is not None and instance.status not in (STOPPED, STOPPING)
        if is_there and self._asks(group, member, SCALE_IN, REMOVING_WAIT):
            return
        self._go(member, instance)

    def _step_leaving(self, group: ScalingGroup, member: Member, instance: Instance | None) -> None:
        result = "CONTINUE" if instance is None or instance.status == STOPPED else self._verdict(member)
        if result == "ROLLBACK" and group.state == ACTIVE:
            self._take_back(group, member)
        elif result is not None:
            self._go(member, instance)

    def _take_back(self, group: ScalingGroup, member: Member) -> None:
        """Let a member that was about to leave serve again, as a hook wants it.

        What asked for fewer members is rejected with that (help page of CompleteLifecycleAction). That the wanted
        number goes back with it, so that the member is not asked to leave again, is this cloud's own.
        """
        self._backends.add(group, member)
        self._state.members.put(replace(member, state=IN_SERVICE, serves=True, hooks_done=False))
        activity = self._state.activities.get(member.activity_id)
        if activity is None:
            return
        message = f"A lifecycle hook rolled {member.id} back."
        self._state.activities.put(
            replace(activity, error_code="LifecycleHook.RolledBack", error_message=message)
        )
        if group.desired is not None and member.is_healthy and not activity.created:
            capacity = min(group.max_size, self._state.capacity(group.id))
            self._state.groups.put(replace(group, desired=max(group.desired, capacity)))

    def _go(self, member: Member, instance: Instance | None) -> None:
        self._forget_actions(member)
        if member.fate == "standby" and instance is not None:
            self._state.members.put(replace(member, state=STANDBY, hooks_done=False))
            return
        if self._is_stopping(member, instance):
            return
        self._state.members.delete(member.id)
        if instance is not None and _goes_along(member, instance):
            self._release(instance)
        _log.info("%s has left %s", member.id, member.group_id)

    def _is_stopping(self, member: Member, instance: Instance | None) -> bool:
        """Stop an instance before it is released, unless it goes by force; tell whether that is under way.

        What does not end within the `StopInstanceTimeout` of the call or the group is killed; without that setting it
        has the time of a StopInstance.
        """
        group = self._state.groups.get(member.group_id)
        if instance is None or group is None or group.state == DELETING:
            return False
        if instance.is_released or not _goes_along(member, instance):
            return False
        if instance.status == RUNNING and group.settings["ScalingPolicy"] not in FORCED:
            activity = self._state.activities.get(member.activity_id)
            own_s = 0 if activity is None else activity.stop_s
            grace_s = float(str(own_s or group.settings["StopInstanceTimeout"] or STOP_GRACE_S))
            self._state.ecs.begin_stop(instance, grace_s=grace_s)
            self._state.members.put(replace(member, state=REMOVING, hooks_done=True))
            return True
        return instance.status == STOPPING

    def _release(self, instance: Instance) -> None:
        request = Request(
            action="DeleteInstance",
            params={"InstanceId": instance.id, "Force": True},
            region_id=instance.region_id,
            dry_run=False,
            request_id="",
            caller=self._state.cloud.identity.root_key(),
        )
        self._state.ecs.delete_instance(request)

    def _asks(self, group: ScalingGroup, member: Member, transition: str, waiting: str) -> bool:
        """Let a member wait at the hooks of a transition; tell whether there is one that was not asked yet."""
        activity = self._state.activities.get(member.activity_id)
        if activity is not None and not activity.asks_hooks:
            return False
        ignored = () if activity is None else activity.ignored_hooks
        hooks = [
            hook
            for hook in self._state.hooks_of(group.id)
            if hook.transition == transition and hook.is_enabled and hook.id not in ignored
        ]
        if member.hooks_done or not hooks:
            return False
        now = self._state.cloud.clock()
        for hook in hooks:
            self._state.lifecycle_actions.put(
                LifecycleAction(
                    id=str(uuid.uuid4()).upper(),
                    created_at=now,
                    hook_id=hook.id,
                    group_id=group.id,
                    activity_id=member.activity_id,
                    instance_id=member.id,
                    status="Pending",
                    result="",
                    expires_at=now + hook.heartbeat_timeout_s,
                )
            )
        self._state.members.put(replace(member, state=waiting, hooks_done=True))
        return True

    def _verdict(self, member: Member) -> str | None:
        """Give what the hooks say of a member once none is left to wait for; the first refusal counts at once."""
        waiting = False
        for action in self._actions_of(member):
            result = action.result
            if action.status == "Pending":
                if action.expires_at > self._state.cloud.clock():
                    waiting = True
                    continue
                hook = self._state.hooks.get(action.hook_id)
                result = hook.default_result if hook is not None else "CONTINUE"
                self._state.lifecycle_actions.put(replace(action, status="TimeOut", result=result))
            if result != "CONTINUE":
                return result
        return None if waiting else "CONTINUE"

    def _actions_of(self, member: Member) -> list[LifecycleAction]:
        return [
            action
            for action in self._state.lifecycle_actions.where("group_id", member.group_id)
            if action.instance_id == member.id and action.activity_id == member.activity_id
        ]

    def _forget_actions(self, member: Member) -> None:
        """End what a member still waits for: its way has taken another turn."""
        for action in self._actions_of(member):
            if action.status == "Pending":
                ended = replace(action, status="Completed", result="ABANDON")
                self._state.lifecycle_actions.put(ended)


def _goes_along(member: Member, instance: Instance) -> bool:
    """Tell whether an instance is released with its member; one that is protected or paid in advance is not."""
    is_kept = instance.has_deletion_protection or instance.charge_type == "PrePaid"
    return member.fate == "release" and not is_kept


def _is_wanted_back(group: ScalingGroup, member: Member, instance: Instance) -> bool:
    """Tell whether an instance is about to be reclaimed, and its group makes good for that (`SpotInstanceRemedy`)."""
    makes_good = bool(group.settings["SpotInstanceRemedy"]) and not protects(member)
    return makes_good and bool(instance.reclaim_at)


def protects(member: Member) -> bool:
    """Tell whether a member is kept, whatever becomes of it: its group does not shrink by it, nor looks at its health.

    Source: help pages of SetInstancesProtection and SetInstanceHealth.
    """
    return member.state == PROTECTED
