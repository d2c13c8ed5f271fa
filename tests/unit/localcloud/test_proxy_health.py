from __future__ import annotations

import pytest

from steelyard.localcloud.proxy.config import HealthCheck, Listener, ProxyConfig, Server
from steelyard.localcloud.proxy.health import parse_statistics, render_state, server_rows
from steelyard.localcloud.traffic.server_status import Health

COLUMNS = "# pxname,svname,stot,status,weight,check_status,chkfail,"
STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight more
3 http-80 1 a 127.64.0.10 2 0 100 100 2 15 3 4 6 0 0 0 - 8000 - 0 0 - - 0
3 http-80 2 b 127.64.0.11 2 1 100 100 2 15 3 4 6 0 0 0 - 8000 - 0 0 - - 0
"""


@pytest.mark.parametrize(
    ("status", "check", "num_failed", "health"),
    [
        ("UP", "L7OK", 0, Health.NORMAL),
        ("UP 2/3", "L4CON", 0, Health.NORMAL),
        ("DRAIN", "L7OK", 0, Health.NORMAL),
        ("DOWN", "L4CON", 0, Health.ABNORMAL),
        ("DOWN 1/2", "L7OK", 0, Health.UNAVAILABLE),
        ("DOWN 1/2", "L7OK", 1, Health.ABNORMAL),
        ("DOWN", "* L4TOUT", 0, Health.ABNORMAL),
        ("DOWN", "INI", 0, Health.UNAVAILABLE),
        ("DOWN", "", 0, Health.UNAVAILABLE),
        ("no check", "", "", Health.UNAVAILABLE),
    ],
)
def test_a_servers_health_is_what_haproxy_says(status, check, num_failed, health):
    server = f"http-80,a,7,{status},50,{check},{num_failed},"
    text = f"{COLUMNS}\nhttp-80,FRONTEND,9,OPEN,,,,\n{server}\nhttp-80,BACKEND,9,UP,50,,0,\n"
    (found,) = parse_statistics(text).items()
    assert found[0] == ("http-80", "a")
    assert (found[1].health, found[1].weight, found[1].num_sessions) == (health, 50, 7)


def state_of(*names: str) -> dict[str, list[str]]:
    """Render the state of servers of weight 7, and give the rows by server."""
    servers = tuple(Server(name=name, address="127.64.0.10", port=8000, weight=7) for name in names)
    listener = Listener(
        name="http-80", protocol="http", port=80, servers=servers, check=HealthCheck(protocol="http")
    )
    config = ProxyConfig(addresses=("127.64.0.20",), listeners=(listener,))
    text = render_state(config, server_rows(STATE))
    return {row[3]: row for row in server_rows(text).values()}


def test_a_known_server_keeps_its_health_and_takes_the_configurations_weight():
    row = state_of("a")["a"]
    assert row[5] == "2"
    assert row[7:9] == ["7", "7"]


def test_a_known_server_takes_all_but_its_health_from_the_configuration():
    """HAProxy would go on without TLS, and check the port that it checked before."""
    server = Server(name="a", address="127.64.0.12", port=8443, weight=7)
    listener = Listener(
        name="http-80",
        protocol="http",
        port=80,
        servers=(server,),
        server_protocol="tls",
        check=HealthCheck(protocol="http", port=9000),
    )
    config = ProxyConfig(addresses=("127.64.0.20",), listeners=(listener,))
    (row,) = server_rows(render_state(config, server_rows(STATE))).values()
    assert row[4:7] == ["127.64.0.12", "2", "0"]
    assert row[9:14] == ["2", "15", "3", "4", "6"]
    assert (row[18], row[20], row[21]) == ("8443", "1", "0")


def test_a_new_server_and_one_from_maintenance_start_unhealthy():
    rows = state_of("new", "b")
    assert {row[5] for row in rows.values()} == {"0"}
    assert {row[6] for row in rows.values()} == {"0"}
    assert {len(row) for row in rows.values()} == {25}


def test_servers_that_are_not_checked_have_no_state():
    listener = Listener(
        name="http-80",
        protocol="http",
        port=80,
        servers=(Server(name="a", address="127.64.0.10", port=8000, weight=7),),
    )
    assert server_rows(render_state(ProxyConfig(addresses=("127.0.0.1",), listeners=(listener,)), {})) == {}
