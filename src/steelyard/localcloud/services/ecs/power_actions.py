from __future__ import annotations

from dataclasses import replace
from functools import partial

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.life import STOP_GRACE_S
from steelyard.localcloud.services.ecs.models import (
    PENDING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    Instance,
)
from steelyard.localcloud.services.ecs.state import EcsState, ServerDirectory


class PowerActions(EcsState):
    """Start, stop, reboot and release of instances."""

    @action("StartInstance")
    def start_instance(self, request: Request) -> dict[str, object]:
        """Boot a stopped instance."""
        instance = self.instance(request)
        if instance.status != STOPPED or instance.is_released:
            raise errors.incorrect_status(instance.status)
        if instance.stopped_mode == "StopCharging":
            # What is not charged for is not kept either.
            self.check_stock(instance.instance_type, instance.zone_id, 1)
        self.instances.put(replace(instance, status=STARTING))
        self.cloud.after_commit(lambda: self.life.launch(instance.id))
        return {}

    @action("StopInstance")
    def stop_instance(self, request: Request) -> dict[str, object]:
        """Stop a running instance: SIGTERM and a grace, or with `ForceStop` SIGKILL at once."""
        instance = self.instance(request)
        if instance.status != RUNNING or instance.is_released:
            raise errors.incorrect_status(instance.status)
        mode = request.text("StoppedMode") or "KeepCharging"
        if mode not in ("KeepCharging", "StopCharging"):
            raise errors.value_not_supported("StoppedMode", mode)
        self.instances.put(replace(instance, status=STOPPING, stopped_mode=mode))
        self.cloud.after_commit(lambda: self.life.shut_down(instance.id, _grace_s(request)))
        return {}

    @action("RebootInstance")
    def reboot_instance(self, request: Request) -> dict[str, object]:
        """Stop a running instance and boot it again."""
        instance = self.instance(request)
        if instance.status != RUNNING or instance.is_released:
            raise errors.incorrect_status(instance.status)
        self.instances.put(replace(instance, status=STOPPING))
        self.cloud.after_commit(lambda: self.life.reboot(instance.id, _grace_s(request)))
        return {}

    @action("DeleteInstance")
    def delete_instance(self, request: Request) -> dict[str, object]:
        """Release a stopped instance or, with `Force`, one in any state.

        It leaves the load balancers' server groups first, so that no request is sent to it as it ends.
        """
        instance = self.instance(request)
        if instance.is_released:
            return {}
        if instance.has_deletion_protection:
            raise errors.deletion_protected()
        if instance.status != STOPPED and not request.flag("Force"):
            raise errors.incorrect_status(instance.status)
        if self.vpc.has_route_to(instance.id):
            raise errors.instance_is_next_hop()
        request.stop_if_dry_run()
        self.release_instance(instance)
        return {}

    def release_instance(self, instance: Instance) -> None:
        """Take an instance out of every server group, then end it and all that there is of it.

        Other services and the reclaim of spot instances call this, too, inside of a transaction.
        """
        is_alive = instance.status in (PENDING, STARTING, RUNNING, STOPPING)
        status = STOPPING if is_alive else STOPPED
        self._leave_behind(instance)
        self.instances.put(replace(instance, status=status, is_released=True, disk_ids=()))
        for service in self.cloud.services.values():
            if isinstance(service, ServerDirectory):
                service.forget_server(instance.id)
        self.cloud.after_commit(lambda: self.life.release(instance.id))

    def _leave_behind(self, instance: Instance) -> None:
        """Delete the disks and interfaces that go with an instance, and free those that stay."""
        for disk in self.disks_of(instance):
            if disk.deletes_with_instance:
                self.disks.delete(disk.id)
            else:
                self.disks.put(replace(disk, instance_id="", device="", attached_at=0.0))
        for interface in self.interfaces_of(instance.id):
            if interface.deletes_with_instance:
                self.vpc.forget_server(interface.id)
                self.interfaces.delete(interface.id)
                self.cloud.after_commit(
                    partial(self.host.release_address, interface.private_address, vpc_id=interface.vpc_id)
                )
            else:
                self.interfaces.put(replace(interface, instance_id="", attached_at=0.0))


def _grace_s(request: Request) -> float:
    return 0.0 if request.flag("ForceStop") else STOP_GRACE_S
