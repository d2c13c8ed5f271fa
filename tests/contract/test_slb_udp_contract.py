"""UDP listeners of classic load balancers, with real datagrams."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing

import pytest
from alibabacloud_slb20140515 import models
from contract_balancer import ClassicBalancer
from contract_fleet import REGION
from contract_sdk import refused, wait_for
from contract_servers import HTTP_PORT, UDP_PORT


class UdpClient:
    """Calls a load balancer's port from one port of its own."""

    def __init__(self, balancer, port, source="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.to = (balancer.address, port)

    def ask(self, timeout_s=5):
        """Give the address of the server that answers, None where none does."""
        self.socket.settimeout(timeout_s)
        self.socket.sendto(b"hello", self.to)
        try:
            return self.socket.recv(65535).decode().split()[0]
        except TimeoutError:
            return None

    def close(self):
        self.socket.close()


def answers(balancer, port, num_clients, source="127.0.0.1"):
    """Give the servers that answer new clients, no two of which have the same port."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(closing(UdpClient(balancer, port, source))) for _ in range(num_clients)
        ]
        return [client.ask(timeout_s=0.3 if source != "127.0.0.1" else 5) for client in clients]


@pytest.fixture
def balancer(servers):
    balancer = ClassicBalancer(servers)
    yield balancer
    balancer.delete()


def test_datagrams_are_shared_out_by_weight_and_clients_stay(balancer, servers):
    first, second = servers.addresses.values()
    balancer.add_servers(port=UDP_PORT, weights=(100, 50))
    balancer.listen("udp", 5353)
    assert sorted(answers(balancer, 5353, 30)) == sorted([first] * 20 + [second] * 10)
    client = UdpClient(balancer, 5353)
    server = client.ask()
    balancer.client.set_vserver_group_attribute(
        models.SetVServerGroupAttributeRequest(
            region_id=REGION,
            vserver_group_id=balancer.group_id,
            backend_servers=json.dumps(
                [{"ServerId": one, "Port": UDP_PORT, "Weight": 0} for one in servers.ids]
            ),
        )
    )
    assert client.ask() == server
    client.close()


def test_a_probe_finds_who_answers_as_expected(balancer, servers):
    first, second = servers.ids
    balancer.add_servers(port=UDP_PORT)
    balancer.listen(
        "udp",
        5353,
        health_check_switch="on",
        health_check_interval=1,
        health_check_connect_timeout=1,
        healthy_threshold=2,
        unhealthy_threshold=2,
        health_check_req="ping",
    )
    balancer.wait_healthy(5353, 2)
    # The servers answer with their address first: neither says what is expected now.
    balancer.change("udp", 5353, health_check_exp="pong")

    def health():
        found = balancer.client.describe_health_status(
            models.DescribeHealthStatusRequest(region_id=REGION, load_balancer_id=balancer.id)
        ).body.backend_servers.backend_server
        return {one.server_id: (one.protocol, one.server_health_status) for one in found}

    wait_for(health, lambda seen: seen == {first: ("udp", "abnormal"), second: ("udp", "abnormal")})
    listener = balancer.describe("udp", 5353)
    assert (listener.health_check, listener.health_check_req, listener.health_check_exp) == (
        "on",
        "ping",
        "pong",
    )


def test_one_port_takes_connections_and_datagrams(balancer, servers):
    balancer.add_servers(port=HTTP_PORT, weights=(100, 0))
    datagrams = balancer.make_group("datagrams")
    balancer.add_servers(group_id=datagrams, port=UDP_PORT, weights=(0, 100))
    balancer.listen("tcp", 8080)
    balancer.listen("udp", 8080, vserver_group_id=datagrams)
    first, second = servers.addresses.values()
    assert balancer.get(8080)[2].split()[0] == first
    assert answers(balancer, 8080, 2) == [second, second]
    with refused("ListenerAlreadyExists"):
        balancer.listen("udp", 8080)
    balancer.client.delete_load_balancer_listener(
        models.DeleteLoadBalancerListenerRequest(
            load_balancer_id=balancer.id, listener_port=8080, listener_protocol="udp"
        )
    )
    assert balancer.get(8080)[0] == 200
    client = UdpClient(balancer, 8080)
    client.socket.connect(client.to)
    client.socket.send(b"hello")
    with pytest.raises(ConnectionError):
        client.socket.recv(1)
    client.close()


def test_an_access_list_says_who_is_served(balancer):
    acl_id = balancer.client.create_access_control_list(
        models.CreateAccessControlListRequest(region_id=REGION, acl_name="clients")
    ).body.acl_id
    balancer.client.add_access_control_list_entry(
        models.AddAccessControlListEntryRequest(
            region_id=REGION, acl_id=acl_id, acl_entrys=json.dumps([{"entry": "127.0.0.2/32"}])
        )
    )
    balancer.add_servers(port=UDP_PORT)
    balancer.listen("udp", 5353, acl_status="on", acl_type="black", acl_id=acl_id)
    assert None not in answers(balancer, 5353, 2)
    assert answers(balancer, 5353, 1, "127.0.0.2") == [None]
    balancer.client.delete_load_balancer_listener(
        models.DeleteLoadBalancerListenerRequest(load_balancer_id=balancer.id, listener_port=5353)
    )
    balancer.client.delete_access_control_list(
        models.DeleteAccessControlListRequest(region_id=REGION, acl_id=acl_id)
    )


@pytest.mark.parametrize(("scheduler", "num_seen"), [("sch", 1), ("tch", 2)])
def test_hashing_is_by_client_or_by_session(balancer, scheduler, num_seen):
    balancer.add_servers(port=UDP_PORT)
    balancer.listen("udp", 5353, scheduler=scheduler)
    # That all of so many come to one server by chance is seen in no lifetime.
    assert len(set(answers(balancer, 5353, 50))) == num_seen
