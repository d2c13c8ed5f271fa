from __future__ import annotations

from dataclasses import replace

import pytest

from steelyard.localcloud.proxy.config import CookieStickiness, HealthCheck
from steelyard.localcloud.services.slb.models import ACTIVE, INACTIVE, Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.slb.plan import plan_proxy
from steelyard.localcloud.services.slb.setting import BY_PROTOCOL

BALANCER = LoadBalancer(
    id="lb-1",
    created_at=0.0,
    region_id="cn-hangzhou",
    name="web",
    address="127.64.0.20",
    address_type="intranet",
    vpc_id="vpc-1",
    vswitch_id="vsw-1",
    master_zone_id="cn-hangzhou-h",
    slave_zone_id="cn-hangzhou-i",
    status=ACTIVE,
    bandwidth=-1,
    internet_charge_type="paybytraffic",
    delete_protection="off",
    modification_protection_status="NonProtection",
    modification_protection_reason="",
    resource_group_id="",
    servers=({"ServerId": "i-1", "Weight": 40},),
)
GROUP = ServerGroup(
    id="rsp-1",
    created_at=0.0,
    load_balancer_id="lb-1",
    name="nodes",
    servers=(
        {"ServerId": "i-1", "Port": 8000, "Weight": 100},
        {"ServerId": "i-2", "Port": 8001, "Weight": 0},
        {"ServerId": "i-gone", "Port": 8000, "Weight": 100},
    ),
)
ADDRESSES = {"i-1": "127.64.0.11", "i-2": "127.64.0.12"}


def plan(protocol="http", *, balancer=BALANCER, is_running=True, **settings):
    listener = Listener(
        id=f"lb-1:{protocol}:80",
        created_at=0.0,
        load_balancer_id="lb-1",
        protocol=protocol,
        port=80,
        is_running=is_running,
        settings={
            **{name: setting.default for name, setting in BY_PROTOCOL[protocol].items()},
            "VServerGroupId": "rsp-1",
            **settings,
        },
    )
    return plan_proxy(balancer, [listener], {"rsp-1": GROUP}, ADDRESSES.get)


def planned(protocol="http", **settings):
    (listener,) = plan(protocol, **settings).listeners
    return listener


def test_servers_are_the_groups_with_their_ports_and_weights_but_for_released_ones():
    servers = planned().servers
    assert [(s.name, s.address, s.port, s.weight) for s in servers] == [
        ("i-1:8000", "127.64.0.11", 8000, 100),
        ("i-2:8001", "127.64.0.12", 8001, 0),
    ]


def test_without_a_group_the_default_servers_serve_on_the_listeners_backend_port():
    servers = planned(VServerGroupId="", BackendServerPort=9000).servers
    assert [(s.name, s.port, s.weight) for s in servers] == [("i-1:9000", 9000, 40)]


@pytest.mark.parametrize(
    ("scheduler", "algorithm", "weights"),
    [
        ("wrr", "roundrobin", [100, 0]),
        ("wlc", "leastconn", [100, 0]),
        ("rr", "roundrobin", [1, 0]),
        ("sch", "source", [100, 0]),
    ],
)
def test_schedulers_have_their_words_in_haproxy(scheduler, algorithm, weights):
    listener = planned(Scheduler=scheduler)
    assert listener.algorithm == algorithm
    assert [server.weight for server in listener.servers] == weights


def test_a_stopped_listener_and_an_inactive_load_balancer_serve_nothing():
    assert plan(is_running=False).listeners == ()
    assert plan(balancer=replace(BALANCER, status=INACTIVE)).listeners == ()


def test_the_check_is_the_listeners():
    check = planned(
        HealthCheckURI="/healthz",
        HealthCheckMethod="get",
        HealthCheckHttpCode="http_2xx,http_3xx",
        HealthCheckInterval=7,
        HealthCheckTimeout=3,
        HealthyThreshold=2,
        UnhealthyThreshold=4,
        HealthCheckConnectPort=9000,
        HealthCheckDomain="$_ip",
    ).check
    assert check == HealthCheck(
        protocol="http",
        port=9000,
        path="/healthz",
        domain="",
        method="GET",
        status_classes="23",
        interval_s=7,
        timeout_s=3,
        healthy_threshold=2,
        unhealthy_threshold=4,
    )
    assert planned(HealthCheck="off").check is None


def test_a_tcp_listener_checks_by_connecting_or_by_a_page():
    assert planned("tcp").check == HealthCheck(protocol="tcp", timeout_s=5)
    listener = planned("tcp", HealthCheckType="http", EstablishedTimeout=60, PersistenceTimeout=30)
    assert listener.check is not None
    assert listener.check.protocol == "http"
    assert (listener.idle_timeout_s, listener.source_persistence_s) == (60, 30)


def test_cookies_and_headers():
    inserted = planned(StickySession="on", StickySessionType="insert", CookieTimeout=60)
    assert inserted.cookie == CookieStickiness(name="SERVERID", is_inserted=True, max_life_s=60)
    own = planned(StickySession="on", StickySessionType="server", Cookie="session")
    assert own.cookie == CookieStickiness(name="session", is_inserted=False)
    listener = planned(XForwardedFor="off", XForwardedFor_SLBID="on", XForwardedFor_SLBIP="on")
    assert not listener.is_client_forwarded
    assert dict(listener.request_headers) == {"SLB-ID": "lb-1", "SLB-IP": "127.64.0.20"}
