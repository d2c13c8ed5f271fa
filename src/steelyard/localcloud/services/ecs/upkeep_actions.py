from __future__ import annotations

import re
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.instance_actions import both_pages, refuse_released
from steelyard.localcloud.services.ecs.models import PENDING, RUNNING, STARTING, STOPPED, STOPPING, Instance
from steelyard.localcloud.services.ecs.run_setting import read_pool_criteria
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

MAINTENANCE_ACTIONS = ("Stop", "AutoRecover", "AutoRedeploy")

_WINDOW_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d")
# Numbers of DescribeInstancesFullStatus, from memory.
_STATUS_CODES = {PENDING: 0, RUNNING: 1, STARTING: 2, STOPPING: 4, STOPPED: 8}
_HEALTH_CODES = {"Ok": 0, "Initializing": 32, "NotApplicable": 64}


class UpkeepActions(EcsState):
    """What the cloud does to instances by itself: nothing here, for no host is ever maintained.

    What is wanted for that case is kept and answered.
    """

    @action("DescribeInstanceMaintenanceAttributes", optional=("RegionId",))
    def describe_instance_maintenance_attributes(self, request: Request) -> dict[str, object]:
        """List what would be done to instances whose host is maintained."""
        page, head = number_page(request, self._listed(request, "InstanceId"), max_size=100)
        rows = [
            {
                "InstanceId": instance.id,
                "NotifyOnMaintenance": instance.notifies_on_maintenance,
                "ActionOnMaintenance": {
                    "DefaultValue": "AutoRecover",
                    "Value": instance.maintenance_action,
                    "SupportedValues": {"SupportedValue": list(MAINTENANCE_ACTIONS)},
                },
                "MaintenanceWindows": {"MaintenanceWindow": list(instance.maintenance_windows)},
            }
            for instance in page
        ]
        return {**head, "MaintenanceAttributes": {"MaintenanceAttribute": rows}}

    @action("ModifyInstanceMaintenanceAttributes", optional=("RegionId",))
    def modify_instance_maintenance_attributes(self, request: Request) -> dict[str, object]:
        """Change what would be done to instances whose host is maintained."""
        windows = tuple(
            {"StartTime": _window_time(window, "StartTime"), "EndTime": _window_time(window, "EndTime")}
            for window in request.records("MaintenanceWindow")
        )
        if not request.texts("InstanceId"):
            raise missing_parameter("InstanceId")
        for instance_id in request.texts("InstanceId"):
            instance = self.find_instance(instance_id)
            if instance is None:
                raise errors.instance_not_found()
            self.instances.put(
                replace(
                    instance,
                    maintenance_action=check.read_choice(
                        request, "ActionOnMaintenance", MAINTENANCE_ACTIONS, instance.maintenance_action
                    ),
                    notifies_on_maintenance=request.flag(
                        "NotifyOnMaintenance", instance.notifies_on_maintenance
                    ),
                    maintenance_windows=windows or instance.maintenance_windows,
                )
            )
        return {}

    @action("DescribeInstanceAttachmentAttributes", optional=("RegionId",))
    def describe_instance_attachment_attributes(self, request: Request) -> dict[str, object]:
        """List which private pools instances may draw from; there is none here."""
        page, head = number_page(request, self.named_instances(request), max_size=100)
        rows = [
            {
                "InstanceId": instance.id,
                "PrivatePoolOptionsId": "",
                "PrivatePoolOptionsMatchCriteria": instance.pool_criteria,
            }
            for instance in page
        ]
        return {**head, "Instances": {"Instance": rows}}

    @action("ModifyInstanceAttachmentAttributes", optional=("RegionId", "PrivatePoolOptions.Id"))
    def modify_instance_attachment_attributes(self, request: Request) -> dict[str, object]:
        """Change which private pools an instance may draw from; one of its own, it cannot, since there is none here."""
        instance = self.instance(request)
        refuse_released(instance)
        self.instances.put(replace(instance, pool_criteria=read_pool_criteria(request, "")))
        return {}

    @action("DescribeInstancesFullStatus", optional=("RegionId",))
    def describe_instances_full_status(self, request: Request) -> dict[str, object]:
        """List instances' states and health, and the events that wait for them: none."""
        status, health = request.text("Status"), request.text("HealthStatus")
        has_event_filter = bool(request.texts("EventId") or request.texts("InstanceEventType"))
        found = [
            instance
            for instance in self._listed(request, "InstanceId")
            if status in ("", instance.status)
            and health in ("", _health(instance))
            and not (has_event_filter or request.text("EventType"))
        ]
        page, head = number_page(request, found, max_size=100)
        rows = [
            {
                "InstanceId": instance.id,
                "Status": {"Code": _STATUS_CODES[instance.status], "Name": instance.status},
                "HealthStatus": {"Code": _HEALTH_CODES[_health(instance)], "Name": _health(instance)},
                "ScheduledSystemEventSet": {"ScheduledSystemEventType": []},
            }
            for instance in page
        ]
        return {**head, "InstanceFullStatusSet": {"InstanceFullStatusType": rows}}

    @action("DescribeInstanceHistoryEvents", optional=("RegionId",))
    def describe_instance_history_events(self, request: Request) -> dict[str, object]:
        """List the events of the past: none, since no host is ever maintained."""
        events: list[object] = []
        page, head = both_pages(request, events)
        return {**head, "InstanceSystemEventSet": {"InstanceSystemEventType": list(page)}}

    def _listed(self, request: Request, name: str) -> list[Instance]:
        ids = request.texts(name)
        instances = self.instances.named(ids) if ids else self.instances.list()
        return [instance for instance in instances if instance.region_id == request.region_id]


def _health(instance: Instance) -> str:
    if instance.status in (PENDING, STARTING):
        return "Initializing"
    return "Ok" if instance.status == RUNNING else "NotApplicable"


def _window_time(window: dict[str, object], name: str) -> str:
    text = str(window.get(name) or "")
    if not _WINDOW_TIME.fullmatch(text):
        raise invalid_parameter(f"MaintenanceWindow.N.{name}", text, "a time of day, e.g. 02:00:00")
    return text
