from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from steelyard.localcloud.proxy.binary import find_haproxy
from steelyard.localcloud.proxy.config import (
    CookieStickiness,
    HealthCheck,
    Listener,
    ProxyConfig,
    Server,
    render_config,
)
from steelyard.localcloud.proxy.health import render_state

HTTP = Listener(
    name="http-80",
    protocol="http",
    port=8080,
    servers=(Server(name="i-1:8000", address="127.64.0.10", port=8000, weight=0),),
    check=HealthCheck(protocol="http"),
)
TCP = replace(HTTP, name="tcp-81", protocol="tcp", port=8081, check=HealthCheck(protocol="tcp"))


@pytest.mark.parametrize(
    "listener",
    [
        HTTP,
        TCP,
        replace(HTTP, check=None),
        replace(HTTP, algorithm="leastconn"),
        replace(HTTP, algorithm="source"),
        replace(
            HTTP, check=HealthCheck(protocol="http", domain="a.example", port=9000, status_classes="2345")
        ),
        replace(HTTP, cookie=CookieStickiness(name="SERVERID", is_inserted=True, max_life_s=60)),
        replace(HTTP, cookie=CookieStickiness(name="session", is_inserted=False)),
        replace(HTTP, request_headers=(("SLB-IP", "127.64.0.20"), ("X-Client", "%[src_port]"))),
        replace(TCP, source_persistence_s=100),
        replace(TCP, check=HealthCheck(protocol="http", path="/healthz?full=1")),
    ],
    ids=[
        "http",
        "tcp",
        "no check",
        "leastconn",
        "source",
        "check by domain and port",
        "cookie of its own",
        "cookie of the servers",
        "headers",
        "source persistence",
        "tcp checked by a page",
    ],
)
def test_haproxy_takes_every_sort_of_listener_without_a_warning(tmp_path, listener):
    config = ProxyConfig(addresses=("127.94.0.10",), listeners=(listener,))
    path, state = tmp_path / "haproxy.cfg", tmp_path / "servers.state"
    path.write_text(render_config(config, str(state)))
    state.write_text(render_state(config, {}))

    done = subprocess.run([find_haproxy(), "-c", "-f", path], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert [line for line in warnings if "changed from server-state" not in line] == []
