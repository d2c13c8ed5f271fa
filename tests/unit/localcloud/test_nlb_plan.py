from __future__ import annotations

from dataclasses import replace

import pytest

from steelyard.localcloud.proxy.config import HealthCheck, Server
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.plan import plan_proxy
from steelyard.localcloud.services.nlb.setting import read_check, read_group, read_listener
from steelyard.localcloud.services.zonal.models import ACTIVE, INACTIVE, INTRANET
from steelyard.localcloud.wire.error import ApiError

BALANCER = LoadBalancer(
    id="nlb-1",
    created_at=0.0,
    region_id="cn-hangzhou",
    name="front",
    address_type=INTRANET,
    vpc_id="vpc-1",
    zones=(
        {"ZoneId": "h", "VSwitchId": "vsw-1", "PrivateIPv4Address": "127.1.0.10"},
        {"ZoneId": "i", "VSwitchId": "vsw-2", "PrivateIPv4Address": "127.1.1.10"},
    ),
    status=ACTIVE,
    is_cross_zone=True,
    deletion_protection={},
    modification_protection={},
    security_group_ids=(),
    resource_group_id="",
)
SERVER = {"ServerId": "i-1", "ServerType": "Ecs", "Port": 8000, "Weight": 50, "Description": ""}
LISTENER = Listener(
    id="lsn-1@80",
    created_at=0.0,
    region_id="cn-hangzhou",
    load_balancer_id="nlb-1",
    server_group_id="sgp-1",
    port=80,
    is_running=True,
    settings=read_listener({"IdleTimeout": 60}, "TCP"),
)


def group(check=None, **settings) -> ServerGroup:
    return ServerGroup(
        id="sgp-1",
        created_at=0.0,
        region_id="cn-hangzhou",
        vpc_id="vpc-1",
        name="nodes",
        settings=read_group(settings),
        check=read_check({"HealthCheckConfig": check or {}}),
        servers=(SERVER, {**SERVER, "ServerId": "i-gone"}),
    )


def plan(of: ServerGroup, balancer=BALANCER, listener=LISTENER):
    return plan_proxy(balancer, [listener], {of.id: of}, {"i-1": "127.1.0.30"}.get)


def test_every_zone_serves_and_every_server_that_is_there_is_served():
    planned = plan(group())
    assert planned.addresses == ("127.1.0.10", "127.1.1.10")
    (listener,) = planned.listeners
    assert (listener.protocol, listener.port, listener.idle_timeout_s) == ("tcp", 80, 60)
    assert listener.servers == (Server(name="i-1:8000", address="127.1.0.30", port=8000, weight=50),)


@pytest.mark.parametrize(
    ("scheduler", "algorithm", "weight"),
    [("Wrr", "roundrobin", 50), ("Wlc", "leastconn", 50), ("rr", "roundrobin", 1), ("sch", "source", 50)],
)
def test_the_scheduler_is_haproxys_and_counts_weights_where_it_has_any(scheduler, algorithm, weight):
    (listener,) = plan(group(Scheduler=scheduler)).listeners
    assert (listener.algorithm, listener.servers[0].weight) == (algorithm, weight)


def test_the_health_check_is_the_groups():
    check = {
        "HealthCheckType": "HTTP",
        "HealthCheckUrl": "/healthz",
        "HealthCheckDomain": "$SERVER_IP",
        "HealthCheckConnectPort": 9000,
        "HealthCheckHttpCode": ["http_2xx", "http_3xx"],
        "HealthCheckInterval": 7,
        "HttpCheckMethod": "HEAD",
    }
    (listener,) = plan(group(check)).listeners
    assert listener.check == HealthCheck(
        protocol="http",
        port=9000,
        path="/healthz",
        method="HEAD",
        status_classes="23",
        interval_s=7,
        timeout_s=5,
        healthy_threshold=2,
        unhealthy_threshold=2,
    )
    assert plan(group({"HealthCheckEnabled": False})).listeners[0].check is None


def test_removed_servers_are_given_the_time_that_draining_sets_and_else_all_of_it():
    draining = group(ConnectionDrainEnabled=True, ConnectionDrainTimeout=30)
    assert plan(draining).listeners[0].drain_timeout_s == 30
    assert plan(group(ConnectionDrainTimeout=30)).listeners[0].drain_timeout_s is None


def test_neither_a_stopped_listener_nor_an_inactive_load_balancer_serves():
    assert plan(group(), listener=replace(LISTENER, is_running=False)).listeners == ()
    assert plan(group(), balancer=replace(BALANCER, status=INACTIVE)).listeners == ()


def test_a_change_keeps_what_it_does_not_name():
    old = read_group({"Scheduler": "Wlc", "ConnectionDrainEnabled": True, "ConnectionDrainTimeout": 30})
    assert read_group({"ConnectionDrainTimeout": 60}, old) == {**old, "ConnectionDrainTimeout": 60}
    with pytest.raises(ApiError, match="ConnectionDrainTimeout"):
        read_group({"ConnectionDrainTimeout": 9}, old)
