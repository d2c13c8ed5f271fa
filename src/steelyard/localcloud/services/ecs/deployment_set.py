"""Deployment sets: how instances lie to each other on the physical servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.text import utc_text

STRATEGIES = ("Availability", "AvailabilityGroup", "LowLatency")
MAX_GROUPS = 7
"""Groups of the strategy AvailabilityGroup in a zone (help page "Deployment sets", 2026)."""
MAX_INSTANCES = 20
"""Instances of a set in a zone, or of one group of it; from memory."""
MAX_SETS = 100
"""Sets of a region; from memory."""


@dataclass(frozen=True, kw_only=True)
class DeploymentSet(Record):
    """A deployment set. On one machine all instances share the one server; its limits are kept all the same.

    Attributes:
        on_unable_to_redeploy: What is done where a failed instance finds no other server.
    """

    kind: ClassVar[str] = "deployment_set"

    region_id: str
    name: str
    description: str
    strategy: str
    group_count: int
    on_unable_to_redeploy: str

    @property
    def capacity(self) -> int:
        """Instances that it holds in a zone."""
        return MAX_INSTANCES * (self.group_count if self.strategy == "AvailabilityGroup" else 1)

    def members(self, instances: Sequence[Instance]) -> list[Instance]:
        """Give its instances out of all."""
        return [instance for instance in instances if instance.deployment_set_id == self.id]

    def to_answer(self, instances: Sequence[Instance], account_id: str) -> dict[str, object]:
        """Give the fields of DescribeDeploymentSets."""
        members = self.members(instances)
        zones = Counter(instance.zone_id for instance in members)
        capacities = [
            {"ZoneId": zone, "UsedAmount": used, "AvailableAmount": max(0, self.capacity - used)}
            for zone, used in sorted(zones.items())
        ]
        return {
            "DeploymentSetId": self.id,
            "DeploymentSetName": self.name,
            "DeploymentSetDescription": self.description,
            "DeploymentStrategy": self.strategy,
            "Strategy": self.strategy,
            "Domain": "default",
            "Granularity": "host",
            "GroupCount": self.group_count,
            "AccountId": int(account_id),
            "CreationTime": utc_text(self.created_at),
            "InstanceAmount": len(members),
            "InstanceIds": {"InstanceId": [instance.id for instance in members]},
            "Capacities": {"Capacity": capacities},
        }
