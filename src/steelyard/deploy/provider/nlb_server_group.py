"""Server groups of network load balancers, and the servers in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import NLB, Api, token_items
from steelyard.deploy.provider.nlb import NlbType
from steelyard.deploy.provider.resource_type import changes, nested, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter, tag_list, tag_map
from steelyard.errors import ResourceError
from steelyard.product import Product

_CHECK = {
    "healthCheckConnectPort": "HealthCheckConnectPort",
    "healthCheckConnectTimeout": "HealthCheckConnectTimeout",
    "healthCheckDomain": "HealthCheckDomain",
    "healthCheckEnabled": "HealthCheckEnabled",
    "healthCheckExp": "HealthCheckExp",
    "healthCheckHttpCodes": "HealthCheckHttpCode",
    "healthCheckHttpVersion": "HealthCheckHttpVersion",
    "healthCheckInterval": "HealthCheckInterval",
    "healthCheckReq": "HealthCheckReq",
    "healthCheckType": "HealthCheckType",
    "healthCheckUrl": "HealthCheckUrl",
    "healthyThreshold": "HealthyThreshold",
    "httpCheckMethod": "HttpCheckMethod",
    "unhealthyThreshold": "UnhealthyThreshold",
}


class ServerGroup(NlbType):
    """`alicloud.nlb.ServerGroup`; its servers are attached one by one."""

    token = "alicloud:nlb/serverGroup:ServerGroup"
    create_only = frozenset(
        {"vpcId", "addressIpVersion", "anyPortEnabled", "protocol", "serverGroupType", "resourceGroupId"}
    )
    changeable = frozenset(
        {
            "serverGroupName",
            "scheduler",
            "connectionDrainEnabled",
            "connectionDrainTimeout",
            "preserveClientIpEnabled",
            "healthCheck",
            "tags",
        }
    )

    _CHANGE: ClassVar = {
        "serverGroupName": "ServerGroupName",
        "scheduler": "Scheduler",
        "connectionDrainEnabled": "ConnectionDrainEnabled",
        "connectionDrainTimeout": "ConnectionDrainTimeout",
        "preserveClientIpEnabled": "PreserveClientIpEnabled",
    }
    _CREATE: ClassVar = {
        **_CHANGE,
        "vpcId": "VpcId",
        "addressIpVersion": "AddressIPVersion",
        "anyPortEnabled": "AnyPortEnabled",
        "protocol": "Protocol",
        "serverGroupType": "ServerGroupType",
        "resourceGroupId": "ResourceGroupId",
    }
    _READ: ClassVar = {**_CREATE, "status": "ServerGroupStatus", "regionId": "RegionId"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateServerGroup, then wait until it is available."""
        params = {
            **wire(inputs, self._CREATE),
            "HealthCheckConfig": self._check(inputs),
            "Tag": tag_list(inputs.get("tags")),
            "ClientToken": api.operation.token,
        }
        group_id = str(api.call(NLB, "CreateServerGroup", params, retry_on=self.busy)["ServerGroupId"])
        api.operation.allocated(group_id)
        self._wait_available(api, group_id)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListServerGroups."""
        group = _find(api, resource_id)
        if group is None:
            return None
        return {
            **shown(group, self._READ),
            "healthCheck": shown(group.get("HealthCheck") or {}, _CHECK),
            "tags": tag_map(group.get("Tags") or []),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateServerGroupAttribute with what changed, its job, TagResources, UntagResources."""
        changed = changes(old, new, self._CHANGE)
        if old.get("healthCheck") != new.get("healthCheck"):
            changed["HealthCheckConfig"] = self._check(new)
        if changed:
            self.do_job(api, "UpdateServerGroupAttribute", {"ServerGroupId": resource_id, **changed})
            self._wait_available(api, resource_id)
        TagWriter(api, NLB, "servergroup").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteServerGroup, waiting for the listeners that use it to go, its job, then wait until it is gone."""
        try:
            self.do_job(api, "DeleteServerGroup", {"ServerGroupId": resource_id}, "ResourceInUse")
        except ResourceError as err:
            if not err.code.startswith("ResourceNotFound"):
                raise
        wait_gone(api, lambda: _find(api, resource_id) is not None, f"server group {resource_id}")

    def _check(self, inputs: Values) -> dict[str, Any]:
        return nested(inputs.get("healthCheck") or {}, _CHECK, "healthCheck")

    def _wait_available(self, api: Api, group_id: str) -> None:
        def look() -> bool | None:
            return True if (_find(api, group_id) or {}).get("ServerGroupStatus") == "Available" else None

        api.wait(look, what=f"server group {group_id}")


class ServerGroupServerAttachment(NlbType):
    """`alicloud.nlb.ServerGroupServerAttachment`: one server of a server group; its weight changes in place."""

    token = "alicloud:nlb/serverGroupServerAttachment:ServerGroupServerAttachment"
    create_only = frozenset({"serverGroupId", "serverId", "serverType", "port", "serverIp"})
    changeable = frozenset({"weight", "description"})

    _SERVER: ClassVar = {
        "serverId": "ServerId",
        "serverType": "ServerType",
        "port": "Port",
        "serverIp": "ServerIp",
        "weight": "Weight",
        "description": "Description",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """AddServersToServerGroup, then wait until the server is available."""
        parts = (
            inputs["serverGroupId"],
            inputs["serverId"],
            inputs["serverType"],
            str(inputs.get("port") or 0),
        )
        params = {
            "ServerGroupId": inputs["serverGroupId"],
            "Servers": [wire(inputs, self._SERVER)],
            "ClientToken": api.operation.token,
        }
        api.call(NLB, "AddServersToServerGroup", params, retry_on=self.busy)
        attachment_id = ":".join(parts)
        api.operation.allocated(attachment_id)
        self._wait_available(api, attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """ListServerGroupServers, and in it the server."""
        server = self._find(api, resource_id)
        if server is None:
            return None
        names = {**self._SERVER, "serverGroupId": "ServerGroupId", "status": "Status", "zoneId": "ZoneId"}
        return shown(server, names)

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateServerGroupServersAttribute, its job, then wait until the server is available."""
        self.do_job(api, "UpdateServerGroupServersAttribute", self._named(resource_id, new))
        self._wait_available(api, resource_id)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveServersFromServerGroup, its job, then wait until the server is gone."""
        self.do_job(api, "RemoveServersFromServerGroup", self._named(resource_id, {}))
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"server {resource_id}")

    def _named(self, attachment_id: str, inputs: Values) -> dict[str, Any]:
        group_id, server_id, server_type, port = attachment_id.split(":")
        server = {"ServerId": server_id, "ServerType": server_type, "Port": int(port)}
        settings = wire(inputs, {"weight": "Weight", "description": "Description"})
        return {"ServerGroupId": group_id, "Servers": [{**server, **settings}]}

    def _find(self, api: Api, attachment_id: str) -> Mapping[str, Any] | None:
        group_id, server_id, server_type, port = attachment_id.split(":")
        for server in list_servers(api, group_id, server_id):
            if (server["ServerType"], str(server["Port"])) == (server_type, port):
                return server
        return None

    def _wait_available(self, api: Api, attachment_id: str) -> None:
        def look() -> bool | None:
            return True if (self._find(api, attachment_id) or {}).get("Status") == "Available" else None

        api.wait(look, what=f"server {attachment_id}")


def list_servers(
    api: Api, group_id: str, *server_ids: str, product: Product = NLB
) -> list[Mapping[str, Any]]:
    """Return the servers of a server group, or those of some ids; NLB and ALB list them in the same way."""
    params: dict[str, Any] = {"ServerGroupId": group_id}
    if server_ids:
        params["ServerIds"] = list(server_ids)
    return list(token_items(api, product, "ListServerGroupServers", params, "Servers"))


def _find(api: Api, group_id: str) -> Mapping[str, Any] | None:
    groups = api.call(NLB, "ListServerGroups", {"ServerGroupIds": [group_id]}).get("ServerGroups") or []
    return groups[0] if groups else None
