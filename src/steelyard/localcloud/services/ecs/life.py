"""The life of instances: Pending, Starting, Running, Stopping, Stopped, each of them true of a process tree."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.hosts.host import Fate, Host, Machine, Wiring
from steelyard.localcloud.services.ecs.firewall import Firewall
from steelyard.localcloud.services.ecs.models import (
    PENDING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    Instance,
)
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.turn import Turns
from steelyard.spec.catalogue import INSTANCE_TYPES

STOP_GRACE_S = 10.0
CLOUD_STOP_GRACE_S = 3.0
_JOIN_TIMEOUT_S = 15.0
_RETRY_S = 1.0
_MOST_AT_ONCE = 8
"""Instances that are being booted at a time, and as many that are being ended: each costs the machine a burst of work,
and a thousand at once would leave nothing for the calls of clients."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Survivors:
    """What became of the instances that ran when the cloud before this one ended.

    Attributes:
        adopted: Those that run on, without a boot.
        died: Those that ended by themselves meanwhile, and are Stopped.
        booted: Those that ended with their cloud, and are booted again.
    """

    adopted: tuple[str, ...] = ()
    died: tuple[str, ...] = ()
    booted: tuple[str, ...] = ()


class InstanceLife:
    """Moves instances through their states, each move in a thread of its own that waits for the host.

    A move is written before and after the host has done it, in a transaction, and only where the instance still is in
    the state and at the boot that the move began from.

    Args:
        cloud: Whose instances they are.
        host: Where they run.
        firewall: Keeps what their security groups say in force, and has their records.
    """

    def __init__(self, cloud: Cloud, host: Host, firewall: Firewall) -> None:
        self._cloud = cloud
        self._host = host
        self._instances = firewall.instances
        self._interfaces = firewall.interfaces
        self._firewall = firewall
        self._wiring_lock = threading.Lock()
        self.image_folder: Callable[[str], Path | None] = lambda image_id: None
        """Gives the folder with the files of an image; None of an image without files."""
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._boots = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._ends = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._turns = Turns()
        self._begun: dict[str, int] = {}
        """Number of each instance's last boot."""
        self._worn: set[str] = set()
        """Those whose files are to be gone before the next boot."""
        self._closing = threading.Event()

    def launch(self, instance_id: str) -> None:
        """Boot an instance that is Pending or Starting."""
        self._spawn(f"boot-{instance_id}", lambda: self._boot(instance_id))

    def shut_down(self, instance_id: str, grace_s: float) -> None:
        """End an instance that is Stopping, and boot it again if it is rebooting by then."""

        def run() -> None:
            self._end_at_last(instance_id, grace_s)
            self._leave_stopping(instance_id)

        self._spawn(f"stop-{instance_id}", run)

    def strike(self, instance: Instance) -> None:
        """Let an instance end as if its machine died, whatever it is about to become; inside of a transaction.

        One that ends already is not rebooted; `kill` ends any other one.
        """
        self._instances.put(replace(instance, status=STOPPING, is_rebooting=False))

    def kill(self, instance_id: str) -> None:
        """End an instance that is Stopping at once, and wait until it is Stopped.

        Raises:
            LocalCloudError: Something of it is still alive; it is Stopped once that is gone.
        """
        try:
            self._end(instance_id, 0)
        except LocalCloudError:
            self.shut_down(instance_id, 0)
            raise
        self._leave_stopping(instance_id)

    def _leave_stopping(self, instance_id: str) -> None:
        if self._move(instance_id, {STOPPING}, STOPPED) == STARTING:
            self._boot(instance_id)

    def release(self, instance_id: str) -> None:
        """End an instance at once and remove all that there is of it."""

        def run() -> None:
            with self._ends:
                self._end_at_last(instance_id, 0)
            self._cloud.insist(lambda: self._forget(instance_id), self._closing)

        self._spawn(f"release-{instance_id}", run)

    def _forget(self, instance_id: str) -> None:
        instance = self._instances.get(instance_id)
        if instance is None or self._closing.is_set():
            return
        self._host.discard(instance_id)
        self._host.release_address(instance.private_address, vpc_id=instance.vpc_id)
        self._instances.delete(instance_id)
        self._begun.pop(instance_id, None)
        self._worn.discard(instance_id)

    def renew(self, instance_id: str) -> None:
        """Let an instance that is Stopped begin anew, without the files that it has; it is called in a transaction."""

        def discard() -> None:
            with self._turns.of(instance_id):
                self._discard_worn(instance_id)

        self._worn.add(instance_id)
        self._cloud.on_undo(lambda: self._worn.discard(instance_id))
        self._cloud.after_commit(discard)

    def _discard_worn(self, instance_id: str) -> None:
        if instance_id in self._worn:
            self._host.discard(instance_id)
            self._worn.discard(instance_id)

    def rewire(self, instance_id: str) -> None:
        """Bring a running instance's network to what the records say, and wait for that."""
        with self._wiring_lock:
            with self._cloud.transaction():
                instance = self._instances.get(instance_id)
                if instance is None or instance.is_released:
                    return
                wiring = self._wiring(instance)
            try:
                self._host.wire(instance_id, wiring)
            except LocalCloudError as err:
                logger.error("%s has the network that it had before: %s", instance_id, err)

    def rewire_later(self, instance_ids: Sequence[str]) -> None:
        """Bring running instances' networks to what the records say, without waiting for it."""

        def run() -> None:
            for instance_id in instance_ids:
                self.rewire(instance_id)

        self._spawn("rewire", run)

    def resume(self) -> Survivors:
        """Take up what still runs, boot again what ended with the last cloud, and finish what that was about to end."""
        fates: dict[Fate, list[str]] = {fate: [] for fate in Fate}
        with self._cloud.transaction():
            for instance in self._instances.list():
                fate = self._resume(instance)
                if fate is not None and instance.status in (PENDING, STARTING, RUNNING):
                    fates[fate].append(instance.id)
        return Survivors(
            adopted=tuple(fates[Fate.LIVES]), died=tuple(fates[Fate.DIED]), booted=tuple(fates[Fate.ENDED])
        )

    def close(self) -> None:
        """End every instance's processes and leave the records as they are."""
        self._closing.set()
        self._host.close(CLOUD_STOP_GRACE_S)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(_JOIN_TIMEOUT_S)

    def _resume(self, instance: Instance) -> Fate | None:
        """Bring a record to what there is of the instance; give its fate, None where nothing ran of it."""
        if not self._holds(instance.private_address, instance.vpc_id) and not instance.is_released:
            self._instances.put(replace(instance, status=STOPPED))
            return None
        if instance.status == STOPPED and not instance.is_released:
            return None
        fate = self._adopt(instance)
        if instance.is_released:
            self._cloud.after_commit(lambda: self.release(instance.id))
        elif instance.status == STOPPING:
            self._finish_stop(instance, fate)
        elif fate is Fate.LIVES:
            started_at = instance.started_at if instance.status == RUNNING else self._cloud.clock()
            self._instances.put(replace(instance, status=RUNNING, started_at=started_at))
        elif fate is Fate.DIED and instance.status == RUNNING:
            logger.warning("%s died while there was no cloud, and is Stopped", instance.id)
            self._instances.put(replace(instance, status=STOPPED))
        else:
            self._instances.put(instance.starting())
            self._cloud.after_commit(lambda: self.launch(instance.id))
            return Fate.ENDED
        return fate

    def _holds(self, address: str, vpc_id: str) -> bool:
        """Hold an address again; False where another local cloud has it."""
        try:
            self._host.hold_address(address, vpc_id=vpc_id)
        except AddressInUse:
            return False
        return True

    def _adopt(self, instance: Instance) -> Fate:
        machine = self._machine(instance)
        boot_number = instance.boot_number
        try:
            fate = self._host.adopt(machine, lambda: self._died(instance.id, boot_number))
        except LocalCloudError as err:
            logger.error("%s runs, cannot be taken up, and is booted again: %s", instance.id, err)
            return Fate.ENDED
        if fate is Fate.LIVES:
            self._firewall.adopted(instance.id, machine.packet_filter)
        return fate

    def _finish_stop(self, instance: Instance, fate: Fate) -> None:
        if fate is Fate.LIVES:
            self._cloud.after_commit(lambda: self.shut_down(instance.id, STOP_GRACE_S))
        elif instance.is_rebooting:
            self._instances.put(instance.starting())
            self._cloud.after_commit(lambda: self.launch(instance.id))
        else:
            self._instances.put(replace(instance, status=STOPPED))

    def _end(self, instance_id: str, grace_s: float) -> None:
        """End an instance's processes, and those of a boot that had just begun; one that waits begins no more."""
        self._host.shut_down(instance_id, grace_s)
        with self._turns.of(instance_id):
            if self._host.is_running(instance_id):
                self._host.shut_down(instance_id, grace_s)

    def _end_at_last(self, instance_id: str, grace_s: float) -> None:
        """End an instance's processes, however long some of them outlive that."""
        while True:
            try:
                return self._end(instance_id, grace_s)
            except LocalCloudError as err:
                if self._closing.wait(_RETRY_S):
                    raise
                logger.error("%s is not at its end yet: %s", instance_id, err)

    def _boot(self, instance_id: str) -> None:
        begun = self._cloud.insist(lambda: self._begin_boot(instance_id), self._closing)
        if begun is None:
            return
        machine, boot_number = begun
        try:
            with self._boots, self._turns.of(instance_id):
                if not self._is_awaited(instance_id, boot_number):
                    return
                self._begun[instance_id] = boot_number
                self._discard_worn(instance_id)
                self._host.hold_address(machine.address, vpc_id=machine.vpc_id)
                self._host.boot(machine, lambda: self._died(instance_id, boot_number))
        except (LocalCloudError, AddressInUse, OSError) as err:
            logger.error("%s could not be booted: %s", instance_id, err)
            self._move(instance_id, {STARTING}, STOPPED, boot_number)
            return
        self._firewall.booted(instance_id, machine.packet_filter)
        self.rewire(instance_id)  # An interface may have come or gone meanwhile.
        self._move(instance_id, {STARTING}, RUNNING, boot_number)

    def _begin_boot(self, instance_id: str) -> tuple[Machine, int] | None:
        """Note that an instance is starting, and give what is to be booted with the number of the boot."""
        instance = self._instances.get(instance_id)
        if instance is None or instance.status not in (PENDING, STARTING) or self._closing.is_set():
            return None
        if instance.status == PENDING:
            instance = instance.starting()
            self._instances.put(instance)
        return self._machine(instance), instance.boot_number

    def _is_awaited(self, instance_id: str, boot_number: int) -> bool:
        """Tell whether a boot is still wanted that waited for others: the instance may be on its way out, or gone.

        It is wanted once, also where a launch for an earlier boot came as late as to find this one.
        """
        if self._closing.is_set() or self._begun.get(instance_id) == boot_number:
            return False
        with self._cloud.transaction():
            instance = self._instances.get(instance_id)
        return (
            instance is not None
            and not instance.is_released
            and (instance.status, instance.boot_number) == (STARTING, boot_number)
        )

    def _machine(self, instance: Instance) -> Machine:
        instance_type = INSTANCE_TYPES[instance.instance_type]
        return Machine(
            instance_id=instance.id,
            address=instance.private_address,
            user_data=base64.b64decode(instance.user_data),
            metadata_url=self._cloud.metadata_url(instance.id),
            storage_url=f"http://{self._cloud.endpoint}",
            vpc_id=instance.vpc_id,
            wiring=self._wiring(instance),
            image=self.image_folder(instance.image_id),
            packet_filter=self._firewall.filter_of(instance),
            vcpus=instance_type.vcpus,
            memory_mib=int(instance_type.memory_gib * 1024),
        )

    def _wiring(self, instance: Instance) -> Wiring:
        service = self._cloud.services.get("vpc")
        vpc = service.find_vpc(instance.vpc_id) if isinstance(service, VpcState) else None
        attached = self._interfaces.where("instance_id", instance.id)
        return Wiring(
            routes=vpc.blocks if vpc is not None else (),
            addresses=instance.secondary_addresses,
            devices={one.id: one.addresses for one in attached},
        )

    def _died(self, instance_id: str, boot_number: int) -> None:
        """Tell that no process of a boot is left, which is news only if nobody asked for it."""
        if not self._closing.is_set():
            self._move(instance_id, {STARTING, RUNNING}, STOPPED, boot_number)

    def _move(
        self, instance_id: str, origins: Collection[str], status: str, boot_number: int | None = None
    ) -> str:
        """Move an instance on, and give the status that it came to; nothing where it is not as the move awaits it.

        One that is rebooting comes to be Starting in place of Stopped.
        """

        def move() -> str:
            instance = self._instances.get(instance_id)
            if self._closing.is_set() or instance is None:
                return ""
            if instance.status not in origins or instance.is_released:
                return ""
            if boot_number not in (None, instance.boot_number):
                return ""
            started_at = self._cloud.clock() if status == RUNNING else instance.started_at
            moved = replace(instance, status=status, started_at=started_at)
            moved = instance.starting() if instance.is_rebooting else moved
            self._instances.put(moved)
            return moved.status

        if self._closing.is_set():
            return ""
        reached = self._cloud.insist(move, self._closing) or ""
        if reached:
            logger.info("%s is %s", instance_id, reached)
        return reached

    def _spawn(self, name: str, run: Callable[[], None]) -> None:
        def run_and_leave() -> None:
            try:
                run()
            except LocalCloudError as err:
                logger.error("%s: %s", name, err)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run_and_leave, name=name, daemon=True)
        with self._lock:
            if self._closing.is_set():
                return
            self._threads.add(thread)
            thread.start()  # with the lock: whoever waits for all threads waits for none that has not begun
