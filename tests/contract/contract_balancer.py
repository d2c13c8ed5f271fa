"""A classic load balancer for the contract tests: a server group, listeners of each protocol, requests through them."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence

from alibabacloud_slb20140515 import models
from contract_fleet import REGION
from contract_sdk import wait_for
from contract_servers import HTTP_PORT, Servers


class ClassicBalancer:
    """A load balancer whose server group holds the standing servers; its listeners check no health unless told to."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.client = servers.fleet.slb_client
        made = servers.fleet.balance()
        self.id, self.address = made.load_balancer_id, made.address
        self.group_id = self.make_group("nodes")

    def make_group(self, name: str) -> str:
        return self.client.create_vserver_group(
            models.CreateVServerGroupRequest(
                region_id=REGION, load_balancer_id=self.id, vserver_group_name=name
            )
        ).body.vserver_group_id

    def delete(self) -> None:
        self.client.delete_load_balancer(models.DeleteLoadBalancerRequest(load_balancer_id=self.id))

    def add_servers(
        self,
        *,
        group_id: str = "",
        port: int = HTTP_PORT,
        weights: tuple[int, ...] = (100, 100),
        server_ids: Sequence[str] = (),
    ):
        """Add the servers, or those of other ids, to the server group."""
        servers = [
            {"ServerId": one, "Port": port, "Weight": weight}
            for one, weight in zip(server_ids or self._servers.ids, weights, strict=True)
        ]
        self.client.add_vserver_group_backend_servers(
            models.AddVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=group_id or self.group_id,
                backend_servers=json.dumps(servers),
            )
        )

    def listen(self, protocol: str, port: int, **settings: object) -> None:
        """Create a listener and start it."""
        request = getattr(models, f"CreateLoadBalancer{protocol.upper()}ListenerRequest")
        unchecked = {"sticky_session": "off", "health_check": "off"}
        usual = unchecked if protocol.startswith("http") else {"health_check_switch": "off"}
        getattr(self.client, f"create_load_balancer_{protocol}listener")(
            request(
                **{
                    "load_balancer_id": self.id,
                    "listener_port": port,
                    "bandwidth": -1,
                    "vserver_group_id": self.group_id,
                    **usual,
                    **settings,
                }
            )
        )
        self.client.start_load_balancer_listener(
            models.StartLoadBalancerListenerRequest(
                load_balancer_id=self.id, listener_port=port, listener_protocol=protocol
            )
        )

    def change(self, protocol: str, port: int, **settings: object) -> None:
        request = getattr(models, f"SetLoadBalancer{protocol.upper()}ListenerAttributeRequest")
        getattr(self.client, f"set_load_balancer_{protocol}listener_attribute")(
            request(load_balancer_id=self.id, listener_port=port, **settings)
        )

    def describe(self, protocol: str, port: int):
        request = getattr(models, f"DescribeLoadBalancer{protocol.upper()}ListenerAttributeRequest")
        return getattr(self.client, f"describe_load_balancer_{protocol}listener_attribute")(
            request(load_balancer_id=self.id, listener_port=port)
        ).body

    def wait_healthy(self, port: int, num_servers: int) -> None:
        request = models.DescribeHealthStatusRequest(
            region_id=REGION, load_balancer_id=self.id, listener_port=port
        )
        wait_for(
            lambda: [
                server.server_health_status
                for server in self.client.describe_health_status(request).body.backend_servers.backend_server
            ],
            lambda states: states == ["normal"] * num_servers,
        )

    def connection(
        self, port: int, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1"
    ) -> http.client.HTTPConnection:
        settings = {"timeout": 5, "source_address": (source, 0)}
        if tls is not None:
            return http.client.HTTPSConnection(self.address, port, context=tls, **settings)
        return http.client.HTTPConnection(self.address, port, **settings)

    def get(
        self,
        port: int,
        path: str = "/",
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Give status, headers and body of one answer on a connection of its own."""
        connection = self.connection(port, tls, source)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def lets_in(self, port: int, source: str = "127.0.0.1") -> bool:
        """Tell whether a listener answers a client of this address."""
        try:
            return self.get(port, source=source)[0] == 200
        except (TimeoutError, ConnectionError, http.client.HTTPException):
            return False
