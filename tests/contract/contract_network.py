"""A network load balancer for the contract tests: server groups and listeners over the standing servers."""

from __future__ import annotations

from alibabacloud_nlb20220430 import models
from alibabacloud_nlb20220430.client import Client
from contract_fleet import REGION
from contract_sdk import wait_for
from contract_servers import HTTP_PORT, ZONES, Servers


class NetworkBalancer:
    """A load balancer in the servers' two zones; its server groups check no health unless told to."""

    def __init__(self, client: Client, servers: Servers, **settings: object) -> None:
        self.client, self._servers = client, servers
        mappings = [
            models.CreateLoadBalancerRequestZoneMappings(v_switch_id=vswitch_id, zone_id=zone)
            for vswitch_id, zone in zip(servers.vswitch_ids, ZONES, strict=True)
        ]
        self.id = client.create_load_balancer(
            models.CreateLoadBalancerRequest(
                region_id=REGION,
                address_type="Intranet",
                vpc_id=servers.fleet.vpc_id,
                zone_mappings=mappings,
                **settings,
            )
        ).body.loadbalancer_id
        found = client.get_load_balancer_attribute(
            models.GetLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=self.id)
        ).body
        self.address = found.dnsname
        self._group_ids: list[str] = []

    def make_group(
        self, port: int = HTTP_PORT, weights: tuple[int, ...] = (100, 100), **settings: object
    ) -> str:
        """Create a server group that holds the servers, or those of other ids."""
        server_ids = settings.pop("server_ids", self._servers.ids)
        check = settings.pop("check", {"health_check_enabled": False})
        group_id = self.client.create_server_group(
            models.CreateServerGroupRequest(
                **{
                    "region_id": REGION,
                    "vpc_id": self._servers.fleet.vpc_id,
                    "server_group_name": "nodes",
                    # A listener of TCPSSL takes no group of TCP that preserves them.
                    "preserve_client_ip_enabled": False,
                    "health_check_config": models.CreateServerGroupRequestHealthCheckConfig(**check),
                    **settings,
                }
            )
        ).body.server_group_id
        self._group_ids.append(group_id)
        servers = [
            models.AddServersToServerGroupRequestServers(
                server_id=server_id, server_type="Ecs", port=port, weight=weight
            )
            for server_id, weight in zip(server_ids, weights, strict=True)
        ]
        self.client.add_servers_to_server_group(
            models.AddServersToServerGroupRequest(region_id=REGION, server_group_id=group_id, servers=servers)
        )
        return group_id

    def weigh(self, group_id: str, port: int, *weights: int) -> None:
        servers = [
            models.UpdateServerGroupServersAttributeRequestServers(
                server_id=server_id, server_type="Ecs", port=port, weight=weight
            )
            for server_id, weight in zip(self._servers.ids, weights, strict=True)
        ]
        self.client.update_server_group_servers_attribute(
            models.UpdateServerGroupServersAttributeRequest(
                region_id=REGION, server_group_id=group_id, servers=servers
            )
        )

    def listen(self, protocol: str, port: int, group_id: str, **settings: object) -> str:
        return self.client.create_listener(
            models.CreateListenerRequest(
                region_id=REGION,
                load_balancer_id=self.id,
                listener_protocol=protocol,
                listener_port=port,
                server_group_id=group_id,
                **settings,
            )
        ).body.listener_id

    def change(self, listener_id: str, **settings: object) -> None:
        self.client.update_listener_attribute(
            models.UpdateListenerAttributeRequest(region_id=REGION, listener_id=listener_id, **settings)
        )

    def describe(self, listener_id: str):
        return self.client.get_listener_attribute(
            models.GetListenerAttributeRequest(region_id=REGION, listener_id=listener_id)
        ).body

    def unhealthy(self, listener_id: str) -> dict[str, str]:
        """Give the servers that are not healthy, and what is said of them."""
        entry = self.client.get_listener_health_status(
            models.GetListenerHealthStatusRequest(region_id=REGION, listener_id=listener_id)
        ).body.listener_health_status[0]
        return {one.server_id: one.status for one in entry.server_group_infos[0].non_normal_servers}

    def wait_healthy(self, listener_id: str) -> None:
        wait_for(lambda: self.unhealthy(listener_id), lambda servers: not servers)

    def delete(self) -> None:
        self.client.delete_load_balancer(
            models.DeleteLoadBalancerRequest(region_id=REGION, load_balancer_id=self.id)
        )
        for group_id in self._group_ids:
            self.client.delete_server_group(
                models.DeleteServerGroupRequest(region_id=REGION, server_group_id=group_id)
            )
