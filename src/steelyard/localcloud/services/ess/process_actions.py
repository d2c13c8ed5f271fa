from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import PROCESSES, ScalingGroup
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter


class ProcessActions(EssCore):
    """What a group does by itself: suspended for a while, and taken up again.

    What a user asks for meanwhile and a suspended process would carry out is rejected; the number of members that is
    wanted stays, and the group comes to it once the process is resumed. That is from memory.
    """

    @action("SuspendProcesses")
    def suspend_processes(self, request: Request) -> dict[str, object]:
        """Let a group grow, shrink, check its members, or follow alarms or schedules no more."""
        group = self.standing_group(request)
        self._suspend(group, {*group.suspended, *_named(request)})
        return {}

    @action("ResumeProcesses")
    def resume_processes(self, request: Request) -> dict[str, object]:
        """Let a group do what it was told not to."""
        group = self.standing_group(request)
        self._suspend(group, set(group.suspended) - set(_named(request)))
        self.wake()
        return {}

    def _suspend(self, group: ScalingGroup, processes: set[str]) -> None:
        self.groups.put(replace(group, suspended=tuple(one for one in PROCESSES if one in processes)))


def _named(request: Request) -> list[str]:
    named = request.texts("Processes")
    if not named:
        raise missing_parameter("Processes")
    for one in named:
        if one not in PROCESSES:
            raise invalid_parameter("Processes", one, f"one of {', '.join(PROCESSES)}")
    return named
