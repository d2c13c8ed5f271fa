"""What zones have in stock: everything, but for the limits that somebody sets to see what happens then."""

from __future__ import annotations

from collections.abc import Iterable

from steelyard.localcloud.services.ecs.models import STOPPED, Instance
from steelyard.localcloud.store import Store

_KIND = "ecs_stock"
_CLOSED = "ecs_closed_zone"


class Stock:
    """How many instances of a type a zone holds, where that is limited.

    Args:
        store: The cloud's state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def limit(self, instance_type: str, zone_id: str, num_instances: int | None) -> None:
        """Limit a type in a zone; it is called inside of a transaction.

        Args:
            instance_type: The type.
            zone_id: The zone.
            num_instances: Instances that the zone holds at most, those that it has included; 0 sells it out, and None
                lifts the limit. Instances that are there stay, whatever the limit.
        """
        key = f"{zone_id}/{instance_type}"
        if num_instances is None:
            self._store.delete(_KIND, key)
        else:
            body: dict[str, object] = {"zone": zone_id, "type": instance_type, "limit": num_instances}
            self._store.put(_KIND, key, body)

    def close_zone(self, zone_id: str) -> None:
        """Let a zone have nothing, of any type; it is called inside of a transaction."""
        self._store.put(_CLOSED, zone_id, {"zone": zone_id})

    def open_zone(self, zone_id: str) -> None:
        """Let a zone that was closed have again what it had; it is called inside of a transaction."""
        self._store.delete(_CLOSED, zone_id)

    def closed_zones(self) -> frozenset[str]:
        """Give the zones that are closed."""
        return frozenset(str(body["zone"]) for body in self._store.list(_CLOSED))

    def limits(self) -> dict[tuple[str, str], int]:
        """Give all limits by type and zone."""
        return {
            (str(body["type"]), str(body["zone"])): int(str(body["limit"]))
            for body in self._store.list(_KIND)
        }

    def left(self, instance_type: str, zone_id: str, instances: Iterable[Instance]) -> int | None:
        """Tell how many more instances of a type a zone holds; None where nothing limits it.

        Args:
            instance_type: The type.
            zone_id: The zone.
            instances: All instances; one that is stopped and not charged for holds none of the stock.
        """
        if self._store.get(_CLOSED, zone_id) is not None:
            return 0
        limit = self.limits().get((instance_type, zone_id))
        if limit is None:
            return None
        used = sum(
            (instance.instance_type, instance.zone_id) == (instance_type, zone_id)
            and not (instance.status == STOPPED and instance.stopped_mode == "StopCharging")
            for instance in instances
        )
        return max(0, limit - used)
