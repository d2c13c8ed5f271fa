from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.alb.setting import mapping, read_check, read_group
from steelyard.localcloud.services.alb.state import AlbState
from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.server_group_actions import ZonalServerGroupActions
from steelyard.localcloud.wire.error import missing_parameter


class ServerGroupActions(ZonalServerGroupActions[LoadBalancer, ServerGroup, Listener], AlbState):
    """Server groups. Checks by HTTP are of version 1.0 unless they name a host, and answers are not compressed."""

    def read_settings(
        self, params: Mapping[str, object], old: models.ServerGroup | None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Read a server group's settings and those of its health check."""
        settings = read_group(params, None if old is None else old.settings)
        check = read_check(mapping(params.get("HealthCheckConfig")), None if old is None else old.check)
        return settings, check

    @action("ReplaceServersInServerGroup")
    def replace_servers(self, request: Request) -> dict[str, object]:
        """Remove some servers and add others in one change."""
        group = self.settled_group(request)
        if not request.records("AddedServers") and not request.records("RemovedServers"):
            raise missing_parameter("AddedServers")
        if request.records("RemovedServers"):
            group = replace(group, servers=self.reader(group).remaining(request, "RemovedServers"))
        if request.records("AddedServers"):
            group = replace(group, servers=self.reader(group).added(request, "AddedServers"))
        return self.put_group(request, group)
