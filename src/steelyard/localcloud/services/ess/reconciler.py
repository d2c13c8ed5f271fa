"""What keeps scaling groups at what they are to be: it looks again and again, and changes a little at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from steelyard.localcloud.services.ess.launching import Launcher
from steelyard.localcloud.services.ess.models import (
    ACTIVE,
    COUNTED,
    DELETING,
    GROWING,
    PENDING,
    PENDING_WAIT,
    REMOVING,
    REMOVING_WAIT,
    SERVING,
    SHRINKING,
    Activity,
    Member,
    ScalingGroup,
    capacity_of,
)
from steelyard.localcloud.services.ess.passage import Passage, protects
from steelyard.localcloud.services.ess.placement import to_remove
from steelyard.localcloud.services.ess.state import EssState
from steelyard.localcloud.wire.error import ApiError

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""Seconds between two looks."""

_MOVING = (PENDING, PENDING_WAIT, REMOVING, REMOVING_WAIT)
_JOIN_TIMEOUT_S = 10.0


class Reconciler:
    """Brings each scaling group to its number of members, and each member to the state that it is on its way to.

    All that it knows is in the store: a restart of the cloud goes on where the last look ended. Each change is a
    transaction of its own, so that nobody waits long for the cloud's lock.

    Args:
        state: The service's records.
        passage: The way of one member.
        launcher: Makes members.
        on_delete: Told of a group that is gone, in the transaction that removes it.
        timers: Gives what else is to be done at each look, such as scheduled tasks and alarms.
    """

    def __init__(
        self,
        state: EssState,
        passage: Passage,
        launcher: Launcher,
        *,
        on_delete: Callable[[ScalingGroup], None],
        timers: Callable[[], Sequence[Callable[[], None]]] = tuple,
    ) -> None:
        self._state = state
        self._passage = passage
        self._launcher = launcher
        self._on_delete = on_delete
        self._timers = timers
        self._wake = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="ess-reconciler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT_S)

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def _run(self) -> None:
        while not self._is_closing:
            self._wake.wait(LOOK_S)
            self._wake.clear()
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a bug in one look must not end all further ones
                _log.exception("a look at the scaling groups failed")

    def look(self) -> None:
        """Look at every group once, and at what else is to be done; what fails keeps nothing else from being done.

        Raises:
            ExceptionGroup: What failed.
        """
        failures: list[Exception] = []
        steps: list[Callable[[], None]] = [
            *(partial(self._reconcile, group) for group in self._state.groups.list()),
            *self._timers(),
        ]
        for step in steps:
            if self._is_closing:
                return
            try:
                step()
            except Exception as err:  # noqa: BLE001 - a bug met by one group must not hold up all others
                failures.append(err)
        if failures:
            raise ExceptionGroup("steps of a look at the scaling groups failed", failures)

    def _reconcile(self, group: ScalingGroup) -> None:
        for member in self._state.members_of(group.id):
            instance = self._state.ecs.find_instance(member.id)
            if not self._is_closing and not self._passage.is_settled(group, member, instance):
                self._step(group.id, member.id)
        if group.state == ACTIVE:
            self._balance(group.id)
        elif group.state == DELETING:
            self._finish_deletion(group.id)
        self._end_activities(group.id)

    def _step(self, group_id: str, member_id: str) -> None:
        try:
            with self._state.cloud.transaction():
                group, member = self._state.groups.get(group_id), self._state.members.get(member_id)
                if group is None or member is None:
                    return
                self._passage.step(group, member, self._state.ecs.find_instance(member_id))
        except ApiError as err:
            with self._state.cloud.transaction():
                member = self._state.members.get(member_id)
                if member is not None:
                    self._passage.fail(member, err)

    def _balance(self, group_id: str) -> None:
        """Make the members that are missing, or let those go that are too many."""
        activity: Activity | None = None
        try:
            with self._state.cloud.transaction():
                activity = self._state.waiting_activity(group_id)
                self._balance_once(group_id, activity)
        except ApiError as err:
            self._put_off(group_id, activity, err)

    def _balance_once(self, group_id: str, activity: Activity | None) -> None:
        group = self._state.groups.get(group_id)
        if group is None or group.state != ACTIVE or not group.has_template:
            return
        counted = [member for member in self._state.members_of(group.id) if member.state in COUNTED]
        capacity = capacity_of(counted)
        wanted = group.wanted(capacity if activity is None or activity.goal is None else activity.goal)
        missing = wanted - capacity
        suspended = GROWING if missing > 0 else SHRINKING
        if missing and suspended in group.suspended:
            self._reject(activity, suspended)
        elif missing > 0 and self._state.cloud.clock() >= group.retry_at:
            activity = activity or self._begin(group, f"from {capacity} to {wanted}")
            made = self._launcher.launch(group, activity, missing)
            self._under_way(activity, created=tuple(made))
        elif missing < 0:
            leaving = self._choose(group, counted, -missing)
            activity = activity or (self._begin(group, f"from {capacity} to {wanted}") if leaving else None)
            for member in leaving:
                assert activity is not None
                self._passage.leave(member, activity)
            if activity is not None:
                self._under_way(activity, destroyed=tuple(member.id for member in leaving))
        elif missing == 0 and activity is not None:
            self._under_way(activity)

    def _choose(self, group: ScalingGroup, counted: list[Member], count: int) -> list[Member]:
        made_at = {one.id: one.created_at for one in self._state.configurations.list()}
        serving = [one for one in counted if one.state in SERVING and not protects(one)]
        coming = [one for one in counted if one.state not in SERVING]

        def chosen(some: list[Member], number: int, gone: Sequence[Member]) -> list[Member]:
            others = [one for one in counted if one not in some and one not in gone]
            return to_remove(some, number, group.settings, made_at, self._state.hour, others=others)

        leaving = chosen(serving, count, ())
        return leaving + chosen(coming, count - capacity_of(leaving), leaving)

    def _begin(self, group: ScalingGroup, change: str) -> Activity:
        # One that is refused again and again would fill the history.
        cause = f"The number of instances is to go {change}."
        return self._state.begin_activity(group, cause, f"Change the capacity {change}.")

    def _under_way(
        self, activity: Activity, *, created: tuple[str, ...] = (), destroyed: tuple[str, ...] = ()
    ) -> None:
        # One that lets members go for others to come knows already who goes.
        gone = destroyed or activity.destroyed
        self._state.activities.put(replace(activity, created=created, destroyed=gone, goal=None))

    def _reject(self, activity: Activity | None, suspended: str) -> None:
        """End what was asked for while the group is told not to do it; what is wanted of the group stays."""
        if activity is not None:
            now = self._state.cloud.clock()
            message = f"The process {suspended} of the scaling group is suspended."
            rejected = replace(activity, goal=None, status="Rejected", ended_at=now, error_message=message)
            self._state.activities.put(rejected)

    def _put_off(self, group_id: str, activity: Activity | None, err: ApiError) -> None:
        """Keep what came of a change that was refused, and when to try again: later each time.

        Args:
            group_id: The group.
            activity: What asked for the change, if anything did: another one may be waiting by now.
            err: Why it was refused.
        """
        with self._state.cloud.transaction():
            group = self._state.groups.get(group_id)
            if group is None:
                return
            wait_s = self._state.put_off(group_id)
            activity = activity or self._begin(group, "to what is wanted")
            self._state.activities.put(
                replace(
                    activity,
                    goal=None,
                    status="Failed",
                    ended_at=self._state.cloud.clock(),
                    error_code=err.code,
                    error_message=err.message,
                )
            )
        _log.error("%s gets no instance, and tries again in %.0f s: %s", group_id, wait_s, err)

    def _end_activities(self, group_id: str) -> None:
        """End the activities of which no member is on its way any more."""
        with self._state.cloud.transaction():
            open_ones = [one for one in self._state.open_activities(group_id) if one.goal is None]
            if not open_ones:
                return
            moving = {one.activity_id for one in self._state.members_of(group_id) if one.state in _MOVING}
            for activity in open_ones:
                if activity.id not in moving:
                    self._end(activity)

    def _end(self, activity: Activity) -> None:
        now = self._state.cloud.clock()
        members = {one.id: one.state for one in self._state.members_of(activity.group_id)}
        status = "Successful"
        if activity.error_code:
            has_come = any(members.get(one) in SERVING for one in activity.created)
            has_gone = any(one not in members for one in activity.destroyed)
            status = "Warning" if has_come or has_gone else "Failed"
        elif activity.ignored:
            status = "Warning"
        self._state.activities.put(replace(activity, status=status, ended_at=now))
        group = self._state.groups.get(activity.group_id)
        if group is None:
            return
        if activity.cooldown_s:
            group = replace(group, cooldown_until=now + activity.cooldown_s)
        if status == "Successful" and activity.created:
            group = replace(group, num_failures=0, retry_at=0.0)
        self._state.groups.put(group)

    def _finish_deletion(self, group_id: str) -> None:
        with self._state.cloud.transaction():
            group = self._state.groups.get(group_id)
            if group is not None and not self._state.members_of(group_id):
                self._end_activities(group_id)
                self._on_delete(group)
