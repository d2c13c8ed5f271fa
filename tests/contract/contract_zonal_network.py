"""Network load balancers of the test's own, in two zones of a fleet's VPC, and how they are asked."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing

from alibabacloud_nlb20220430 import models
from contract_fleet import REGION
from contract_sdk import wait_for

ZONES = ("cn-hangzhou-h", "cn-hangzhou-i")


class Network:
    """Network load balancers in two zones of a fleet's VPC, by the names of the test's verbs."""

    def __init__(self, client, fleet, vswitch_ids):
        self.client, self.fleet, self.vswitch_ids = client, fleet, vswitch_ids
        self.balancer_ids: list[str] = []
        self.group_ids: list[str] = []

    def balance(self, vswitch_ids=None, zones=ZONES, **settings):
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
            for vswitch_id, zone in zip(vswitch_ids or self.vswitch_ids, zones, strict=True)
        ]
        request = models.CreateLoadBalancerRequest(
            **{
                "region_id": REGION,
                "address_type": "Intranet",
                "vpc_id": self.fleet.vpc_id,
                "zone_mappings": mappings,
                "load_balancer_name": "front",
                **settings,
            }
        )
        made = self.client.create_load_balancer(request).body
        self.balancer_ids.append(made.loadbalancer_id)
        return made.loadbalancer_id

    def group(self, check=None, **settings):
        config = {
            "health_check_interval": 1,
            "health_check_connect_timeout": 1,
            "health_check_type": "TCP",
            **(check or {}),
        }
        request = models.CreateServerGroupRequest(
            **{
                "region_id": REGION,
                "vpc_id": self.fleet.vpc_id,
                "server_group_name": "nodes",
                "health_check_config": models.CreateServerGroupRequestHealthCheckConfig(**config),
                **settings,
            }
        )
        made = self.client.create_server_group(request).body
        self.group_ids.append(made.server_group_id)
        return made.server_group_id

    def listen(self, balancer_id, group_id, port=8000, **settings):
        request = models.CreateListenerRequest(
            **{
                "region_id": REGION,
                "load_balancer_id": balancer_id,
                "listener_port": port,
                "listener_protocol": "TCP",
                "server_group_id": group_id,
                **settings,
            }
        )
        return self.client.create_listener(request).body.listener_id

    def add(self, group_id, weights, **settings):
        servers = [
            models.AddServersToServerGroupRequestServers(
                **{"server_id": i, "server_type": "Ecs", "port": 8000, "weight": w, **settings}
            )
            for i, w in weights.items()
        ]
        return self.client.add_servers_to_server_group(
            models.AddServersToServerGroupRequest(region_id=REGION, server_group_id=group_id, servers=servers)
        ).body

    def weigh(self, group_id, weights):
        servers = [
            models.UpdateServerGroupServersAttributeRequestServers(
                server_id=i, server_type="Ecs", port=8000, weight=w
            )
            for i, w in weights.items()
        ]
        return self.client.update_server_group_servers_attribute(
            models.UpdateServerGroupServersAttributeRequest(
                region_id=REGION, server_group_id=group_id, servers=servers
            )
        ).body

    def remove(self, group_id, *server_ids):
        servers = [
            models.RemoveServersFromServerGroupRequestServers(server_id=i, server_type="Ecs", port=8000)
            for i in server_ids
        ]
        return self.client.remove_servers_from_server_group(
            models.RemoveServersFromServerGroupRequest(
                region_id=REGION, server_group_id=group_id, servers=servers
            )
        ).body

    def servers(self, group_id):
        found = self.client.list_server_group_servers(
            models.ListServerGroupServersRequest(region_id=REGION, server_group_id=group_id)
        ).body.servers
        return {server.server_id: server for server in found}

    def describe(self, balancer_id):
        return self.client.get_load_balancer_attribute(
            models.GetLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body

    def addresses(self, balancer_id):
        zones = self.describe(balancer_id).zone_mappings
        return [zone.load_balancer_addresses[0].private_ipv_4address for zone in zones]

    def describe_listener(self, listener_id):
        return self.client.get_listener_attribute(
            models.GetListenerAttributeRequest(region_id=REGION, listener_id=listener_id)
        ).body

    def unhealthy(self, listener_id):
        entry = self.client.get_listener_health_status(
            models.GetListenerHealthStatusRequest(region_id=REGION, listener_id=listener_id)
        ).body.listener_health_status[0]
        return {server.server_id: server for server in entry.server_group_infos[0].non_normal_servers}

    def wait_healthy(self, listener_id):
        wait_for(lambda: self.unhealthy(listener_id), lambda servers: not servers)

    def job(self, job_id):
        return self.client.get_job_status(models.GetJobStatusRequest(job_id=job_id)).body.status

    def delete(self, balancer_id):
        return self.client.delete_load_balancer(
            models.DeleteLoadBalancerRequest(region_id=REGION, load_balancer_id=balancer_id)
        ).body

    def delete_group(self, group_id):
        return self.client.delete_server_group(
            models.DeleteServerGroupRequest(region_id=REGION, server_group_id=group_id)
        ).body

    def clear(self):
        listed = self.client.list_load_balancers(models.ListLoadBalancersRequest(region_id=REGION)).body
        for balancer in listed.load_balancers:
            if balancer.load_balancer_id in self.balancer_ids:
                self.delete(balancer.load_balancer_id)
        groups = self.client.list_server_groups(models.ListServerGroupsRequest(region_id=REGION)).body
        for group in groups.server_groups:
            if group.server_group_id in self.group_ids:
                self.delete_group(group.server_group_id)


def get(address: str, port: int = 8000) -> int:
    with closing(http.client.HTTPConnection(address, port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


def is_served(address: str) -> bool:
    try:
        return get(address) == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def is_open(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, 8000)) == 0
