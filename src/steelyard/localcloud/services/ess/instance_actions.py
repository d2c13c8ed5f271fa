from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore, passing
from steelyard.localcloud.services.ess.hook_context import ALL, NONE, HookContext, read_hook_context
from steelyard.localcloud.services.ess.models import (
    IN_SERVICE,
    PROTECTED,
    SERVING,
    STANDBY,
    Member,
    ScalingGroup,
    capacity_of,
)
from steelyard.localcloud.services.ess.setting import GROUP
from steelyard.localcloud.setting import checked
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

_WORD = re.compile(r"[\w-]+")


class InstanceActions(EssCore):
    """A group's members and its activities."""

    @action("AttachInstances")
    def attach_instances(self, request: Request) -> dict[str, object]:
        """Take running instances in; hooks are asked of them with `LifecycleHook` alone."""
        group, ids = self.active_group(request), _ids(request)
        activity = self.take_in(
            group,
            ids,
            is_entrusted=request.flag("Entrusted"),
            weights=read_weights(request, ids),
            hooks=ALL if request.flag("LifecycleHook") else NONE,
            is_lenient=request.flag("IgnoreInvalidInstance"),
        )
        return {"ScalingActivityId": activity.id}

    @action("DetachInstances")
    def detach_instances(self, request: Request) -> dict[str, object]:
        """Let members go, which stay as instances; hooks are asked of them with `LifecycleHook` alone."""
        hooks = ALL if request.flag("LifecycleHook") else NONE
        return self._remove(request, "detach", "Detach instances.", hooks)

    @action("RemoveInstances")
    def remove_instances(self, request: Request) -> dict[str, object]:
        """Let members go and release those that the group made, or that it was entrusted with."""
        return self._remove(request, "release", "Remove instances.", read_hook_context(request))

    @action("DescribeScalingInstances")
    def describe_scaling_instances(self, request: Request) -> dict[str, object]:
        """List members by group, ids, state, health and origin."""
        if request.text("ScalingGroupId"):
            self.group(request)
        ids = request.texts("InstanceIds")
        states = [one for one in (request.text("LifecycleState"), *request.texts("LifecycleStates")) if one]
        origins = [one for one in (request.text("CreationType"), *request.texts("CreationTypes")) if one]
        healths = {"Healthy": True, "Unhealthy": False}
        health = healths.get(request.text("HealthStatus"))
        found = [
            member
            for member in self.members.list()
            if request.text("ScalingGroupId") in ("", member.group_id)
            and (not ids or member.id in ids)
            and (not states or member.state in states)
            and (not origins or member.origin in origins)
            and health in (None, member.is_healthy)
            and request.text("ScalingConfigurationId") in ("", member.configuration_id)
            and request.text("ScalingActivityId") in ("", member.activity_id)
        ]
        page, head = number_page(request, found)
        num_spot = sum(member.is_spot for member in found)
        return {
            **head,
            "ScalingInstances": [self._member_answer(member) for member in page],
            "TotalSpotCount": num_spot,
        }

    @action("SetInstanceHealth")
    def set_instance_health(self, request: Request) -> dict[str, object]:
        """Say of a member whether it is healthy; one that is not is replaced."""
        status = request.text("HealthStatus")
        if status not in ("Healthy", "Unhealthy"):
            raise invalid_parameter("HealthStatus", status, "Healthy or Unhealthy")
        member = self.members.get(request.text("InstanceId"))
        if member is None:
            raise errors.instance_not_found(request.text("InstanceId"))
        complaint = "" if status == "Healthy" else "a user said so"
        self.members.put(replace(member, is_healthy=not complaint, complaint=complaint))
        self.wake()
        return {}

    @action("SetInstancesProtection")
    def set_instances_protection(self, request: Request) -> dict[str, object]:
        """Keep members when the group shrinks, or no longer."""
        group = self.standing_group(request)
        state = PROTECTED if request.flag("ProtectedFromScaleIn") else IN_SERVICE
        for member in [self._named(group, one, SERVING) for one in _ids(request)]:
            self.members.put(replace(member, state=state))
        return {}

    @action("ModifyInstanceAttribute")
    def modify_instance_attribute(self, request: Request) -> dict[str, object]:
        """Entrust a group with members that were taken in, or no longer: those it releases when they leave."""
        group = self.standing_group(request)
        named = [one for one in (request.text("InstanceId"), *request.texts("InstanceIds")) if one]
        if not named:
            raise missing_parameter("InstanceIds")
        is_entrusted = request.flag("Entrusted")
        for member in [self._named(group, one, (*SERVING, STANDBY)) for one in named]:
            if member.origin != "Attached":
                raise invalid_parameter("InstanceIds", member.id, "an instance that was attached by a user")
            self.members.put(replace(member, is_entrusted=is_entrusted))
        return {}

    @action("EnterStandby")
    def enter_standby(self, request: Request) -> dict[str, object]:
        """Set members aside: they have a weight of 0 in load balancers, and make up no capacity."""
        return self._remove(request, "standby", "Set instances aside.", NONE)

    @action("ExitStandby")
    def exit_standby(self, request: Request) -> dict[str, object]:
        """Take members back that were set aside."""
        group = self.active_group(request)
        members = [self._named(group, one, (STANDBY,)) for one in _ids(request)]
        self.check_growth(group, capacity_of(members))
        activity = self.begin_activity(group, "Instances were taken back by a user.", "Exit standby.")
        self.activities.put(replace(activity, created=tuple(member.id for member in members)))
        for member in members:
            self.backends.resume(group, member)
            now = self.cloud.clock()
            back = replace(member, state=IN_SERVICE, serves=True, in_service_at=now, has_passed=False)
            self.members.put(replace(back, activity_id=activity.id))
        self.keep_up(group)
        return {"ScalingActivityId": activity.id}

    @action("DescribeScalingActivities")
    def describe_scaling_activities(self, request: Request) -> dict[str, object]:
        """List activities by group, ids, status and instance refresh, the newest first."""
        ids = request.texts("ScalingActivityIds")
        found = [
            activity
            for activity in reversed(self.activities.list())
            if request.text("ScalingGroupId") in ("", activity.group_id)
            and (not ids or activity.id in ids)
            and request.text("StatusCode") in ("", activity.status)
            and request.text("InstanceRefreshTaskId") in ("", *_WORD.findall(activity.cause))
        ]
        page, head = number_page(request, found)
        return {**head, "ScalingActivities": [activity.to_answer() for activity in page]}

    @action("DescribeScalingActivityDetail")
    def describe_scaling_activity_detail(self, request: Request) -> dict[str, object]:
        """Tell which instances an activity is about."""
        activity = self.activities.get(request.text("ScalingActivityId"))
        if activity is None:
            raise errors.activity_not_found(request.text("ScalingActivityId"))
        return {"ScalingActivityId": activity.id, "Detail": activity.detail}

    def _remove(self, request: Request, fate: str, description: str, hooks: HookContext) -> dict[str, object]:
        group = self.active_group(request)
        members, ignored = passing(
            _ids(request),
            lambda one: self._named(group, one, (*SERVING, STANDBY)),
            is_lenient=request.flag("IgnoreInvalidInstance"),
        )
        leaving = capacity_of(member for member in members if member.state in SERVING)
        left = self.capacity(group.id) - leaving
        is_smaller = request.flag("DecreaseDesiredCapacity", True) or fate == "standby"
        if is_smaller and left < group.min_size:
            raise errors.incorrect_capacity("MinSize", left, group.min_size)
        cause = "Instances were removed by a user."
        activity = self.begin_activity(group, cause, description, hooks=hooks)
        gone = tuple(member.id for member in members)
        stop_s = _read_stop_timeout(request)
        self.activities.put(replace(activity, destroyed=gone, ignored=ignored, stop_s=stop_s))
        for member in members:
            self.passage.leave(member, activity, fate=fate)
        if group.desired is not None and is_smaller:
            self.groups.put(replace(group, desired=max(group.min_size, group.desired - leaving)))
        self.wake()
        return {"ScalingActivityId": activity.id}

    def _named(self, group: ScalingGroup, instance_id: str, states: Sequence[str]) -> Member:
        """Give a member of a group that is in one of some states."""
        member = self.members.get(instance_id)
        if member is None or member.group_id != group.id:
            raise errors.instance_not_found(instance_id)
        if member.state not in states:
            raise errors.incorrect_instance_status(instance_id, member.state)
        return member

    def _member_answer(self, member: Member) -> dict[str, object]:
        instance = self.ecs.find_instance(member.id)
        if instance is None:
            return member.to_answer("", "NoSpot")
        return member.to_answer(instance.private_address, instance.spot_strategy)


def _ids(request: Request) -> list[str]:
    """Read the instances that a call names, each once."""
    ids = list(dict.fromkeys(request.texts("InstanceIds")))
    if not ids:
        raise missing_parameter("InstanceIds")
    if len(ids) > 20:
        raise invalid_parameter("InstanceIds", f"{len(ids)} ids", "at most 20 ids in a call")
    return ids


def read_weights(request: Request, ids: Sequence[str]) -> list[int]:
    """Read the weights of instances that are taken in; none where the call names none.

    Raises:
        ApiError: `InvalidParameter` for a weight out of range, or for another number of weights than of instances.
    """
    weights = request.params.get("LoadBalancerWeights") or []
    assert isinstance(weights, list)
    if weights and len(weights) != len(ids):
        raise invalid_parameter("LoadBalancerWeights", weights, f"one for each of {len(ids)} instances")
    for weight in weights:
        if not isinstance(weight, int) or not 0 <= weight <= 100:
            raise invalid_parameter("LoadBalancerWeights", weight, "from 0 to 100")
    return weights


def _read_stop_timeout(request: Request) -> int:
    """Read how long the instances of a call have to stop; 0 where it says nothing.

    Raises:
        ApiError: `InvalidParameter`.
    """
    given = checked({"StopInstanceTimeout": GROUP["StopInstanceTimeout"]}, request.params)
    return int(str(given.get("StopInstanceTimeout", 0)))
