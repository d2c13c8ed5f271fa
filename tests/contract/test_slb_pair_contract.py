"""Primary/secondary server groups of classic load balancers: the second server takes what the first cannot."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from contextlib import closing

import psutil
import pytest
from alibabacloud_slb20140515 import models
from contract_fleet import REGION
from contract_sdk import refused, wait_for
from contract_servers import HTTP_PORT, SCRIPT, UDP_PORT

CHECKED = {
    "health_check_interval": 1,
    "health_check_connect_timeout": 1,
    "healthy_threshold": 2,
    "unhealthy_threshold": 2,
}


class Pairs:
    """The groups of one load balancer by the names of the tests' verbs."""

    def __init__(self, fleet):
        self.client = fleet.slb_client
        made = fleet.balance()
        self.balancer_id, self.address = made.load_balancer_id, made.address

    def create(self, *servers, **settings):
        """Create a group of servers, each an id, a port and a role."""
        listed = [
            {"ServerId": one, "Port": port, "Weight": 100, "ServerType": role} for one, port, role in servers
        ]
        request = models.CreateMasterSlaveServerGroupRequest(
            region_id=REGION,
            load_balancer_id=self.balancer_id,
            master_slave_backend_servers=json.dumps(listed),
            **settings,
        )
        return self.client.create_master_slave_server_group(request).body.master_slave_server_group_id

    def describe(self, group_id):
        request = models.DescribeMasterSlaveServerGroupAttributeRequest(
            region_id=REGION, master_slave_server_group_id=group_id
        )
        return self.client.describe_master_slave_server_group_attribute(request).body

    def listed(self):
        request = models.DescribeMasterSlaveServerGroupsRequest(
            region_id=REGION, load_balancer_id=self.balancer_id, include_listener=True
        )
        found = self.client.describe_master_slave_server_groups(request).body.master_slave_server_groups
        return {
            one.master_slave_server_group_id: [
                (listener.protocol, listener.port) for listener in one.associated_objects.listeners.listener
            ]
            for one in found.master_slave_server_group
        }

    def delete(self, group_id):
        self.client.delete_master_slave_server_group(
            models.DeleteMasterSlaveServerGroupRequest(
                region_id=REGION, master_slave_server_group_id=group_id
            )
        )

    def listen(self, protocol, port, group_id, **settings):
        request = getattr(models, f"CreateLoadBalancer{protocol.upper()}ListenerRequest")
        getattr(self.client, f"create_load_balancer_{protocol}listener")(
            request(
                load_balancer_id=self.balancer_id,
                listener_port=port,
                bandwidth=-1,
                master_slave_server_group_id=group_id,
                **{**CHECKED, **settings},
            )
        )
        self.client.start_load_balancer_listener(
            models.StartLoadBalancerListenerRequest(
                load_balancer_id=self.balancer_id, listener_port=port, listener_protocol=protocol
            )
        )

    def health(self, port):
        request = models.DescribeHealthStatusRequest(
            region_id=REGION, load_balancer_id=self.balancer_id, listener_port=port
        )
        found = self.client.describe_health_status(request).body.backend_servers.backend_server
        return {one.server_id: one.server_health_status for one in found}

    def by_connection(self):
        """Give the server that answers a connection."""
        with closing(http.client.HTTPConnection(self.address, 8080, timeout=5)) as connection:
            connection.request("GET", "/")
            return connection.getresponse().read().decode().split()[0]

    def by_datagram(self):
        """Give the server that answers a datagram."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(b"hello", (self.address, 5353))
            return client.recv(100).decode().split()[0]


@pytest.fixture
def pairs(fleet):
    return Pairs(fleet)


def kill_server(fleet, instance_id):
    """Kill what serves in an instance, which runs on."""
    home = f"/instances/{instance_id}/"
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment = process.info["environ"] or {}
        if home in environment.get("HOME", "") and any("python3" in word for word in process.info["cmdline"]):
            os.kill(process.pid, signal.SIGKILL)


def test_a_secondary_server_takes_what_the_primary_one_cannot(pairs, fleet):
    first, second = fleet.run(SCRIPT, amount=2)
    roles = ((first, "Master"), (second, "Slave"))
    web = pairs.create(*((one, HTTP_PORT, role) for one, role in roles), master_slave_server_group_name="web")
    bells = pairs.create(*((one, UDP_PORT, role) for one, role in roles))
    pairs.listen("tcp", 8080, web)
    pairs.listen("udp", 5353, bells)
    found = pairs.describe(web)
    assert found.master_slave_server_group_name == "web"
    assert [
        (one.server_id, one.port, one.server_type)
        for one in found.master_slave_backend_servers.master_slave_backend_server
    ] == [(first, HTTP_PORT, "Master"), (second, HTTP_PORT, "Slave")]
    assert pairs.listed() == {web: [("tcp", 8080)], bells: [("udp", 5353)]}
    for port in (8080, 5353):
        wait_for(
            lambda port=port: pairs.health(port),
            lambda seen: seen == dict.fromkeys((first, second), "normal"),
        )
    assert {pairs.by_connection() for _ in range(4)} == {fleet.address(first)}
    assert {pairs.by_datagram() for _ in range(4)} == {fleet.address(first)}

    kill_server(fleet, first)
    for port in (8080, 5353):
        wait_for(lambda port=port: pairs.health(port)[first], lambda state: state == "abnormal")
    assert {pairs.by_connection() for _ in range(4)} == {fleet.address(second)}
    assert {pairs.by_datagram() for _ in range(4)} == {fleet.address(second)}


def test_a_group_stays_while_a_listener_uses_it_and_goes_with_its_load_balancer(pairs):
    used, unused = pairs.create(), pairs.create()
    pairs.listen("tcp", 8080, used)
    with refused("RspoolVipExist"):
        pairs.delete(used)
    pairs.delete(unused)
    assert list(pairs.listed()) == [used]
    pairs.client.delete_load_balancer(models.DeleteLoadBalancerRequest(load_balancer_id=pairs.balancer_id))
    with refused("InvalidParameter", 404, "MasterSlaveServerGroupId"):
        pairs.describe(used)


def test_a_listener_goes_from_a_pair_to_a_vserver_group_and_back(pairs):
    pair = pairs.create()
    group = pairs.client.create_vserver_group(
        models.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=pairs.balancer_id)
    ).body.vserver_group_id
    pairs.listen("tcp", 8080, pair)

    def change(**settings) -> tuple[str, str]:
        request = models.SetLoadBalancerTCPListenerAttributeRequest(
            load_balancer_id=pairs.balancer_id, listener_port=8080, **settings
        )
        pairs.client.set_load_balancer_tcplistener_attribute(request)
        request = models.DescribeLoadBalancerTCPListenerAttributeRequest(
            load_balancer_id=pairs.balancer_id, listener_port=8080
        )
        found = pairs.client.describe_load_balancer_tcplistener_attribute(request).body
        return found.vserver_group_id or "", found.master_slave_server_group_id or ""

    assert change(vserver_group="on", vserver_group_id=group, master_slave_server_group="off") == (group, "")
    assert pairs.listed() == {pair: []}
    assert change(master_slave_server_group="on", master_slave_server_group_id=pair) == ("", pair)
    assert change(vserver_group_id=group) == (group, "")
    both = {"vserver_group_id": group, "master_slave_server_group_id": pair}
    with refused("InvalidParameter", text="of one sort"):
        change(**both)
    # Its load balancer's own servers have no port at this listener.
    with refused("MissingParameter", text="BackendServerPort"):
        change(vserver_group="off")


def test_what_cannot_be_is_refused(pairs, fleet):
    (server_id,) = fleet.run()
    with refused("InvalidParameter", text="one Master and one Slave"):
        pairs.create((server_id, 80, "Master"), (server_id, 81, "Master"))
    with refused("InvalidParameter", text="one Master and one Slave"):
        pairs.create((server_id, 80, "Master"))
    with refused("InvalidServerId.NotFound", 404):
        pairs.create(("i-none", 80, "Master"), (server_id, 81, "Slave"))
    with refused("InvalidParameter", 404, "MasterSlaveServerGroupId"):
        pairs.listen("tcp", 8080, "rsp-none")
    pair = pairs.create()
    with refused("InvalidParameter", 404, "VServerGroupId"):
        pairs.listen("tcp", 8080, None, vserver_group_id=pair)
    with refused("InvalidParameter", 404, "VServerGroupId"):
        pairs.client.delete_vserver_group(
            models.DeleteVServerGroupRequest(region_id=REGION, vserver_group_id=pair)
        )
    with refused("InvalidParameter", 404, "MasterSlaveServerGroupId"):
        pairs.delete("rsp-none")
