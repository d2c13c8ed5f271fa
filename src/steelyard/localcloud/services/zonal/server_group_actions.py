from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.load_balancer_actions import ZonalBalancerActions
from steelyard.localcloud.services.zonal.models import Server, ServerGroup
from steelyard.localcloud.services.zonal.server import ServerReader
from steelyard.localcloud.services.zonal.state import B, G, L
from steelyard.localcloud.tag import has_tags, read_tags

RESOURCE_TYPE = "servergroup"


class ZonalServerGroupActions(ZonalBalancerActions[B, G, L]):
    """Server groups and the servers in them: what changes is in force when the answer comes.

    Where draining is on, the connections of a server that is removed or unhealthy are closed when its time is over.
    """

    @abstractmethod
    def read_settings(
        self, params: Mapping[str, object], old: ServerGroup | None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Read a server group's settings and those of its health check.

        Args:
            params: The call's parameters.
            old: The group as it is; None for a new one, which gets the defaults.

        Raises:
            ApiError: `InvalidParameter` for a value that is not allowed, `UnsupportedOperation` for what the local
                cloud does not serve.
        """

    @action("CreateServerGroup")
    def create_server_group(self, request: Request) -> dict[str, object]:
        """Create a server group without servers."""
        vpc = self.read_vpc(request)
        settings, check = self.read_settings(request.params, None)
        group = self.group_type(
            id=self.cloud.new_id("sgp"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            vpc_id=vpc.id,
            name=self.read_name(request, "ServerGroupName", ""),
            settings=settings,
            check=check,
        )
        self.server_groups.put(self.settling(group, "Creating"))  # type: ignore[arg-type]
        return {**self.done(request, group.id, RESOURCE_TYPE), "ServerGroupId": group.id}

    @action("ListServerGroups")
    def list_server_groups(self, request: Request) -> dict[str, object]:
        """List server groups by ids, names, VPC, kind and tags."""
        ids, names = request.texts("ServerGroupIds"), request.texts("ServerGroupNames")
        tags, now = read_tags(request), self.cloud.clock()
        filters = ("VpcId", "ServerGroupType", "ResourceGroupId")
        found = [
            group
            for group in self.server_groups.list()
            if group.region_id == request.region_id
            and (not ids or group.id in ids)
            and (not names or group.name in names)
            and has_tags(group.tags, tags)
            and all(request.text(name) in ("", group.to_answer(now)[name]) for name in filters)
        ]

        def answered(group: G) -> dict[str, object]:
            return {**group.to_answer(now), "RelatedLoadBalancerIds": self.users_of(group.id)}

        return token_answer(request, "ServerGroups", found, answered)

    @action("UpdateServerGroupAttribute")
    def update_server_group_attribute(self, request: Request) -> dict[str, object]:
        """Change a server group's name, settings and health check without losing a connection."""
        group = self.settled_group(request)
        settings, check = self.read_settings(request.params, group)
        name = self.read_name(request, "ServerGroupName", group.name)
        return self.put_group(request, replace(group, name=name, settings=settings, check=check))

    @action("DeleteServerGroup")
    def delete_server_group(self, request: Request) -> dict[str, object]:
        """Delete a server group that nothing uses any more."""
        group = self.settled_group(request)
        if self.users_of(group.id):
            raise errors.in_use("ServerGroup")
        self.server_groups.delete(group.id)
        return {**self.done(request, group.id, RESOURCE_TYPE), "ServerGroupId": group.id}

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
        return token_answer(request, "Servers", found, dict)

    @action("AddServersToServerGroup")
    def add_servers(self, request: Request) -> dict[str, object]:
        """Add running instances to a server group."""
        group = self.settled_group(request)
        return self.put_group(request, replace(group, servers=self.reader(group).added(request)))

    @action("UpdateServerGroupServersAttribute")
    def update_servers(self, request: Request) -> dict[str, object]:
        """Change the weights and descriptions of servers; open connections are not touched."""
        group = self.settled_group(request)
        return self.put_group(request, replace(group, servers=self.reader(group).changed(request)))

    @action("RemoveServersFromServerGroup")
    def remove_servers(self, request: Request) -> dict[str, object]:
        """Remove servers; their connections end by themselves, or when the draining's time is over."""
        group = self.settled_group(request)
        return self.put_group(request, replace(group, servers=self.reader(group).remaining(request)))

    def reader(self, group: ServerGroup) -> ServerReader:
        """Give what reads the servers that a call names for a group."""
        return ServerReader(group, self.ecs.find_instance)

    def put_group(self, request: Request, group: G) -> dict[str, object]:
        """Keep a changed server group, bring the load balancers that use it to it, and answer with the job."""
        self.server_groups.put(self.settling(group))
        job = self.done(request, group.id, RESOURCE_TYPE)
        self.apply(request, *self.users_of(group.id))
        return {**job, "ServerGroupId": group.id}

    def _row(self, group: ServerGroup, server: Server) -> dict[str, object]:
        instance = self.ecs.find_instance(str(server["ServerId"]))
        return {
            **server,
            "ServerGroupId": group.id,
            "ServerIp": instance.private_address if instance else "",
            "ZoneId": instance.zone_id if instance else "",
            "Status": group.status_at(self.cloud.clock(), "Available"),
        }
