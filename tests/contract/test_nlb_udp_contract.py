"""UDP listeners of network load balancers, with real datagrams."""

from __future__ import annotations

import socket

import pytest
from contract_network import NetworkBalancer
from contract_sdk import refused, wait_for
from contract_servers import HTTP_PORT, UDP_PORT


@pytest.fixture
def network(nlb_client, servers):
    balancer = NetworkBalancer(nlb_client, servers)
    yield balancer
    balancer.delete()


def open_client():
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5)
    return client


def ask(network, client, port=5353):
    client.sendto(b"hello", (network.address, port))
    return client.recv(65535).decode().split()[0]


def answers(network, num_clients, port=5353):
    found = []
    for _ in range(num_clients):
        with open_client() as client:
            found.append(ask(network, client, port))
    return found


def test_datagrams_are_shared_out_and_a_client_stays_through_changes(network, servers):
    first, second = servers.addresses.values()
    group_id = network.make_group(UDP_PORT, (100, 0), protocol="UDP")
    listener_id = network.listen("UDP", 5353, group_id, idle_timeout=60)
    found = network.describe(listener_id)
    assert (found.listener_protocol, found.idle_timeout) == ("UDP", 60)
    with open_client() as client:
        assert ask(network, client) == first
        network.weigh(group_id, UDP_PORT, 0, 100)
        assert answers(network, 3) == [second] * 3
        assert ask(network, client) == first


def test_servers_are_probed_by_udp_tcp_or_http(network, servers):
    check = {"health_check_interval": 1, "health_check_connect_timeout": 1, "health_check_enabled": True}
    by_udp = network.make_group(UDP_PORT, protocol="UDP", check={**check, "health_check_type": "UDP"})
    by_http = network.make_group(
        UDP_PORT,
        protocol="UDP",
        check={
            **check,
            "health_check_type": "HTTP",
            "health_check_connect_port": HTTP_PORT,
            "health_check_url": "/",
        },
    )
    by_tcp = network.make_group(UDP_PORT, protocol="UDP", check={**check, "health_check_type": "TCP"})
    good = [network.listen("UDP", port, group) for port, group in ((5353, by_udp), (5354, by_http))]
    # Nobody listens for connections at the port for datagrams.
    bad = network.listen("UDP", 5355, by_tcp)
    for listener_id in good:
        network.wait_healthy(listener_id)
    assert set(answers(network, 4, 5354)) == set(servers.addresses.values())
    wait_for(lambda: network.unhealthy(bad), lambda seen: set(seen.values()) == {"Unhealthy"})


def test_a_group_for_both_serves_listeners_of_both(network):
    group_id = network.make_group(UDP_PORT, protocol="TCP_UDP")
    network.listen("UDP", 5353, group_id)
    network.listen("TCP", 5354, group_id)
    assert len(answers(network, 2)) == 2


def test_a_group_of_another_protocol_is_refused(network):
    with refused("OperationDenied.ServerGroupProtocolMismatch"):
        network.listen("UDP", 5353, network.make_group(HTTP_PORT))
    with refused("OperationDenied.ServerGroupProtocolMismatch"):
        network.listen("TCP", 5353, network.make_group(UDP_PORT, protocol="UDP"))
