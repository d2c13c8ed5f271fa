from __future__ import annotations

from collections.abc import Callable

from steelyard.localcloud.service import ApiError, Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.power_actions import PowerActions
from steelyard.localcloud.wire.error import invalid_parameter

MAX_INSTANCES = 100
"""Instances of one call (help page of StartInstances)."""

_ALL_OR_NONE, _EACH = "AllTogether", "SuccessFirst"


class BatchPowerActions(PowerActions):
    """Start, stop, reboot and release of several instances by one call.

    With `BatchOptimization` `AllTogether`, the default, one that cannot be worked on leaves all as they are; with
    `SuccessFirst` the answer tells of each (help page of StartInstances).
    """

    @action("StartInstances")
    def power_on_all(self, request: Request) -> dict[str, object]:
        """Boot stopped instances."""
        return self._each(request, self.power_on)

    @action("StopInstances")
    def power_off_all(self, request: Request) -> dict[str, object]:
        """Stop running instances."""
        return self._each(request, lambda instance: self.power_off(instance, request))

    @action("RebootInstances")
    def power_cycle_all(self, request: Request) -> dict[str, object]:
        """Stop running instances and boot them again."""
        is_forced = request.flag("ForceReboot")
        return self._each(request, lambda instance: self.power_cycle(instance, is_forced=is_forced))

    @action("DeleteInstances")
    def release_all(self, request: Request) -> dict[str, object]:
        """Release stopped instances or, with `Force`, such in any state; all of them or none."""
        instances = [self._known(instance_id) for instance_id in _instance_ids(request)]
        leaving = [instance for instance in instances if not instance.is_released]
        for instance in leaving:
            self.check_release(instance, request)
        request.stop_if_dry_run()
        for instance in leaving:
            self.release_instance(instance)
        return {}

    def _each(self, request: Request, work: Callable[[Instance], None]) -> dict[str, object]:
        ways = (_ALL_OR_NONE, _EACH)
        way = check.read_choice(request, "BatchOptimization", ways, _ALL_OR_NONE)
        rows = []
        for instance_id in _instance_ids(request):
            before = self.instances.get(instance_id)
            code, message = "200", "success"
            try:
                work(self._known(instance_id))
            except ApiError as err:
                if way == _ALL_OR_NONE:
                    raise
                code, message = err.code, err.message
            after = self.instances.get(instance_id)
            rows.append(
                {
                    "InstanceId": instance_id,
                    "Code": code,
                    "Message": message,
                    "PreviousStatus": before.status if before is not None else "",
                    "CurrentStatus": after.status if after is not None else "",
                }
            )
        return {"InstanceResponses": {"InstanceResponse": rows}}

    def _known(self, instance_id: str) -> Instance:
        instance = self.instances.get(instance_id)
        if instance is None:
            raise errors.instance_not_found()
        return instance


def _instance_ids(request: Request) -> list[str]:
    ids = list(dict.fromkeys(request.texts("InstanceId")))
    if not 1 <= len(ids) <= MAX_INSTANCES:
        raise invalid_parameter("InstanceId", len(ids), f"from 1 to {MAX_INSTANCES} ids")
    return ids
