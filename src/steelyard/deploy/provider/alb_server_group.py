"""Server groups of application load balancers, with the servers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import AlbType, tag_writer
from steelyard.deploy.provider.alb_shape import found, sent
from steelyard.deploy.provider.api import ALB, Api, token_items
from steelyard.deploy.provider.nlb_server_group import list_servers
from steelyard.deploy.provider.resource_type import wait_gone
from steelyard.deploy.provider.tag import tag_map

_BUSY = (*AlbType.busy, "IncorrectStatus.ServerGroup", "OperationFailed.ResourceGroupStatusCheckFail")
_SERVER = ("serverId", "serverType", "port", "weight", "description", "serverIp", "remoteIpEnabled")


class ServerGroup(AlbType):
    """`alicloud.alb.ServerGroup`. There is no class for one server of it: they are a list of the group's.

    A server whose entry changes, be it the weight alone, is removed and added again, as the vendor's provider does it.
    """

    token = "alicloud:alb/serverGroup:ServerGroup"
    create_only = frozenset({"vpcId", "protocol", "serverGroupType", "ipv6Enabled", "resourceGroupId"})
    changeable = frozenset(
        {
            "connectionDrainConfig",
            "crossZoneEnabled",
            "healthCheckConfig",
            "scheduler",
            "serverGroupName",
            "servers",
            "serviceName",
            "slowStartConfig",
            "stickySessionConfig",
            "tags",
            "uchConfig",
            "upstreamKeepaliveEnabled",
        }
    )

    _ATTRIBUTES: ClassVar = changeable - {"servers", "tags"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateServerGroup, wait until it is available, AddServersToServerGroup, TagResources."""
        names = self.create_only | self._ATTRIBUTES
        params = {
            **sent({name: inputs.get(name) for name in names}),
            "ClientToken": api.operation.token,
        }
        group_id = str(api.call(ALB, "CreateServerGroup", params, retry_on=_BUSY)["ServerGroupId"])
        api.operation.allocated(group_id)
        self._wait_available(api, group_id)
        self._change_servers(api, group_id, {}, inputs)
        tag_writer(api, "servergroup").change(group_id, {}, inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListServerGroups and ListServerGroupServers."""
        group = _find(api, resource_id)
        if group is None:
            return None
        names = self.create_only | self._ATTRIBUTES
        servers = [found(server) for server in list_servers(api, resource_id, product=ALB)]
        return {
            **{name: value for name, value in found(group).items() if name in names},
            "status": group.get("ServerGroupStatus"),
            "createTime": group.get("CreateTime"),
            "servers": [
                # A weight of nothing is a weight, too.
                {**server, "weight": server.get("weight", 0)}
                for server in servers
            ],
            "tags": tag_map(group.get("Tags") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateServerGroupAttribute with what changed, then the servers' actions and the tags'."""
        changed = {name: new.get(name) for name in self._ATTRIBUTES if old.get(name) != new.get(name)}
        if changed:
            params = {"ServerGroupId": resource_id, **sent(changed)}
            api.call(ALB, "UpdateServerGroupAttribute", params, retry_on=_BUSY)
            self._wait_available(api, resource_id)
        self._change_servers(api, resource_id, old, new)
        tag_writer(api, "servergroup").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteServerGroup, waiting for what uses it to go, its job, then wait until it is gone."""
        self.do_job(api, "DeleteServerGroup", {"ServerGroupId": resource_id}, "ResourceInUse", *_BUSY)
        wait_gone(api, lambda: _find(api, resource_id) is not None, f"server group {resource_id}")

    def _change_servers(self, api: Api, group_id: str, old: Values, new: Values) -> None:
        """RemoveServersFromServerGroup, then AddServersToServerGroup."""
        before, after = _servers(old), _servers(new)
        removed = [
            {name: server[name] for name in ("ServerId", "ServerType", "Port", "ServerIp") if name in server}
            for server in before
            if server not in after
        ]
        added = [server for server in after if server not in before]
        for action, servers in (
            ("RemoveServersFromServerGroup", removed),
            ("AddServersToServerGroup", added),
        ):
            if servers:
                params = {"ServerGroupId": group_id, "Servers": servers}
                api.call(ALB, action, params, retry_on=_BUSY)
                self._wait_available(api, group_id)

    def _wait_available(self, api: Api, group_id: str) -> None:
        def look() -> bool | None:
            return True if (_find(api, group_id) or {}).get("ServerGroupStatus") == "Available" else None

        api.wait(look, what=f"server group {group_id}")


def _servers(inputs: Values) -> list[dict[str, Any]]:
    servers = [
        sent({name: server.get(name) for name in _SERVER if server.get(name) != ""})
        for server in inputs.get("servers") or []
    ]
    # The vendor's provider sends a weight of 0 where none is given; the API's own default is 100.
    return [{**server, "Weight": server.get("Weight", 0)} for server in servers]


def _find(api: Api, group_id: str) -> Mapping[str, Any] | None:
    groups = token_items(api, ALB, "ListServerGroups", {"ServerGroupIds": [group_id]}, "ServerGroups")
    return next(groups, None)
