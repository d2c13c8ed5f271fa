"""A classic load balancer for instances that each test runs itself, and what happens to them."""

from __future__ import annotations

import http.client
import json
import socket

from alibabacloud_slb20140515 import models
from contract_fleet import REGION
from contract_sdk import wait_for

NOT_FOUND = "The specified resource does not exist."


class Balancer:
    """A load balancer with a server group, by the names of the test's verbs."""

    def __init__(self, fleet):
        self.client = fleet.slb_client
        made = fleet.balance(load_balancer_name="web")
        self.id, self.address = made.load_balancer_id, made.address
        self.group_id = self.client.create_vserver_group(
            models.CreateVServerGroupRequest(
                region_id=REGION, load_balancer_id=self.id, vserver_group_name="nodes"
            )
        ).body.vserver_group_id

    def listen(self, port=8080, *, starts=True, **settings):
        self.client.create_load_balancer_httplistener(
            models.CreateLoadBalancerHTTPListenerRequest(
                **{
                    "load_balancer_id": self.id,
                    "listener_port": port,
                    "bandwidth": -1,
                    "sticky_session": "off",
                    "health_check": "on",
                    "health_check_interval": 1,
                    "health_check_timeout": 5,  # What is gone refuses at once.
                    "healthy_threshold": 2,
                    "unhealthy_threshold": 2,
                    "vserver_group_id": self.group_id,
                    **settings,
                }
            )
        )
        if starts:
            self.start(port)

    def start(self, port=8080):
        self.client.start_load_balancer_listener(
            models.StartLoadBalancerListenerRequest(
                load_balancer_id=self.id, listener_port=port, listener_protocol="http"
            )
        )

    def describe_listener(self, port=8080):
        return self.client.describe_load_balancer_httplistener_attribute(
            models.DescribeLoadBalancerHTTPListenerAttributeRequest(
                load_balancer_id=self.id, listener_port=port
            )
        ).body

    def add(self, **weights):
        servers = [
            {"ServerId": server_id.replace("_", "-"), "Port": "8000", "Weight": str(weight)}
            for server_id, weight in weights.items()
        ]
        return self.client.add_vserver_group_backend_servers(
            models.AddVServerGroupBackendServersRequest(
                region_id=REGION, vserver_group_id=self.group_id, backend_servers=json.dumps(servers)
            )
        ).body

    def servers(self):
        found = self.client.describe_vserver_group_attribute(
            models.DescribeVServerGroupAttributeRequest(region_id=REGION, vserver_group_id=self.group_id)
        ).body.backend_servers.backend_server
        return {server.server_id: server.weight for server in found}

    def health(self, **filters):
        found = self.client.describe_health_status(
            models.DescribeHealthStatusRequest(region_id=REGION, load_balancer_id=self.id, **filters)
        ).body.backend_servers.backend_server
        return {server.server_id: server.server_health_status for server in found}

    def wait_health(self, **states):
        wanted = {server_id.replace("_", "-"): state for server_id, state in states.items()}
        wait_for(self.health, lambda seen: seen == wanted)

    def get(self, port=8080):
        connection = http.client.HTTPConnection(self.address, port, timeout=5)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
        return status

    def is_open(self, port=8080):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, port)) == 0


def named(instance_id: str) -> str:
    return instance_id.replace("-", "_")
