from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.setting import read_check, read_group
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.server_group_actions import ZonalServerGroupActions


class ServerGroupActions(ZonalServerGroupActions[LoadBalancer, ServerGroup, Listener], NlbState):
    """Server groups. The address of a client is never preserved: a server sees the load balancer's."""

    def read_settings(
        self, params: Mapping[str, object], old: models.ServerGroup | None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Read a server group's settings and those of its health check."""
        settings = read_group(params, None if old is None else old.settings)
        return settings, read_check(params, None if old is None else old.check)
