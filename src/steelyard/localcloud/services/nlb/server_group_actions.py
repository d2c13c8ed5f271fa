from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb import errors
from steelyard.localcloud.services.nlb.load_balancer_actions import read_name
from steelyard.localcloud.services.nlb.models import Server, ServerGroup
from steelyard.localcloud.services.nlb.server import ServerReader
from steelyard.localcloud.services.nlb.setting import read_check, read_group
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.tag import has_tags, read_tags


class ServerGroupActions(NlbState):
    """Server groups and the servers in them: what changes is in force when the answer comes.

    Of draining, what a removed server's connections are given is served; those of an unhealthy server are left alone.
    The address of a client is never preserved: a server sees the load balancer's.
    """

    @action("CreateServerGroup")
    def create_server_group(self, request: Request) -> dict[str, object]:
        """Create a server group without servers."""
        vpc = self.vpc.find_vpc(request.text("VpcId"))
        if vpc is None or vpc.region_id != request.region_id:
            raise errors.not_found("vpc")
        group = ServerGroup(
            id=self.cloud.new_id("sgp"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            vpc_id=vpc.id,
            name=read_name(request, "ServerGroupName", ""),
            settings=read_group(request.params),
            check=read_check(request.params),
        )
        self.server_groups.put(group)
        return {**self.done(), "ServerGroupId": group.id}

    @action("ListServerGroups")
    def list_server_groups(self, request: Request) -> dict[str, object]:
        """List server groups by ids, names, VPC, kind and tags."""
        ids, names = request.texts("ServerGroupIds"), request.texts("ServerGroupNames")
        tags = read_tags(request)
        filters = ("VpcId", "ServerGroupType", "ResourceGroupId")
        found = [
            group
            for group in self.server_groups.list()
            if group.region_id == request.region_id
            and (not ids or group.id in ids)
            and (not names or group.name in names)
            and has_tags(group.tags, tags)
            and all(request.text(name) in ("", group.to_answer()[name]) for name in filters)
        ]
        page, token = token_page(request, found, default=20)
        rows = [{**group.to_answer(), "RelatedLoadBalancerIds": self.users_of(group.id)} for group in page]
        return {
            "ServerGroups": rows,
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 20),
            "TotalCount": len(found),
        }

    @action("UpdateServerGroupAttribute")
    def update_server_group_attribute(self, request: Request) -> dict[str, object]:
        """Change a server group's name, scheduler, draining and health check without losing a connection."""
        group = self.server_group(request.text("ServerGroupId"))
        changed = replace(
            group,
            name=read_name(request, "ServerGroupName", group.name),
            settings=read_group(request.params, group.settings),
            check=read_check(request.params, group.check),
        )
        return self._put_group(request, changed)

    @action("DeleteServerGroup")
    def delete_server_group(self, request: Request) -> dict[str, object]:
        """Delete a server group that no listener uses any more."""
        group = self.server_group(request.text("ServerGroupId"))
        if self.users_of(group.id):
            raise errors.server_group_in_use()
        self.server_groups.delete(group.id)
        return {**self.done(), "ServerGroupId": group.id}

    @action("ListServerGroupServers")
    def list_server_group_servers(self, request: Request) -> dict[str, object]:
        """List the servers of one server group, or of all."""
        group_id = request.text("ServerGroupId")
        groups = [self.server_group(group_id)] if group_id else self.server_groups.list()
        ids, addresses = request.texts("ServerIds"), request.texts("ServerIps")
        found = [
            row
            for group in groups
            for row in (self._row(group, server) for server in group.servers)
            if (not ids or row["ServerId"] in ids) and (not addresses or row["ServerIp"] in addresses)
        ]
        page, token = token_page(request, found, default=20)
        return {
            "Servers": list(page),
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 20),
            "TotalCount": len(found),
        }

    @action("AddServersToServerGroup")
    def add_servers(self, request: Request) -> dict[str, object]:
        """Add running instances to a server group."""
        group = self.server_group(request.text("ServerGroupId"))
        return self._put_group(request, replace(group, servers=self._reader(group).added(request)))

    @action("UpdateServerGroupServersAttribute")
    def update_servers(self, request: Request) -> dict[str, object]:
        """Change the weights and descriptions of servers; open connections are not touched."""
        group = self.server_group(request.text("ServerGroupId"))
        return self._put_group(request, replace(group, servers=self._reader(group).changed(request)))

    @action("RemoveServersFromServerGroup")
    def remove_servers(self, request: Request) -> dict[str, object]:
        """Remove servers; their connections end by themselves, or when the draining's time is over."""
        group = self.server_group(request.text("ServerGroupId"))
        return self._put_group(request, replace(group, servers=self._reader(group).remaining(request)))

    def _reader(self, group: ServerGroup) -> ServerReader:
        return ServerReader(group, self.ecs.find_instance)

    def _put_group(self, request: Request, group: ServerGroup) -> dict[str, object]:
        self.server_groups.put(group)
        job = self.done()
        self.apply(request, *self.users_of(group.id))
        return {**job, "ServerGroupId": group.id}

    def _row(self, group: ServerGroup, server: Server) -> dict[str, object]:
        instance = self.ecs.find_instance(str(server["ServerId"]))
        return {
            **server,
            "ServerGroupId": group.id,
            "ServerIp": instance.private_address if instance else "",
            "ZoneId": instance.zone_id if instance else "",
            "Status": "Available",
        }
