from __future__ import annotations

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.services.ecs.due_clock import DueClock
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.power_actions import PowerActions


class AutoRelease(PowerActions):
    """The release of instances at the time that a call set; protection is against calls, and does not hold then."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._releases = DueClock("auto-release", self._release_in_time, cloud.clock)

    def start(self) -> None:
        """Take up the times of release, after the instances."""
        super().start()
        for instance in self.instances.list():
            if instance.auto_release_at:
                self._releases.set(instance.id, instance.auto_release_at)

    def stop(self) -> None:
        """Release nothing any more."""
        self._releases.close()
        super().stop()

    def schedule_release(self, instance: Instance) -> None:
        """Release an instance at its time, or not where it has none, once that is kept."""
        self.cloud.after_commit(lambda: self._schedule(instance.id))

    def _schedule(self, instance_id: str) -> None:
        with self.cloud.transaction():  # Another change may have been kept meanwhile.
            instance = self.find_instance(instance_id)
            if instance is not None and instance.auto_release_at:
                self._releases.set(instance_id, instance.auto_release_at)
            else:
                self._releases.cancel(instance_id)

    def release_instance(self, instance: Instance) -> None:
        """End an instance and all that there is of it, and with it the wait for its time."""
        super().release_instance(instance)
        self.cloud.after_commit(lambda: self._releases.cancel(instance.id))

    def _release_in_time(self, instance_id: str) -> None:
        with self.cloud.transaction():
            instance = self.find_instance(instance_id)
            if instance is not None and 0 < instance.auto_release_at <= self.cloud.clock():
                self.release_instance(instance)
