from __future__ import annotations

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.backend import BackendReader
from steelyard.localcloud.services.slb.models import Listener, ServerGroup
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.tag import has_tags, read_tags, tag_rows
from steelyard.localcloud.text import utc_text

_SERVERS = "MasterSlaveBackendServers"


class PairActions(SlbState):
    """Primary/secondary server groups of TCP and UDP listeners: the second server takes what the first cannot.

    They are made with their servers and do not change.
    """

    @action("CreateMasterSlaveServerGroup")
    def create_pair(self, request: Request) -> dict[str, object]:
        """Create a group of two servers."""
        balancer = self.load_balancer(request)
        group_id = self.cloud.new_id("rsp")
        group = ServerGroup(
            id=group_id,
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            load_balancer_id=balancer.id,
            name=request.text("MasterSlaveServerGroupName") or group_id,
            servers=tuple(BackendReader(self.ecs.find_instance, has_ports=True).read_pair(request, _SERVERS)),
            is_pair=True,
        )
        self.server_groups.put(group)
        return {"MasterSlaveServerGroupId": group.id, **_answered_servers(group)}

    @action("DescribeMasterSlaveServerGroups")
    def describe_pairs(self, request: Request) -> dict[str, object]:
        """List a load balancer's groups, if asked with the listeners that use them."""
        balancer, tags = self.load_balancer(request), read_tags(request)
        rows = [
            {
                **_answered(group),
                "AssociatedObjects": {
                    "Listeners": {
                        "Listener": [
                            {"Port": one.port, "Protocol": one.protocol}
                            for one in self._pair_users(group)
                            if request.flag("IncludeListener")
                        ]
                    }
                },
            }
            for group in self.groups_of(balancer.id).values()
            if group.is_pair and has_tags(group.tags, tags)
        ]
        return {"MasterSlaveServerGroups": {"MasterSlaveServerGroup": rows}}

    @action("DescribeMasterSlaveServerGroupAttribute")
    def describe_pair(self, request: Request) -> dict[str, object]:
        """Give one group with its servers."""
        group = self._pair(request)
        return {**_answered(group), **_answered_servers(group), "LoadBalancerId": group.load_balancer_id}

    @action("DeleteMasterSlaveServerGroup")
    def delete_pair(self, request: Request) -> dict[str, object]:
        """Delete a group that no listener uses any more."""
        group = self._pair(request)
        if self._pair_users(group):
            raise errors.server_group_in_use()
        self.server_groups.delete(group.id)
        return {}

    def _pair(self, request: Request) -> ServerGroup:
        group = self.server_groups.get(request.text("MasterSlaveServerGroupId"))
        if group is None or not group.is_pair:
            raise errors.server_group_not_found("MasterSlaveServerGroupId")
        return group

    def _pair_users(self, group: ServerGroup) -> list[Listener]:
        return [one for one in self.listeners_of(group.load_balancer_id) if one.server_group_id == group.id]


def _answered(group: ServerGroup) -> dict[str, object]:
    return {
        "MasterSlaveServerGroupId": group.id,
        "MasterSlaveServerGroupName": group.name,
        "CreateTime": utc_text(group.created_at),
        "Tags": {"Tag": tag_rows(group.tags)},
    }


def _answered_servers(group: ServerGroup) -> dict[str, object]:
    return {_SERVERS: {"MasterSlaveBackendServer": list(group.servers)}}
