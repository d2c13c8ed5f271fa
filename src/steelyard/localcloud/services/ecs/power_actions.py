from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, check, errors
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
        self.power_on(self.instance(request))
        return {}

    @action("StopInstance")
    def stop_instance(self, request: Request) -> dict[str, object]:
        """Stop a running instance: SIGTERM and a grace, or with `ForceStop` SIGKILL at once."""
        request.refuse_unserved("Hibernate")
        self.power_off(self.instance(request), request)
        return {}

    @action("RebootInstance")
    def reboot_instance(self, request: Request) -> dict[str, object]:
        """Stop a running instance and boot it again."""
        self.power_cycle(self.instance(request), is_forced=request.flag("ForceStop"))
        return {}

    def power_on(self, instance: Instance) -> None:
        """Boot a stopped instance.

        Raises:
            ApiError: `IncorrectInstanceStatus`, or `OperationDenied.NoStock` for one that was not charged for, or whose
                zone is closed.
        """
        if instance.status != STOPPED or instance.is_released:
            raise errors.incorrect_status(instance.status)
        if instance.stopped_mode == "StopCharging":
            # What is not charged for is not kept either.
            self.check_stock(instance.instance_type, instance.zone_id, 1)
        if instance.zone_id in self.stock.closed_zones():
            raise errors.no_stock()
        self.instances.put(instance.starting())
        self.cloud.after_commit(lambda: self.life.launch(instance.id))

    def power_off(self, instance: Instance, request: Request) -> None:
        """Stop a running instance, by the call's `StoppedMode` and `ForceStop`.

        Raises:
            ApiError: `IncorrectInstanceStatus` or `InvalidStoppedMode.ValueNotSupported`.
        """
        if instance.status != RUNNING or instance.is_released:
            raise errors.incorrect_status(instance.status)
        modes = ("KeepCharging", "StopCharging")
        mode = check.read_choice(request, "StoppedMode", modes, "KeepCharging")
        self.begin_stop(instance, grace_s=_grace_s(is_forced=request.flag("ForceStop")), mode=mode)

    def begin_stop(self, instance: Instance, *, grace_s: float, mode: str = "KeepCharging") -> None:
        """Stop an instance that runs: SIGTERM, and SIGKILL for what is left after some seconds."""
        self.instances.put(replace(instance, status=STOPPING, stopped_mode=mode))
        self.cloud.after_commit(lambda: self.life.shut_down(instance.id, grace_s))

    def power_cycle(self, instance: Instance, *, is_forced: bool) -> None:
        """Stop a running instance and boot it again.

        Raises:
            ApiError: `IncorrectInstanceStatus`.
        """
        if instance.status != RUNNING or instance.is_released:
            raise errors.incorrect_status(instance.status)
        self.instances.put(replace(instance, status=STOPPING, is_rebooting=True))
        self.cloud.after_commit(lambda: self.life.shut_down(instance.id, _grace_s(is_forced=is_forced)))

    @action("DeleteInstance")
    def delete_instance(self, request: Request) -> dict[str, object]:
        """Release a stopped instance or, with `Force`, one in any state.

        It leaves the load balancers' server groups first, so that no request is sent to it as it ends.
        """
        instance = self.instance(request)
        if instance.is_released:
            return {}
        self.check_release(instance, request)
        request.stop_if_dry_run()
        self.release_instance(instance)
        return {}

    def check_release(self, instance: Instance, request: Request) -> None:
        """Check that a call may release an instance.

        Raises:
            ApiError: `InvalidOperation.DeletionProtection`; `ChargeTypeViolation` where it is paid for in advance, but
                for one whose time is over with `TerminateSubscription`; `IncorrectInstanceStatus` where it is not
                stopped and not forced; or `DependencyViolation.RouteEntry`.
        """
        if instance.has_deletion_protection:
            raise errors.deletion_protected()
        is_over = instance.expires_at <= self.cloud.clock() and request.flag("TerminateSubscription")
        if instance.charge_type == "PrePaid" and not is_over:
            raise change_errors.charge_type_violation(instance.charge_type)
        if instance.status != STOPPED and not request.flag("Force"):
            raise errors.incorrect_status(instance.status)
        if self.vpc.has_route_to(instance.id):
            raise errors.instance_is_next_hop()

    def release_instance(self, instance: Instance) -> None:
        """Take an instance out of every server group, then end it and all that there is of it.

        Other services and the reclaim of spot instances call this, too, inside of a transaction.
        """
        is_alive = instance.status in (PENDING, STARTING, RUNNING, STOPPING)
        status = STOPPING if is_alive else STOPPED
        self._leave_behind(instance)
        self.instances.put(
            replace(instance, status=status, is_released=True, disk_ids=(), secondary_addresses=())
        )
        for service in self.cloud.services.values():
            if isinstance(service, ServerDirectory):
                service.forget_server(instance.id)
        self.cloud.after_commit(lambda: self.life.release(instance.id))

    def _leave_behind(self, instance: Instance) -> None:
        """Delete the disks, interfaces and further addresses that go with an instance, and free those that stay."""
        self._give_back(instance.secondary_addresses, instance.vpc_id)
        for disk in self.disks_of(instance):
            if disk.deletes_with_instance:
                self.disks.delete(disk.id)
            else:
                kept = replace(disk, instance_id="", device="", attached_at=0.0, charge_type="PostPaid")
                self.disks.put(kept)
        for interface in self.interfaces_of(instance.id):
            if interface.deletes_with_instance:
                self.vpc.forget_server(interface.id)
                self.interfaces.delete(interface.id)
                self._give_back(interface.addresses, interface.vpc_id)
            else:
                self.interfaces.put(replace(interface, instance_id="", attached_at=0.0))

    def _give_back(self, addresses: Sequence[str], vpc_id: str) -> None:
        for address in addresses:
            self.cloud.after_commit(partial(self.host.release_address, address, vpc_id=vpc_id))


def _grace_s(*, is_forced: bool) -> float:
    return 0.0 if is_forced else STOP_GRACE_S
