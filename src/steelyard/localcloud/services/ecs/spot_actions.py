from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.due_clock import DueClock
from steelyard.localcloud.services.ecs.models import RUNNING, STARTING, STOPPING, Instance
from steelyard.localcloud.services.ecs.power_actions import PowerActions

RECLAIM_NOTICE_S = 300.0
"""Time between the announcement and the end (help page "What is a spot instance")."""


class SpotActions(PowerActions):
    """What becomes of spot instances when the cloud wants them back."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._reclaims = DueClock("reclaim", self._take_back, cloud.clock)

    def start(self) -> None:
        """Take up the announced ends, after the instances."""
        super().start()
        for instance in self.instances.list():
            if instance.reclaim_at:
                self._reclaims.set(instance.id, instance.reclaim_at)

    def stop(self) -> None:
        """Carry no end out any more."""
        self._reclaims.close()
        super().stop()

    def release_instance(self, instance: Instance) -> None:
        """End an instance and all that there is of it, and with it the wait for its end."""
        super().release_instance(instance)
        self.cloud.after_commit(lambda: self._reclaims.cancel(instance.id))

    def announce_reclaim(self, instance_id: str, after_s: float = RECLAIM_NOTICE_S) -> float:
        """Announce that a spot instance is taken back, and take it back a while later.

        From now on its metadata service tells the time (`instance/spot/termination-time`), and DescribeInstances says
        that it is locked for recycling. Then it is released or, where its `SpotInterruptionBehavior` is `Stop`, stopped
        without being charged for. A second announcement takes the place of the first.

        Args:
            instance_id: The instance.
            after_s: Seconds until it is carried out.

        Returns:
            The Unix time at which it will be.

        Raises:
            ApiError: `InvalidInstanceId.NotFound`, or `IncorrectInstanceStatus` where it does not run, or
                `InvalidInstanceChargeType.ValueNotSupported` where it is no spot instance.
        """
        with self.cloud.transaction():
            instance = self.find_instance(instance_id)
            if instance is None:
                raise errors.instance_not_found()
            if instance.spot_strategy == "NoSpot":
                raise errors.no_spot_instance(instance_id)
            if instance.status not in (STARTING, RUNNING):
                raise errors.incorrect_status(instance.status)
            due_at = self.cloud.clock() + after_s
            self.instances.put(replace(instance, reclaim_at=due_at))
            self.cloud.after_commit(lambda: self._schedule_reclaim(instance_id))
        return due_at

    def _schedule_reclaim(self, instance_id: str) -> None:
        with self.cloud.transaction():  # Another end may have been announced meanwhile.
            instance = self.find_instance(instance_id)
            if instance is not None and instance.reclaim_at:
                self._reclaims.set(instance_id, instance.reclaim_at)

    def _take_back(self, instance_id: str) -> None:
        with self.cloud.transaction():
            instance = self.find_instance(instance_id)
            if instance is None or not 0 < instance.reclaim_at <= self.cloud.clock():
                return
            if instance.spot_interruption_behavior == "Terminate":
                self.release_instance(instance)
                return
            taken = replace(instance, stopped_mode="StopCharging", reclaim_at=0.0)
            if instance.status in (STARTING, RUNNING):
                self.instances.put(replace(taken, status=STOPPING))
                self.cloud.after_commit(lambda: self.life.shut_down(instance_id, 0.0))
            elif instance.is_rebooting:  # It ends already.
                self.instances.put(replace(taken, is_rebooting=False))
            else:
                self.instances.put(replace(instance, reclaim_at=0.0))
