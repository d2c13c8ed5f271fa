from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from steelyard.localcloud.services.zonal.models import Server, ServerGroup
from steelyard.localcloud.services.zonal.state import B, G, L, ZonalState
from steelyard.localcloud.traffic.server_status import Health, ServerStatus


def server_name(server: Server) -> str:
    """Give the name of a server in HAProxy."""
    return f"{server['ServerId']}:{server['Port']}"


class ZonalHealth(ZonalState[B, G, L]):
    """What the products tell of the health of servers.

    Attributes:
        reasons: The product's word for why a server is not healthy, by HAProxy's for the outcome of a check (management
            guide, `check_status`).
        unused_status: The product's word for a checked server that has no weight; None where it has none, and what the
            checks find is told.
    """

    reasons: ClassVar[Mapping[str, str]]
    unused_status: ClassVar[str | None] = None

    def unhealthy_servers(
        self, pool_name: str, group: ServerGroup, statuses: Mapping[tuple[str, str], ServerStatus]
    ) -> list[dict[str, object]]:
        """Tell which servers of a group are not healthy, as HAProxy's checks find it.

        Args:
            pool_name: The pool of the group's servers in HAProxy.
            group: The group.
            statuses: What HAProxy knows, by pool's and server's name.
        """
        is_checked = bool(group.check["HealthCheckEnabled"])
        rows = []
        for server in group.servers:
            told = self._told(server, statuses.get((pool_name, server_name(server))), is_checked)
            if told is not None:
                server_id = str(server["ServerId"])
                where = {"ServerIp": self.find_address(server_id) or "", "Port": server["Port"]}
                rows.append({"ServerId": server_id, **where, **told})
        return rows

    def _told(
        self, server: Server, status: ServerStatus | None, is_checked: bool
    ) -> dict[str, object] | None:
        """Give what is said of a server, nothing of one that is healthy."""
        if not is_checked:
            return {"Status": "Unavailable"}
        if self.unused_status and not server["Weight"]:
            return {"Status": self.unused_status}
        if status is None or status.health is Health.UNAVAILABLE:
            return {"Status": "Initial"}
        if status.health is Health.NORMAL:
            return None
        reason = self.reasons.get(status.reason)
        return {"Status": "Unhealthy", "Reason": {"ReasonCode": reason} if reason else {}}
