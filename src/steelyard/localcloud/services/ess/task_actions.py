from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.schedule import next_run, read_time
from steelyard.localcloud.services.ess.setting import MAX_MEMBERS, check_name
from steelyard.localcloud.services.ess.trigger_models import SIMPLE, ScheduledTask
from steelyard.localcloud.services.ess.trigger_state import TriggerState
from steelyard.localcloud.wire.error import ApiError, invalid_parameter, missing_parameter

_log = logging.getLogger(__name__)

_MAX_TASKS = 100
_PUNCTUAL_S = 60
"""Seconds within which a task that is not to be tried again is tried once."""
_SETTINGS = (
    "Description",
    "ScheduledAction",
    "ScalingGroupId",
    "MinValue",
    "MaxValue",
    "DesiredCapacity",
    "LaunchTime",
    "LaunchExpirationTime",
    "RecurrenceType",
    "RecurrenceValue",
    "RecurrenceEndTime",
)


class TaskActions(TriggerState):
    """Scheduled tasks: a rule, or new bounds of a group, at a time or again and again."""

    @action("CreateScheduledTask")
    def create_scheduled_task(self, request: Request) -> dict[str, object]:
        """Create a task."""
        if len(self.tasks.list()) >= _MAX_TASKS:
            raise errors.quota_exceeded("ScheduledTask", _MAX_TASKS)
        task_id = self.cloud.new_id("sct")
        draft = ScheduledTask(
            id=task_id,
            created_at=self.cloud.clock(),
            name=request.text("ScheduledTaskName") or task_id,
            settings={"LaunchExpirationTime": 600},
            is_enabled=request.flag("TaskEnabled", True),
            next_at=0.0,
        )
        task = self._changed_task(request, draft)
        self._check_task_name(task)
        self.tasks.put(task)
        return {"ScheduledTaskId": task_id}

    @action("ModifyScheduledTask")
    def modify_scheduled_task(self, request: Request) -> dict[str, object]:
        """Change a task; its next run is reckoned anew."""
        task = self._task(request)
        changed = replace(
            task,
            name=request.text("ScheduledTaskName") or task.name,
            is_enabled=request.flag("TaskEnabled", task.is_enabled),
        )
        self._check_task_name(changed)
        self.tasks.put(self._changed_task(request, changed))
        return {}

    @action("DescribeScheduledTasks")
    def describe_scheduled_tasks(self, request: Request) -> dict[str, object]:
        """List tasks by ids, names, actions, group and recurrence."""
        ids, names = request.texts("ScheduledTaskIds"), request.texts("ScheduledTaskNames")
        actions = request.texts("ScheduledActions")
        is_enabled = request.params.get("TaskEnabled")
        found = [
            task
            for task in self.tasks.list()
            if (not ids or task.id in ids)
            and (not names or task.name in names)
            and request.text("TaskName") in ("", task.name)
            and (not actions or task.settings.get("ScheduledAction") in actions)
            and request.text("ScalingGroupId") in ("", task.settings.get("ScalingGroupId"))
            and request.text("RecurrenceType") in ("", task.settings.get("RecurrenceType"))
            and request.text("RecurrenceValue") in ("", task.settings.get("RecurrenceValue"))
            and is_enabled in (None, task.is_enabled)
        ]
        page, head = number_page(request, found)
        return {**head, "ScheduledTasks": [task.to_answer() for task in page]}

    @action("DeleteScheduledTask")
    def delete_scheduled_task(self, request: Request) -> dict[str, object]:
        """Delete a task."""
        self.tasks.delete(self._task(request).id)
        return {}

    def run_due_tasks(self) -> None:
        """Carry out the tasks that are due; one that is later than its time of grace is passed over."""
        now = self.cloud.clock()
        for task in self.tasks.list():
            if task.next_at and now >= task.next_at:
                self._run_due(task.id, now)

    def _run_due(self, task_id: str, now: float) -> None:
        try:
            with self.cloud.transaction():
                task = self._due(task_id, now)
                if task is None:
                    return
                if task.is_enabled and now - task.next_at <= max(_grace_s(task), _PUNCTUAL_S):
                    self.run_task(task)
                self._end_run(task, now)
        except ApiError as err:
            _log.info("the scheduled task %s was not carried out: %s", task_id, err)
            # Another activity may be under way: it is tried again until the time of grace is over.
            with self.cloud.transaction():
                task = self._due(task_id, now)
                if task is not None and now - task.next_at >= _grace_s(task):
                    self._end_run(task, now)

    def _due(self, task_id: str, now: float) -> ScheduledTask | None:
        """Give a task as it is by now, if it is still due; it may have been changed or deleted meanwhile."""
        task = self.tasks.get(task_id)
        return task if task is not None and task.next_at and now >= task.next_at else None

    def _end_run(self, task: ScheduledTask, now: float) -> None:
        self.tasks.put(replace(task, next_at=next_run(task.settings, now)))

    def _task(self, request: Request) -> ScheduledTask:
        task = self.tasks.get(request.text("ScheduledTaskId"))
        if task is None:
            raise errors.task_not_found(request.text("ScheduledTaskId"))
        return task

    def _check_task_name(self, task: ScheduledTask) -> None:
        """Check a task's name, which no other task has (help page of CreateScheduledTask)."""
        check_name("ScheduledTaskName", task.name)
        if any(other.name == task.name and other.id != task.id for other in self.tasks.list()):
            raise errors.name_duplicated("ScheduledTask", task.name)

    def _check_near(self, text: str, name: str, num_days: int) -> None:
        """Check that a time is not too far ahead (help page of CreateScheduledTask)."""
        ahead_s = read_time(text, name).timestamp() - self.cloud.clock() if text else 0.0
        if ahead_s > num_days * 86400:
            raise invalid_parameter(name, text, f"within {num_days} days from now")

    def _changed_task(self, request: Request, task: ScheduledTask) -> ScheduledTask:
        given = {name: request.params[name] for name in _SETTINGS if name in request.params}
        settings = {**task.settings, **given}
        grace_s = settings.get("LaunchExpirationTime")
        if not isinstance(grace_s, int) or not 0 <= grace_s <= 1800:
            raise invalid_parameter("LaunchExpirationTime", grace_s, "from 0 to 1800")
        for name in ("RecurrenceValue", "RecurrenceEndTime"):
            if settings.get("RecurrenceType") and not settings.get(name):
                raise missing_parameter(name)
        if not settings.get("LaunchTime") and settings.get("RecurrenceType") != "Cron":
            raise missing_parameter("LaunchTime")
        for name, num_days in (("LaunchTime", 90), ("RecurrenceEndTime", 365)):
            self._check_near(str(settings.get(name) or ""), name, num_days)
        _check_bounds(settings)
        ari, group_id = str(settings.get("ScheduledAction") or ""), str(settings.get("ScalingGroupId") or "")
        if ari and group_id:
            raise invalid_parameter(
                "ScheduledAction", ari, f"left out where ScalingGroupId, {group_id}, is named"
            )
        if ari:
            if self.rule_by_ari(ari).rule_type != SIMPLE:
                raise invalid_parameter(
                    "ScheduledAction", ari, "a simple scaling rule: others go by a metric"
                )
        elif not group_id:
            raise missing_parameter("ScheduledAction")
        elif self.groups.get(group_id) is None:
            raise errors.group_not_found(group_id)
        elif all(settings.get(name) is None for name in ("MinValue", "MaxValue", "DesiredCapacity")):
            raise missing_parameter("DesiredCapacity")
        return replace(task, settings=settings, next_at=next_run(settings, self.cloud.clock()))


def _grace_s(task: ScheduledTask) -> int:
    return int(str(task.settings["LaunchExpirationTime"]))


def _check_bounds(settings: Mapping[str, object]) -> None:
    """Check the bounds that a task is to give its group."""
    given = {name: value for name in ("MinValue", "MaxValue") if isinstance(value := settings.get(name), int)}
    for name, value in given.items():
        if not 0 <= value <= MAX_MEMBERS:
            raise invalid_parameter(name, value, f"from 0 to {MAX_MEMBERS}")
    if given.get("MinValue", 0) > given.get("MaxValue", MAX_MEMBERS):
        raise invalid_parameter("MinValue", given["MinValue"], f"at most MaxValue, {given['MaxValue']}")
