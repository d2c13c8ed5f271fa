"""What tests of the proxy share: listeners with health checks, and connections that are held open."""

from __future__ import annotations

import socket
from dataclasses import replace

from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import HealthCheck, Listener, ProxyConfig, Server
from steelyard.localcloud.traffic.server_status import Health

PORT = 8000
# Servers that are gone refuse at once; those that a busy machine has made slow are not to be taken for them.
CHECK = HealthCheck(protocol="http", interval_s=1, timeout_s=5, healthy_threshold=2, unhealthy_threshold=2)


def is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def config_of(address: str, *servers: Server, **changes: object) -> ProxyConfig:
    listener = Listener(
        name="http-8000", protocol="http", port=PORT, servers=servers, check=CHECK, idle_timeout_s=600
    )
    return ProxyConfig(addresses=(address,), listeners=(replace(listener, **changes),))  # type: ignore[arg-type]


def healthy(balancer: ProxyBalancer) -> set[str]:
    return {server for (_, server), s in balancer.statuses().items() if s.health is Health.NORMAL}


def hold_open(address: str, port: int) -> socket.socket:
    """Open a connection, have one request answered on it, and keep it."""
    connection = socket.create_connection((address, port), timeout=10)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in connection.recv(4096)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the other end has closed a connection, whatever was said before."""
    connection.settimeout(0.1)
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True
