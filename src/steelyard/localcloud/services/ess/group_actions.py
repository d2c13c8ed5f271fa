from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs.state import read_json_texts
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.attachment_actions import AttachmentActions, read_balancers, read_rows
from steelyard.localcloud.services.ess.instance_actions import read_weights
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    COUNTED,
    DELETING,
    IN_SERVICE,
    INACTIVE,
    PENDING,
    PENDING_WAIT,
    PROTECTED,
    REMOVING,
    REMOVING_WAIT,
    STANDBY,
    ScalingGroup,
    capacity_of,
)
from steelyard.localcloud.services.ess.setting import read_group
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter

MAX_GROUPS = 200


class GroupActions(AttachmentActions):
    """Scaling groups: made, changed, enabled, disabled, deleted."""

    @action("CreateScalingGroup")
    def create_scaling_group(self, request: Request) -> dict[str, object]:
        """Create a group, which makes no instance before it is enabled."""
        if len(self.groups.list()) >= MAX_GROUPS:
            raise errors.quota_exceeded("ScalingGroup", MAX_GROUPS)
        settings = read_group(request.params)
        vswitch_ids, vpc_id = self._read_vswitches(request)
        now = self.cloud.clock()
        group = ScalingGroup(
            id=self.cloud.new_id("asg"),
            created_at=now,
            tags=read_tags(request, "Tags"),
            region_id=request.region_id,
            name="",
            vpc_id=vpc_id,
            vswitch_ids=vswitch_ids,
            state=INACTIVE,
            settings=settings,
            desired=_read_desired(request, settings, None),
            server_groups=(),
            configuration_id="",
            modified_at=now,
        )
        group = replace(
            group,
            name=self._read_name(request, group, group.id),
            server_groups=self._read_server_groups(request),
        )
        if settings["LaunchTemplateId"]:
            self.launcher.template(group)
        self.groups.put(group)
        for hook in request.records("LifecycleHooks"):
            self.make_hook(group, hook)
        return {"ScalingGroupId": group.id}

    @action("DescribeScalingGroups")
    def describe_scaling_groups(self, request: Request) -> dict[str, object]:
        """List groups by ids, names, tags, kind and resource group."""
        ids, tags = request.texts("ScalingGroupIds"), read_tags(request, "Tags")
        names = [
            name for name in (request.text("ScalingGroupName"), *request.texts("ScalingGroupNames")) if name
        ]
        found = [
            group
            for group in self.groups.list()
            if group.region_id == request.region_id
            and (not ids or group.id in ids)
            and (not names or group.name in names)
            and has_tags(group.tags, tags)
            and request.text("GroupType") in ("", group.settings["GroupType"])
            and request.text("ResourceGroupId") in ("", group.settings["ResourceGroupId"])
        ]
        page, head = number_page(request, found)
        return {**head, "ScalingGroups": [self._group_answer(group) for group in page]}

    @action("DescribeScalingGroupDetail")
    def describe_scaling_group_detail(self, request: Request) -> dict[str, object]:
        """Give one group; it has no text in another format, which groups of containers alone have."""
        return {"ScalingGroup": self._group_answer(self.group(request)), "Output": ""}

    @action("ModifyScalingGroup")
    def modify_scaling_group(self, request: Request) -> dict[str, object]:
        """Change a group's settings; the number of its instances follows by itself."""
        group = self.standing_group(request)
        settings = read_group(request.params, group.settings)
        vswitch_ids = group.vswitch_ids
        if request.texts("VSwitchIds"):
            vswitch_ids, vpc_id = self._read_vswitches(request)
            if vpc_id != group.vpc_id:
                raise invalid_parameter(
                    "VSwitchIds", list(vswitch_ids), f"in the group's VPC, {group.vpc_id}"
                )
        configuration_id = request.text("ActiveScalingConfigurationId")
        if configuration_id:
            self.configuration_of(group, configuration_id)
            settings = {**settings, "LaunchTemplateId": "", "LaunchTemplateVersion": ""}
        elif request.text("LaunchTemplateId"):
            configuration_id = ""
        else:
            configuration_id = group.configuration_id
        changed = replace(
            group,
            name=self._read_name(request, group, group.name),
            vswitch_ids=vswitch_ids,
            settings=settings,
            desired=_read_desired(request, settings, group.desired),
            configuration_id=configuration_id,
            modified_at=self.cloud.clock(),
        )
        if settings["LaunchTemplateId"]:
            self.launcher.template(changed)
        self.groups.put(changed)
        self.wake()
        return {}

    @action("EnableScalingGroup")
    def enable_scaling_group(self, request: Request) -> dict[str, object]:
        """Let a group make its instances, by a configuration or a launch template."""
        group = self.group(request)
        if group.state != INACTIVE:
            raise errors.incorrect_group_status(group.state, request.action)
        configuration_id = request.text("ActiveScalingConfigurationId")
        if configuration_id:
            self.configuration_of(group, configuration_id)
            group = replace(group, configuration_id=configuration_id)
        if request.text("LaunchTemplateId"):
            group = replace(group, settings=read_group(request.params, group.settings), configuration_id="")
        if not group.has_template:
            raise errors.no_configuration(group.id)
        self.launcher.template(group)
        self.groups.put(replace(group, state=ACTIVE, retry_at=0.0, num_failures=0))
        ids = list(dict.fromkeys(request.texts("InstanceIds")))
        if ids:
            weights = read_weights(request, ids)
            self.take_in(replace(group, state=ACTIVE), ids, weights=weights)
        self.wake()
        return {}

    @action("DisableScalingGroup")
    def disable_scaling_group(self, request: Request) -> dict[str, object]:
        """Let a group change no more; its instances stay."""
        group = self.group(request)
        if group.state != ACTIVE:
            raise errors.incorrect_group_status(group.state, request.action)
        self.groups.put(replace(group, state=INACTIVE))
        return {}

    @action("DeleteScalingGroup")
    def delete_scaling_group(self, request: Request) -> dict[str, object]:
        """Delete a group; with `ForceDelete` its instances go first, at once and without asking the hooks."""
        group = self.group(request)
        if group.state == DELETING:
            return {}
        if group.settings["GroupDeletionProtection"]:
            raise errors.delete_protected()
        members = self.members_of(group.id)
        if members and not request.flag("ForceDelete"):
            raise errors.group_in_use(len(members))
        self.groups.put(replace(group, state=DELETING))
        for hook in self.hooks_of(group.id):
            self.hooks.delete(hook.id)
        if members:
            activity = self.begin_activity(group, "The scaling group is deleted.", "Release all instances.")
            self.activities.put(replace(activity, destroyed=tuple(member.id for member in members)))
            for member in members:
                self.passage.leave(member, activity)
        else:
            self.forget_group(group)
        self.wake()
        return {}

    @action("SetGroupDeletionProtection")
    def set_group_deletion_protection(self, request: Request) -> dict[str, object]:
        """Protect a group from being deleted, or no longer."""
        group = self.standing_group(request)
        settings = {**group.settings, "GroupDeletionProtection": request.flag("GroupDeletionProtection")}
        self.groups.put(replace(group, settings=settings))
        return {}

    def _read_vswitches(self, request: Request) -> tuple[tuple[str, ...], str]:
        named = [name for name in (*request.texts("VSwitchIds"), request.text("VSwitchId")) if name]
        vswitches = []
        for vswitch_id in dict.fromkeys(named):
            vswitch = self.vpc.find_vswitch(vswitch_id)
            if vswitch is None or vswitch.region_id != request.region_id:
                raise errors.vswitch_not_found(vswitch_id)
            vswitches.append(vswitch)
        vpc_ids = {vswitch.vpc_id for vswitch in vswitches}
        if len(vpc_ids) > 1:
            raise invalid_parameter("VSwitchIds", named, "in one VPC")
        return tuple(vswitch.id for vswitch in vswitches), next(iter(vpc_ids), "")

    def _read_name(self, request: Request, group: ScalingGroup, default: str) -> str:
        name = request.text("ScalingGroupName") or default
        if not 2 <= len(name) <= 64:
            raise invalid_parameter("ScalingGroupName", name, "of 2 to 64 characters")
        if any(one.name == name and one.id != group.id for one in self.groups.list()):
            raise errors.name_duplicated("ScalingGroup", name)
        return name

    def _read_server_groups(self, request: Request) -> tuple[dict[str, object], ...]:
        balancers = read_json_texts(request, "LoadBalancerIds")
        rows = [*read_rows(request), *read_balancers(request, balancers)]
        for row in rows:
            self.backends.check(row)
        return tuple(rows)

    def _group_answer(self, group: ScalingGroup) -> dict[str, object]:
        members = self.members_of(group.id)
        states = Counter[str]()
        for member in members:
            states[member.state] += member.capacity
        return {
            **group.to_answer(),
            "TotalCapacity": sum(states[state] for state in (*COUNTED, STANDBY, REMOVING, REMOVING_WAIT)),
            "TotalInstanceCount": len(members),
            "ActiveCapacity": states[IN_SERVICE],
            "ProtectedCapacity": states[PROTECTED],
            "PendingCapacity": states[PENDING],
            "PendingWaitCapacity": states[PENDING_WAIT],
            "RemovingCapacity": states[REMOVING],
            "RemovingWaitCapacity": states[REMOVING_WAIT],
            "StandbyCapacity": states[STANDBY],
            "StoppedCapacity": 0,
            "SpotCapacity": capacity_of(member for member in members if member.is_spot),
        }


def _read_desired(request: Request, settings: dict[str, object], before: int | None) -> int | None:
    if request.flag("DisableDesiredCapacity"):
        return None
    bounds: Sequence[int] = (int(str(settings["MinSize"])), int(str(settings["MaxSize"])))
    if "DesiredCapacity" not in request.params:
        return None if before is None else max(bounds[0], min(bounds[1], before))
    desired = request.number("DesiredCapacity", 0)
    if desired < bounds[0]:
        raise errors.incorrect_capacity("MinSize", desired, bounds[0])
    if desired > bounds[1]:
        raise errors.incorrect_capacity("MaxSize", desired, bounds[1])
    return desired
