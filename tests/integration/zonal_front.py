"""A network or application load balancer before instances of a fleet, for tests of the cloud as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_api import api_of
from local_fleet import PORT, SECOND_CIDR, ZONES, LocalFleet
from traffic import wait_until

from steelyard.deploy.provider.api import ALB, NLB

FRONT_PORT = 8080
SETTLING = ("IncorrectStatus", "ResourceInConfiguring")
_PRODUCTS = {"network": NLB, "application": ALB}


class ZonalFront:
    """A load balancer in two zones with one server group and one listener; NLB balances connections, ALB requests.

    Args:
        kind: `network` or `application`.
        fleet: Whose instances it is for; its VPC gets a VSwitch in a second zone unless one is given.
        second_vswitch_id: That VSwitch.
    """

    def __init__(self, kind: str, fleet: LocalFleet, second_vswitch_id: str = "") -> None:
        self.is_network = kind == "network"
        self._product, self._api = _PRODUCTS[kind], api_of(fleet.cloud)
        vswitch_ids = (fleet.vswitch_id, second_vswitch_id or fleet.add_vswitch(SECOND_CIDR, ZONES[1]))
        paid = {"LoadBalancerEdition": "Standard", "LoadBalancerBillingConfig": {"PayType": "PostPay"}}
        made = self.call(
            "CreateLoadBalancer",
            AddressType="Intranet",
            VpcId=fleet.vpc_id,
            LoadBalancerName="front",
            ZoneMappings=[
                {"ZoneId": zone, "VSwitchId": vswitch_id}
                for zone, vswitch_id in zip(ZONES, vswitch_ids, strict=True)
            ],
            **({} if self.is_network else paid),
        )
        self.id = str(made.get("LoadbalancerId") or made["LoadBalancerId"])
        self.group_id = self.make_group(fleet.vpc_id)
        self.listener_id = self.listen(FRONT_PORT, self.group_id)

    @property
    def address(self) -> str:
        """What clients call."""
        return str(self.call("GetLoadBalancerAttribute", LoadBalancerId=self.id)["DNSName"])

    def call(self, action: str, **params: Any) -> Mapping[str, Any]:
        """Call an action of its product, again while a change is being taken in."""
        return self._api.call(self._product, action, params, retry_on=SETTLING)

    def make_group(self, vpc_id: str) -> str:
        """Make a server group whose servers are checked every second, and drained for ten when they are removed."""
        times = {"HealthCheckInterval": 1, "HealthyThreshold": 2, "UnhealthyThreshold": 2}
        by_connections = {"HealthCheckEnabled": True, "HealthCheckConnectTimeout": 1, **times}
        by_pages = {
            "HealthCheckEnabled": True,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPath": "/",
            "HealthCheckTimeout": 1,
            **times,
        }
        drain = {"ConnectionDrainEnabled": True, "ConnectionDrainTimeout": 10}
        made = self.call(
            "CreateServerGroup",
            VpcId=vpc_id,
            ServerGroupName="nodes",
            HealthCheckConfig=by_connections if self.is_network else by_pages,
            **(drain if self.is_network else {"ConnectionDrainConfig": drain}),
        )
        return str(made["ServerGroupId"])

    def listen(self, port: int, group_id: str) -> str:
        """Make a listener, and give its id."""
        tuples = {"ServerGroupTuples": [{"ServerGroupId": group_id}]}
        forward = [{"Type": "ForwardGroup", "ForwardGroupConfig": tuples}]
        made = self.call(
            "CreateListener",
            LoadBalancerId=self.id,
            ListenerPort=port,
            ListenerProtocol="TCP" if self.is_network else "HTTP",
            **({"ServerGroupId": group_id} if self.is_network else {"DefaultActions": forward}),
        )
        return str(made["ListenerId"])

    def add(self, weights: Mapping[str, int], group_id: str = "") -> None:
        """Put instances into a server group, its own where none is named."""
        servers = [_server(one, Weight=weight) for one, weight in weights.items()]
        self.call("AddServersToServerGroup", ServerGroupId=group_id or self.group_id, Servers=servers)

    def weigh(self, weights: Mapping[str, int]) -> None:
        """Change the weights of instances."""
        servers = [_server(one, Weight=weight) for one, weight in weights.items()]
        self.call("UpdateServerGroupServersAttribute", ServerGroupId=self.group_id, Servers=servers)

    def remove(self, *instance_ids: str) -> None:
        """Take instances out, which are drained."""
        servers = [_server(one) for one in instance_ids]
        self.call("RemoveServersFromServerGroup", ServerGroupId=self.group_id, Servers=servers)

    def healthy(self) -> set[str]:
        """Give the instances that its checks find healthy."""
        listed = self.call("ListServerGroupServers", ServerGroupId=self.group_id)["Servers"]
        answer = self.call("GetListenerHealthStatus", ListenerId=self.listener_id)
        info = answer["ListenerHealthStatus"][0]["ServerGroupInfos"][0]
        # One of weight 0 is told as unused, and may be healthy all the same.
        not_normal = info.get("NonNormalServers") or []
        others = {server["ServerId"] for server in not_normal if server["Status"] != "Unused"}
        return {server["ServerId"] for server in listed} - others

    def wait_healthy(self, *instance_ids: str) -> None:
        """Wait until just these are healthy."""
        wait_until(self.healthy, lambda found: found == set(instance_ids))


def _server(instance_id: str, **settings: int) -> dict[str, object]:
    return {"ServerId": instance_id, "ServerType": "Ecs", "Port": PORT, **settings}
