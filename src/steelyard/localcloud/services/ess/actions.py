from __future__ import annotations

from typing import Any

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.region_actions import RegionActions
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.alarm_actions import AlarmActions
from steelyard.localcloud.services.ess.alarm_watch import AlarmWatch
from steelyard.localcloud.services.ess.balancer_health import BalancerHealth
from steelyard.localcloud.services.ess.configuration_actions import ConfigurationActions
from steelyard.localcloud.services.ess.group_actions import GroupActions
from steelyard.localcloud.services.ess.health_watch import HealthWatch
from steelyard.localcloud.services.ess.hook_actions import HookActions
from steelyard.localcloud.services.ess.instance_actions import InstanceActions
from steelyard.localcloud.services.ess.rule_actions import RuleActions
from steelyard.localcloud.services.ess.task_actions import TaskActions
from steelyard.localcloud.tag import list_tags, set_tags, tag_entries, unset_tags
from steelyard.localcloud.wire.error import invalid_parameter


class EssService(
    GroupActions,
    ConfigurationActions,
    HookActions,
    InstanceActions,
    RuleActions,
    AlarmActions,
    TaskActions,
    RegionActions,
):
    """Scaling groups and all that moves them."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._watch = AlarmWatch(self)
        self._health = HealthWatch(self, BalancerHealth(self.backends))

    def run_timers(self) -> None:
        """Carry out the scheduled tasks that are due, evaluate the alarms, and ask the load balancers."""
        self.run_due_tasks()
        self._health.look()
        self._watch.look()

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on groups; members that come later carry them."""
        groups = self._tagged(request)
        set_tags(
            request, groups, ids_name="ResourceIds", tags_name="Tags", not_found=errors.resource_not_found
        )
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        unset_tags(
            request,
            self._tagged(request),
            ids_name="ResourceIds",
            keys_name="TagKeys",
            not_found=errors.resource_not_found,
        )
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each group and key."""
        page, token = list_tags(request, self._tagged(request), ids_name="ResourceIds", tags_name="Tags")
        entries = [{**entry, "Propagate": True} for entry in tag_entries(page, "scalinggroup")]
        return {"TagResources": entries, "NextToken": token}

    def _tagged(self, request: Request) -> Records[Any]:
        kind = request.text("ResourceType")
        if kind.lower() != "scalinggroup":
            raise invalid_parameter("ResourceType", kind, "scalinggroup")
        return self.groups
