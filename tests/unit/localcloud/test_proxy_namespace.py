from __future__ import annotations

from steelyard.localcloud.hosts.host import Entrance
from steelyard.localcloud.proxy.config import Listener, ProxyConfig, Server, render_config


def test_a_balancer_of_a_vpc_listens_and_reaches_its_servers_inside_as_well():
    server = Server(name="s", address="10.64.0.10", port=8000, weight=100, namespace="vpc-1-1")
    config = ProxyConfig(
        addresses=("127.64.0.11",),
        listeners=(Listener(name="http-80", protocol="http", port=80, servers=(server,)),),
        inner=(Entrance(address="10.64.0.11", namespace="vpc-1-1"),),
    )
    lines = [line.strip() for line in render_config(config, "state").splitlines()]
    assert [line for line in lines if line.startswith("bind")] == [
        "bind 127.64.0.11:80",
        "bind 10.64.0.11:80 namespace vpc-1-1",
    ]
    assert "server s 10.64.0.10:8000 namespace vpc-1-1 weight 100" in lines
