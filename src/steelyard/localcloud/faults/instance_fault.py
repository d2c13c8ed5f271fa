"""Faults of an instance: killed, hung, slow, its cable pulled, taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

from steelyard.errors import LocalCloudError
from steelyard.localcloud.faults.fault import Order, fault_refused, invalid_fault
from steelyard.localcloud.faults.kind import FaultKind
from steelyard.localcloud.hosts.host import Host
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ecs.models import RUNNING, STARTING, Instance
from steelyard.localcloud.services.ecs.spot_actions import RECLAIM_NOTICE_S

_MAX_NOTICE_S = 86_400.0
_BOOT = "boot_number"
_MAX_NAMED = 5
"""Instances that a refusal names."""


class InstanceFault(FaultKind):
    """A fault that strikes one running instance, and ends with its boot."""

    @property
    def ecs(self) -> EcsService:
        """The service that has the instances."""
        service = self.cloud.services.get("ecs")
        if not isinstance(service, EcsService):
            raise fault_refused("this cloud has no instances")
        return service

    @property
    def host(self) -> Host:
        """What the instances run on."""
        return self.ecs.host

    def running(self, instance_id: str) -> Instance:
        """Give the instance that is struck.

        Raises:
            ApiError: There is none, or it does not run.
        """
        instance = self.ecs.find_instance(instance_id)
        if instance is None:
            others = [one.id for one in self.ecs.instances.list() if one.status in (STARTING, RUNNING)]
            known = f"running are {', '.join(others[:_MAX_NAMED])}" if others else "none runs"
            raise invalid_fault(f"there is no instance {instance_id!r}; {known}")
        if instance.status not in (STARTING, RUNNING):
            raise fault_refused(
                f"{instance_id} is {instance.status}, and only a running instance can be struck"
            )
        return instance

    def strike(self, instance_id: str, do: Callable[[], None]) -> dict[str, object]:
        """Do something to an instance's processes, and give of which boot they are.

        Raises:
            ApiError: There is none, or it does not run, or it was booted meanwhile; nothing has happened then.
        """
        boot: dict[str, object] = {_BOOT: self.running(instance_id).boot_number}
        if self.is_void(instance_id, boot):
            raise fault_refused(f"{instance_id} has no process yet, or no more")
        do()
        if self.is_void(instance_id, boot):
            self.end(instance_id, boot)
            raise fault_refused(f"{instance_id} ended, or was booted anew, as it was struck")
        return boot

    def is_void(self, target: str, settings: Mapping[str, object]) -> bool:
        """Whether the instance has gone, or has been booted since."""
        instance = self.ecs.find_instance(target)
        return (
            instance is None
            or instance.boot_number != settings.get(_BOOT)
            or not self.host.is_running(target)
        )


class Kill(InstanceFault):
    """Every process of the instance is killed at once, as when its machine dies, and it is Stopped."""

    name = "kill"

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Kill them."""
        with self.cloud.transaction():
            self.ecs.life.strike(self.running(order.target))
        self.ecs.life.kill(order.target)
        return {}, False

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Do nothing: what died is dead."""


class Hang(InstanceFault):
    """Every process of the instance stands still: it answers nothing, and its connections stay open."""

    name = "hang"

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Stop them."""
        return self.strike(order.target, partial(self.host.set_pace, order.target, 0.0)), True

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Let them go on."""
        self.host.set_pace(target, 1.0)


class Slow(InstanceFault):
    """The instance's processes run for a part of the time, in turns of a tenth of a second.

    Settings:
        share: What part of the time, 0.01 to 0.99.
    """

    name = "slow"
    settings: ClassVar[frozenset[str]] = frozenset({"share"})

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Slow them down."""
        share = order.number("share", 0.5, 0.01, 0.99)
        boot = self.strike(order.target, partial(self.host.set_pace, order.target, share))
        return {"share": share, **boot}, True

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Let them run all the time."""
        self.host.set_pace(target, 1.0)


class Cut(InstanceFault):
    """The instance's cable is pulled: nothing that is sent to it or from it arrives."""

    name = "cut"

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Pull it."""
        try:
            return self.strike(order.target, partial(self.host.cut_cable, order.target)), True
        except LocalCloudError as err:
            raise fault_refused(f"{err.message}; {err.hint}" if err.hint else err.message) from err

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Plug it in."""
        self.host.mend_cable(target)


class Reclaim(InstanceFault):
    """A spot instance is taken back: announced now, carried out later.

    Settings:
        after_s: Seconds until it is carried out; 300, as on the cloud, where it is not given.
    """

    name = "reclaim"
    settings: ClassVar[frozenset[str]] = frozenset({"after_s"})

    def begin(self, order: Order) -> tuple[Mapping[str, object], bool]:
        """Announce it."""
        after_s = order.number("after_s", RECLAIM_NOTICE_S, 0, _MAX_NOTICE_S)
        try:
            due_at = self.ecs.announce_reclaim(order.target, after_s)
        except ApiError as err:
            raise fault_refused(f"{order.target}: {err.message} ({err.code})") from err
        return {"after_s": after_s, "carried_out_at": due_at}, False

    def end(self, target: str, settings: Mapping[str, object]) -> None:
        """Do nothing: what was announced is the cloud's own to carry out."""
