"""Classic load balancers, their server groups and the servers in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import SLB, VPC, Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, nested, shown, wait_gone, wire
from steelyard.deploy.provider.tag import TagWriter

BUSY = (
    "ServiceIsConfiguring",
    "BackendServer.configuring",
    "SystemBusy",
    "OperationBusy",
    "VServerGroupProcessing",
)
"""Codes of a load balancer that is taking in an earlier change."""


class LoadBalancer(ResourceType):
    """`alicloud.slb.ApplicationLoadBalancer`, which is the classic load balancer whatever its name says."""

    token = "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer"
    create_only = frozenset(
        {
            "addressType",
            "vswitchId",
            "masterZoneId",
            "slaveZoneId",
            "address",
            "addressIpVersion",
            "instanceChargeType",
            "paymentType",
            "resourceGroupId",
        }
    )
    changeable = frozenset(
        {
            "loadBalancerName",
            "loadBalancerSpec",
            "internetChargeType",
            "bandwidth",
            "deleteProtection",
            "status",
            "tags",
        }
    )

    _CREATE: ClassVar = {
        "loadBalancerName": "LoadBalancerName",
        "addressType": "AddressType",
        "vswitchId": "VSwitchId",
        "masterZoneId": "MasterZoneId",
        "slaveZoneId": "SlaveZoneId",
        "address": "Address",
        "addressIpVersion": "AddressIPVersion",
        "instanceChargeType": "InstanceChargeType",
        "loadBalancerSpec": "LoadBalancerSpec",
        "bandwidth": "Bandwidth",
        "deleteProtection": "DeleteProtection",
        "resourceGroupId": "ResourceGroupId",
    }
    _READ: ClassVar = {**_CREATE, "status": "LoadBalancerStatus"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateLoadBalancer in the VSwitch's VPC, TagResources, then wait until it is active."""
        charge = inputs.get("internetChargeType")
        answer = api.call(
            SLB,
            "CreateLoadBalancer",
            {
                **wire(inputs, self._CREATE),
                # The API spells this one in small letters.
                "InternetChargeType": charge.lower() if charge else None,
                "PayType": "PrePay" if inputs.get("paymentType") == "Subscription" else None,
                "VpcId": self._vpc_id(api, inputs.get("vswitchId")),
                "ClientToken": api.operation.token,
            },
            retry_on=BUSY,
        )
        balancer_id = str(answer["LoadBalancerId"])
        api.operation.allocated(balancer_id)
        self._wait_active(api, balancer_id)
        TagWriter(api, SLB, "instance").change(balancer_id, {}, inputs)
        if inputs.get("status"):
            self._set_status(api, balancer_id, inputs["status"])
        return balancer_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeLoadBalancerAttribute and ListTagResources."""
        answer = self._describe(api, resource_id)
        charge = {"paybytraffic": "PayByTraffic", "paybybandwidth": "PayByBandwidth"}
        internet = charge.get(str(answer.get("InternetChargeType")).lower())
        return {
            **shown(answer, self._READ),
            **({"internetChargeType": internet} if internet else {}),
            "tags": TagWriter(api, SLB, "instance").read(resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """Call the action that belongs to each changed input, then TagResources and UntagResources."""
        target = {"LoadBalancerId": resource_id}
        changed = {name for name in self.changeable if old.get(name) != new.get(name)}

        def send(action: str, names: Mapping[str, str]) -> None:
            if changed & names.keys():
                api.call(SLB, action, {**target, **wire(new, names)}, retry_on=BUSY)

        send("SetLoadBalancerName", {"loadBalancerName": "LoadBalancerName"})
        send("ModifyLoadBalancerInstanceSpec", {"loadBalancerSpec": "LoadBalancerSpec"})
        send(
            "ModifyLoadBalancerInternetSpec",
            {"internetChargeType": "InternetChargeType", "bandwidth": "Bandwidth"},
        )
        if "deleteProtection" in changed:
            protection = new.get("deleteProtection") or "off"
            api.call(SLB, "SetLoadBalancerDeleteProtection", {**target, "DeleteProtection": protection})
        if "status" in changed:
            self._set_status(api, resource_id, new.get("status") or "active")
        TagWriter(api, SLB, "instance").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteLoadBalancer, then wait until it is gone."""
        api.call(SLB, "DeleteLoadBalancer", {"LoadBalancerId": resource_id}, retry_on=BUSY)
        wait_gone(
            api,
            lambda: bool(self._describe(api, resource_id).get("LoadBalancerId")),
            f"load balancer {resource_id}",
        )

    def _vpc_id(self, api: Api, vswitch_id: str | None) -> str | None:
        if not vswitch_id:
            return None
        return str(api.call(VPC, "DescribeVSwitchAttributes", {"VSwitchId": vswitch_id})["VpcId"])

    def _set_status(self, api: Api, balancer_id: str, status: str) -> None:
        params = {"LoadBalancerId": balancer_id, "LoadBalancerStatus": status}
        api.call(SLB, "SetLoadBalancerStatus", params, retry_on=BUSY)

    def _wait_active(self, api: Api, balancer_id: str) -> None:
        def look() -> bool | None:
            return True if self._describe(api, balancer_id).get("LoadBalancerStatus") == "active" else None

        api.wait(look, what=f"load balancer {balancer_id}")

    def _describe(self, api: Api, balancer_id: str) -> Answer:
        return api.call(SLB, "DescribeLoadBalancerAttribute", {"LoadBalancerId": balancer_id})


class ServerGroup(ResourceType):
    """`alicloud.slb.ServerGroup`: a vServer group; its servers are attached one by one."""

    token = "alicloud:slb/serverGroup:ServerGroup"
    create_only = frozenset({"loadBalancerId"})
    changeable = frozenset({"name", "tags"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateVServerGroup, TagResources."""
        params = wire(inputs, {"loadBalancerId": "LoadBalancerId", "name": "VServerGroupName"})
        group_id = str(api.call(SLB, "CreateVServerGroup", params, retry_on=BUSY)["VServerGroupId"])
        api.operation.allocated(group_id)
        TagWriter(api, SLB, "vservergroup").change(group_id, {}, inputs)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeVServerGroupAttribute and ListTagResources."""
        answer = describe_group(api, resource_id)
        names = {"loadBalancerId": "LoadBalancerId", "name": "VServerGroupName"}
        return {**shown(answer, names), "tags": TagWriter(api, SLB, "vservergroup").read(resource_id)}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """SetVServerGroupAttribute, TagResources, UntagResources."""
        if old.get("name") != new.get("name"):
            params = {"VServerGroupId": resource_id, "VServerGroupName": new.get("name")}
            api.call(SLB, "SetVServerGroupAttribute", params, retry_on=BUSY)
        TagWriter(api, SLB, "vservergroup").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteVServerGroup, waiting for the listener that uses it to go."""
        params = {"VServerGroupId": resource_id}
        api.call(SLB, "DeleteVServerGroup", params, retry_on=(*BUSY, "RspoolVipExist"))
        wait_gone(
            api,
            lambda: bool(describe_group(api, resource_id).get("VServerGroupId")),
            f"server group {resource_id}",
        )


class ServerGroupServerAttachment(ResourceType):
    """`alicloud.slb.ServerGroupServerAttachment`: one server of a vServer group."""

    token = "alicloud:slb/serverGroupServerAttachment:ServerGroupServerAttachment"
    create_only = frozenset({"serverGroupId", "serverId", "port", "weight", "type", "description"})

    def create(self, api: Api, inputs: Values) -> str:
        """AddVServerGroupBackendServers."""
        group_id, server_id, port = inputs["serverGroupId"], inputs["serverId"], inputs["port"]
        server = {
            "ServerId": server_id,
            "Port": str(port),
            "Weight": str(inputs.get("weight", 100)),
            "Type": inputs.get("type") or "ecs",
            **wire(inputs, {"description": "Description"}),
        }
        params = {"VServerGroupId": group_id, "BackendServers": json.dumps([server])}
        api.call(SLB, "AddVServerGroupBackendServers", params, retry_on=BUSY)
        attachment_id = f"{group_id}:{server_id}:{port}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeVServerGroupAttribute, and in it the server."""
        group_id, server_id, port = resource_id.split(":")
        names = {"type": "Type", "weight": "Weight", "description": "Description"}
        for server in servers_of(describe_group(api, group_id)):
            if server.get("ServerId") == server_id and str(server.get("Port")) == port:
                said = {"serverGroupId": group_id, "serverId": server_id, "port": int(port)}
                return {**said, **shown(server, names)}
        return None

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveVServerGroupBackendServers."""
        group_id, server_id, port = resource_id.split(":")
        server = {"ServerId": server_id, "Port": int(port), "Type": inputs.get("type") or "ecs"}
        params = {"VServerGroupId": group_id, "BackendServers": json.dumps([server])}
        api.call(SLB, "RemoveVServerGroupBackendServers", params, retry_on=BUSY)
        wait_gone(api, lambda: self.read(api, resource_id) is not None, f"server {resource_id}")


class BackendServer(ResourceType):
    """`alicloud.slb.BackendServer`: the default servers of a load balancer, for listeners without a server group."""

    token = "alicloud:slb/backendServer:BackendServer"
    create_only = frozenset({"loadBalancerId"})
    changeable = frozenset({"backendServers"})

    _SERVER: ClassVar = {"serverId": "ServerId", "weight": "Weight", "type": "Type", "serverIp": "ServerIp"}

    def create(self, api: Api, inputs: Values) -> str:
        """AddBackendServers; its id is the load balancer's."""
        balancer_id = str(inputs["loadBalancerId"])
        self._send(api, "AddBackendServers", balancer_id, self._servers(inputs))
        api.operation.allocated(balancer_id)
        return balancer_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeLoadBalancerAttribute, and in it the servers."""
        answer = api.call(SLB, "DescribeLoadBalancerAttribute", {"LoadBalancerId": resource_id})
        servers = [shown(server, self._SERVER) for server in servers_of(answer)]
        return {"loadBalancerId": resource_id, "backendServers": servers}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """RemoveBackendServers, AddBackendServers and SetBackendServers with what changed."""
        before = {server["ServerId"]: server for server in self._servers(old)}
        after = {server["ServerId"]: server for server in self._servers(new)}
        kept = before.keys() & after.keys()
        for action, servers in (
            ("RemoveBackendServers", [before[one] for one in before if one not in after]),
            ("AddBackendServers", [after[one] for one in after if one not in before]),
            ("SetBackendServers", [after[one] for one in after if one in kept and after[one] != before[one]]),
        ):
            self._send(api, action, resource_id, servers)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """RemoveBackendServers with those that it has put there."""
        self._send(api, "RemoveBackendServers", resource_id, self._servers(inputs))

    def _servers(self, inputs: Values) -> list[dict[str, Any]]:
        label = "a backend server"
        given = [nested(server, self._SERVER, label) for server in inputs.get("backendServers") or []]
        return [{"Weight": 100, "Type": "ecs", **server} for server in given]

    def _send(self, api: Api, action: str, balancer_id: str, servers: list[dict[str, Any]]) -> None:
        if servers:
            params = {"LoadBalancerId": balancer_id, "BackendServers": json.dumps(servers)}
            api.call(SLB, action, params, retry_on=BUSY)


def describe_group(api: Api, group_id: str) -> Answer:
    """Return a vServer group with its servers."""
    return api.call(SLB, "DescribeVServerGroupAttribute", {"VServerGroupId": group_id})


def servers_of(answer: Answer) -> list[Mapping[str, Any]]:
    """Return the servers in a description of a group."""
    return list((answer.get("BackendServers") or {}).get("BackendServer") or [])
