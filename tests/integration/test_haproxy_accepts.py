from __future__ import annotations

from dataclasses import replace

import pytest
from haproxy_words import warnings_of

from steelyard.localcloud.proxy.config import (
    CookieStickiness,
    HealthCheck,
    Listener,
    ProxyConfig,
    Server,
    ServerPool,
)
from steelyard.localcloud.proxy.route import (
    Forward,
    Limit,
    Match,
    Redirect,
    RemoveHeader,
    Reply,
    Rewrite,
    Route,
    SetHeader,
    formatted,
)

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
    assert warnings_of(config, tmp_path) == []


ROUTES = (
    Route(
        conditions=(
            (Match(kind="host", pattern="*.a.example"), Match(kind="host", pattern="b.example")),
            (Match(kind="path", pattern="/api/*"),),
        ),
        actions=(
            Rewrite(path="/v1${path}", query="from=${host}", host="c.example"),
            SetHeader(name="X-Note", value=formatted("100 % of 'it'")),
            RemoveHeader(name="X-Secret"),
            Limit(per_s=100, client_per_s=10),
            Forward(targets=(("further", 30), (HTTP.name, 70))),
        ),
    ),
    Route(
        conditions=(
            (Match(kind="header", pattern="b*", key="X-Kind"),),
            (Match(kind="query", pattern="1", key="v"),),
            (Match(kind="cookie", pattern="?", key="s"),),
            (Match(kind="method", pattern="GET"), Match(kind="method", pattern="HEAD")),
            (Match(kind="source", pattern="127.0.0.0/8"),),
        ),
        actions=(Redirect(status=301, location="https://${host}${path}", query="${query}"),),
    ),
    Route(
        conditions=((Match(kind="path", pattern="~^/x[0-9]{2}/(a|b)#'$"),),),
        actions=(Reply(status=403, content_type="text/plain", content='no\n"entry" 100 % {x}'),),
    ),
)


@pytest.mark.parametrize("check", ["http", "tcp", "grpc"])
@pytest.mark.parametrize("server_protocol", ["plain", "tls", "h2"])
def test_haproxy_takes_routes_to_every_sort_of_further_pool_without_a_warning(
    tmp_path, server_protocol, check
):
    further = ServerPool(
        name="further",
        protocol="http",
        algorithm="url_param user",
        servers=HTTP.servers,
        server_protocol=server_protocol,
        check=HealthCheck(protocol=check, is_tls=server_protocol == "tls"),
        slow_start_s=30,
    )
    config = ProxyConfig(
        addresses=("127.94.0.10",), listeners=(replace(HTTP, routes=ROUTES),), further_pools=(further,)
    )
    assert warnings_of(config, tmp_path) == []
