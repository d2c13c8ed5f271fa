"""The proxy protocol: servers behind listeners of connections are told of the clients."""

from __future__ import annotations

import socket

import pytest
from contract_balancer import ClassicBalancer
from contract_network import NetworkBalancer
from contract_sdk import refused, wait_for
from contract_servers import UDP_PORT

FRONT_PORT, SERVER_PORT = 8080, 9100
SCRIPT = """#!/usr/bin/env python3
import os, socket, struct, urllib.request
from contextlib import suppress

url = os.environ["STEELYARD_METADATA_URL"] + "/latest/meta-data/private-ipv4"
listening = socket.create_server((urllib.request.urlopen(url).read().decode(), 9100))
while True:
    connection, _ = listening.accept()
    with connection, suppress(ConnectionError):
        # The header of version 2 (haproxy.org/download/2.8/doc/proxy-protocol.txt), of TCP over IPv4.
        head = b""
        # The client's words may come after it: a connection that is closed with some unread cuts the answer off.
        while not head.endswith(b"hello") and (piece := connection.recv(1024)):
            head += piece
        if head.startswith(b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x21\\x11"):
            source, port = socket.inet_ntoa(head[16:20]), struct.unpack("!H", head[24:26])[0]
            connection.sendall(f"{source}:{port}".encode())
        else:
            connection.sendall(b"plain " + head)
"""


@pytest.fixture(scope="module")
def server(servers):
    """An instance that answers with what a proxy says of its client, without a proxy with what it was sent."""
    fleet = servers.fleet
    (instance_id,) = fleet.run(SCRIPT)
    wait_for(lambda: _listens(fleet.address(instance_id)), bool)
    yield instance_id
    fleet.delete(instance_id)
    fleet.wait_status(instance_id, "gone")


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, SERVER_PORT)) == 0


def is_told(address: str) -> bool:
    """Tell whether the server knows whom it speaks to."""
    with socket.create_connection((address, FRONT_PORT), 5, source_address=("127.0.0.7", 0)) as client:
        client.sendall(b"hello")
        answer = client.recv(100).decode()
        if answer == "plain hello":
            return False
        host, port = client.getsockname()
        assert answer == f"{host}:{port}"
        return True


def test_of_network_load_balancers_is_switched_on_and_off(nlb_client, servers, server):
    network = NetworkBalancer(nlb_client, servers)
    try:
        group_id = network.make_group(SERVER_PORT, (100,), server_ids=[server])
        listener_id = network.listen("TCP", FRONT_PORT, group_id, proxy_protocol_enabled=True)
        assert is_told(network.address)
        assert network.describe(listener_id).proxy_protocol_enabled
        network.change(listener_id, proxy_protocol_enabled=False)
        assert not is_told(network.address)
        with refused("UnsupportedOperation", text="datagrams"):
            network.listen(
                "UDP", 5353, network.make_group(UDP_PORT, protocol="UDP"), proxy_protocol_enabled=True
            )
    finally:
        network.delete()


def test_of_classic_load_balancers_is_switched_on_and_off(servers, server):
    balancer = ClassicBalancer(servers)
    try:
        balancer.add_servers(port=SERVER_PORT, weights=(100,), server_ids=[server])
        balancer.listen("tcp", FRONT_PORT, proxy_protocol_v2enabled=True)
        assert is_told(balancer.address)
        balancer.change("tcp", FRONT_PORT, proxy_protocol_v2enabled=False)
        assert not is_told(balancer.address)
        with refused("UnsupportedOperation", text="datagrams"):
            balancer.listen("udp", 5353, proxy_protocol_v2enabled=True)
    finally:
        balancer.delete()
