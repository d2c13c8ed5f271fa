from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.proxy.config import (
    CookieStickiness,
    HealthCheck,
    Listener,
    ProxyConfig,
    Server,
    render_config,
    server_arguments,
)

SERVER = Server(name="i-1:8000", address="127.64.0.10", port=8000, weight=50)
HTTP = Listener(
    name="http-80", protocol="http", port=80, servers=(SERVER,), check=HealthCheck(protocol="http")
)
TCP = replace(HTTP, name="tcp-81", protocol="tcp", port=81, check=HealthCheck(protocol="tcp"))


def section(*listeners: Listener) -> list[str]:
    """Render a configuration and give its lines from the first listener on."""
    text = render_config(ProxyConfig(addresses=("127.64.0.20",), listeners=listeners), "/data/servers.state")
    lines = [line.strip() for line in text.splitlines()]
    return lines[lines.index(f"listen {listeners[0].name}") :]


def test_an_http_listener_binds_balances_and_checks():
    check = HealthCheck(
        protocol="http",
        path="/healthz",
        method="GET",
        status_classes="23",
        interval_s=7,
        timeout_s=3,
        healthy_threshold=2,
        unhealthy_threshold=4,
    )
    lines = section(replace(HTTP, check=check))
    assert lines[1:4] == ["mode http", "bind 127.64.0.20:80", "balance roundrobin"]
    assert "timeout check 3s" in lines
    assert "http-check send meth GET uri /healthz ver HTTP/1.0" in lines
    assert "http-check expect rstatus ^[23]" in lines
    assert lines[-1] == "server i-1:8000 127.64.0.10:8000 weight 50 check inter 7s fall 4 rise 2"


def test_a_request_that_changes_something_is_never_sent_twice():
    assert "http-request disable-l7-retry unless { method GET HEAD OPTIONS }" in section(HTTP)


def test_timeouts_are_those_of_the_listener():
    lines = section(replace(HTTP, idle_timeout_s=9, request_timeout_s=33))
    assert {"timeout http-keep-alive 9s", "timeout server 33s", "timeout client 33s"} <= set(lines)
    assert {"timeout client 600s", "timeout server 600s"} <= set(section(replace(TCP, idle_timeout_s=600)))


def test_a_tcp_listener_speaks_no_http():
    lines = section(TCP)
    assert "mode tcp" in lines
    assert not [line for line in lines if "http" in line]


def test_without_a_check_a_server_is_not_checked():
    assert server_arguments(replace(HTTP, check=None), SERVER) == "127.64.0.10:8000 weight 50"


def test_a_check_may_have_a_port_of_its_own():
    check = replace(HealthCheck(protocol="http"), port=9000)
    assert "port 9000" in server_arguments(replace(HTTP, check=check), SERVER)


def test_stickiness_by_cookie_and_by_address():
    inserted = CookieStickiness(name="SERVERID", is_inserted=True, max_life_s=60)
    lines = section(replace(HTTP, cookie=inserted))
    assert "cookie SERVERID insert indirect nocache maxlife 60s" in lines
    assert lines[-1].endswith("cookie i-1:8000")
    own = CookieStickiness(name="session", is_inserted=False)
    assert "cookie session rewrite" in section(replace(HTTP, cookie=own))
    assert "stick on src" in section(replace(TCP, source_persistence_s=100))


def test_headers_are_set_and_the_client_named_only_where_asked_for():
    lines = section(replace(HTTP, request_headers=(("SLB-ID", "lb-1"),)))
    assert "http-request set-header SLB-ID lb-1" in lines
    assert "X-Forwarded-For" in "".join(lines)
    assert "X-Forwarded-For" not in "".join(section(replace(HTTP, is_client_forwarded=False)))


def test_each_listener_has_a_section():
    lines = section(HTTP, TCP)
    assert [line for line in lines if line.startswith("listen")] == ["listen http-80", "listen tcp-81"]
