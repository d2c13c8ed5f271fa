from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import backend, errors
from steelyard.localcloud.services.slb.backend import BackendReader
from steelyard.localcloud.services.slb.models import Server, ServerGroup
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.tag import has_tags, read_tags, tag_rows
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter


class ServerGroupActions(SlbState):
    """Server groups and the load balancers' default servers: what changes is in force when the answer comes."""

    @action("CreateVServerGroup")
    def create_server_group(self, request: Request) -> dict[str, object]:
        """Create a server group, with servers if the call names some."""
        balancer = self.load_balancer(request)
        group = ServerGroup(
            id=self.cloud.new_id("rsp"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            load_balancer_id=balancer.id,
            name=_read_name(request, ""),
            servers=backend.merged((), self._group_reader.read_new(request)),
        )
        group = replace(group, name=group.name or group.id)
        self.server_groups.put(group)
        return {"VServerGroupId": group.id, "BackendServers": {"BackendServer": list(group.servers)}}

    @action("DescribeVServerGroupAttribute")
    def describe_server_group_attribute(self, request: Request) -> dict[str, object]:
        """Give one server group with its servers."""
        group = self.server_group(request)
        servers = [
            {**server, "ServerIp": self.find_address(str(server["ServerId"])) or ""}
            for server in group.servers
        ]
        return {
            "VServerGroupId": group.id,
            "VServerGroupName": group.name,
            "LoadBalancerId": group.load_balancer_id,
            "CreateTime": utc_text(group.created_at),
            "BackendServers": {"BackendServer": servers},
            "Tags": {"Tag": tag_rows(group.tags)},
        }

    @action("DescribeVServerGroups")
    def describe_server_groups(self, request: Request) -> dict[str, object]:
        """List a load balancer's server groups."""
        balancer, tags = self.load_balancer(request), read_tags(request)
        listeners = self.listeners_of(balancer.id)
        rows = []
        for group in self.groups_of(balancer.id).values():
            if group.is_pair or not has_tags(group.tags, tags):
                continue
            users = [
                {"Port": listener.port, "Protocol": listener.protocol}
                for listener in listeners
                if request.flag("IncludeListener") and listener.server_group_id == group.id
            ]
            rules = [
                {"RuleId": rule.id, "RuleName": rule.name, "Domain": rule.domain, "Url": rule.url}
                for rule in self.rules.list()
                if request.flag("IncludeRule") and rule.server_group_id == group.id
            ]
            rows.append(
                {
                    "VServerGroupId": group.id,
                    "VServerGroupName": group.name,
                    "ServerCount": len(group.servers),
                    "CreateTime": utc_text(group.created_at),
                    "AssociatedObjects": {"Listeners": {"Listener": users}, "Rules": {"Rule": rules}},
                    "Tags": {"Tag": tag_rows(group.tags)},
                }
            )
        return {"VServerGroups": {"VServerGroup": rows}}

    @action("SetVServerGroupAttribute")
    def set_server_group_attribute(self, request: Request) -> dict[str, object]:
        """Change a server group's name, and the weights of servers in it."""
        group = self.server_group(request)
        changes = self._group_reader.read_changes(request)
        group = replace(group, name=_read_name(request, group.name))
        answer = self._put_group(request, group, backend.changed(group.servers, changes))
        return {**answer, "VServerGroupName": group.name}

    @action("DeleteVServerGroup")
    def delete_server_group(self, request: Request) -> dict[str, object]:
        """Delete a server group that no listener and no rule uses any more."""
        group = self.server_group(request)
        listeners = self.listeners_of(group.load_balancer_id)
        if any(listener.server_group_id == group.id for listener in listeners):
            raise errors.server_group_in_use()
        if any(rule.server_group_id == group.id for rule in self.rules.list()):
            raise errors.server_group_ruled()
        self.server_groups.delete(group.id)
        return {}

    @action("AddVServerGroupBackendServers")
    def add_server_group_backend_servers(self, request: Request) -> dict[str, object]:
        """Add running instances to a server group; one that is there takes the new weight."""
        group = self.server_group(request)
        added = self._group_reader.read_new(request)
        return self._put_group(request, group, backend.merged(group.servers, added))

    @action("RemoveVServerGroupBackendServers")
    def remove_server_group_backend_servers(self, request: Request) -> dict[str, object]:
        """Remove servers from a server group; requests that they are answering come to their end."""
        group = self.server_group(request)
        gone = self._group_reader.read_keys(request)
        return self._put_group(request, group, backend.without(group.servers, gone))

    @action("ModifyVServerGroupBackendServers")
    def modify_server_group_backend_servers(self, request: Request) -> dict[str, object]:
        """Exchange servers of a server group for others, in one step."""
        group = self.server_group(request)
        gone = self._group_reader.read_keys(request, "OldBackendServers")
        added = self._group_reader.read_new(request, "NewBackendServers")
        servers = backend.merged(backend.without(group.servers, gone), added)
        return self._put_group(request, group, servers)

    @action("AddBackendServers")
    def add_backend_servers(self, request: Request) -> dict[str, object]:
        """Add running instances to a load balancer's default servers; one that is there takes the new weight."""
        balancer = self.load_balancer(request)
        added = self._default_reader.read_new(request)
        servers = backend.merged(balancer.servers, added)
        return self._put_default(request, balancer.id, servers, weight_type=str)

    @action("RemoveBackendServers")
    def remove_backend_servers(self, request: Request) -> dict[str, object]:
        """Remove servers from a load balancer's default servers."""
        balancer = self.load_balancer(request)
        gone = self._default_reader.read_keys(request)
        servers = backend.without(balancer.servers, gone)
        return self._put_default(request, balancer.id, servers, weight_type=int)

    @action("SetBackendServers")
    def set_backend_servers(self, request: Request) -> dict[str, object]:
        """Change the weights of a load balancer's default servers."""
        balancer = self.load_balancer(request)
        changes = self._default_reader.read_changes(request)
        servers = backend.changed(balancer.servers, changes)
        return self._put_default(request, balancer.id, servers, weight_type=str)

    @property
    def _group_reader(self) -> BackendReader:
        return BackendReader(self.ecs.find_instance, has_ports=True)

    @property
    def _default_reader(self) -> BackendReader:
        return BackendReader(self.ecs.find_instance, has_ports=False)

    def _put_group(
        self, request: Request, group: ServerGroup, servers: Sequence[Server]
    ) -> dict[str, object]:
        self.server_groups.put(replace(group, servers=tuple(servers)))
        self.apply(request, group.load_balancer_id)
        return {"VServerGroupId": group.id, "BackendServers": {"BackendServer": list(servers)}}

    def _put_default(
        self,
        request: Request,
        load_balancer_id: str,
        servers: Sequence[Server],
        *,
        weight_type: type[int | str],
    ) -> dict[str, object]:
        """Keep and apply the default servers, and answer them with the action's own type of weights."""
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        self.load_balancers.put(replace(balancer, servers=tuple(servers)))
        self.apply(request, load_balancer_id)
        rows = [{**server, "Weight": weight_type(str(server["Weight"]))} for server in servers]
        return {"LoadBalancerId": load_balancer_id, "BackendServers": {"BackendServer": rows}}


def _read_name(request: Request, default: str) -> str:
    name = request.text("VServerGroupName") or default
    if len(name) > 80:
        raise invalid_parameter("VServerGroupName", name, "of 1 to 80 characters")
    return name
