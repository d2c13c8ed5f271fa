"""A proxy before servers: who is served by whom, through changes, failures and reloads."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import replace

import psutil
import pytest
from proxy_parts import CHECK, PORT, config_of, healthy, is_open
from traffic import Traffic, ask, wait_until

from steelyard.errors import LocalCloudError
from steelyard.localcloud.proxy.config import ProxyConfig, Server, ServerPool
from steelyard.localcloud.proxy.route import Forward, Match, Route
from steelyard.localcloud.traffic.server_status import Health


def test_requests_follow_the_weights(balancer, addresses, make_server):
    address = addresses()
    servers = [make_server("a", 100)[0], make_server("b", 50)[0], make_server("c", 0)[0]]
    balancer.apply(config_of(address, *servers))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b", "c"})

    traffic = ask(address, PORT, 3000)

    assert traffic.errors == []
    counts = traffic.names()
    assert counts["a"] / 3000 == pytest.approx(2 / 3, abs=0.01)
    assert counts["b"] / 3000 == pytest.approx(1 / 3, abs=0.01)
    assert counts["c"] == 0


def test_weights_that_cannot_be_written_down_are_not_in_force(balancer, addresses, make_server, tmp_path):
    address = addresses()
    a, b = (make_server(name)[0] for name in "ab")
    balancer.apply(config_of(address, a, b))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})
    in_the_way = tmp_path / "lb-test" / "servers.draft"  # As a disk is that has no room for it.
    in_the_way.mkdir()
    without_b = config_of(address, a, replace(b, weight=0))
    with pytest.raises(LocalCloudError, match="cannot be written"):
        balancer.apply(without_b)
    assert ask(address, PORT, 100).names() == {"a": 50, "b": 50}
    in_the_way.rmdir()
    balancer.apply(without_b)
    assert ask(address, PORT, 100).names() == {"a": 100}


def test_connections_follow_the_weights_in_tcp(balancer, addresses, make_server):
    address = addresses()
    servers = [make_server("a", 100)[0], make_server("b", 50)[0]]
    check = replace(CHECK, protocol="tcp")
    balancer.apply(config_of(address, *servers, protocol="tcp", check=check))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})

    counts = sum((ask(address, PORT, 1, 1).names() for _ in range(300)), start=Traffic(address, PORT).names())

    assert counts["a"] / 300 == pytest.approx(2 / 3, abs=0.01)


def test_a_server_gets_nothing_before_its_checks_have_passed(balancer, addresses, make_server):
    address = addresses()
    absent = Server(name="absent", address=addresses(), port=8080, weight=100)
    present, _ = make_server("present")
    balancer.apply(config_of(address, absent, present, check=replace(CHECK, interval_s=60)))

    assert {s.health for s in balancer.statuses().values()} <= {Health.UNAVAILABLE, Health.ABNORMAL}
    balancer.apply(config_of(address, absent, present))
    wait_until(lambda: healthy(balancer), lambda names: names == {"present"})
    traffic = ask(address, PORT, 100)

    assert traffic.errors == []
    assert traffic.names() == {"present": 100}
    assert balancer.statuses()["http-8000", "absent"].health is Health.ABNORMAL


def test_a_killed_server_is_noticed_and_no_request_is_lost(balancer, addresses, make_server):
    address = addresses()
    (a, killed), (b, _) = make_server("a"), make_server("b")
    balancer.apply(config_of(address, a, b))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})

    with Traffic(address, PORT).flowing() as traffic:
        wait_until(lambda: traffic.names()["a"] > 20)
        killed.kill()
        wait_until(lambda: healthy(balancer), lambda names: names == {"b"})

    assert traffic.errors == []


def test_weights_servers_and_listeners_change_without_a_lost_request(balancer, addresses, make_server):
    address = addresses()
    servers = {name: make_server(name, delay_s=0.002)[0] for name in "abc"}
    config = config_of(address, servers["a"], servers["b"])
    balancer.apply(config)
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})
    workers = balancer.process_ids()

    with Traffic(address, PORT).flowing() as traffic:
        balancer.apply(config_of(address, servers["a"], replace(servers["b"], weight=0)))
        drained_at = time.monotonic()
        wait_until(lambda: traffic.names(drained_at)["a"] > 100)
        assert traffic.names(drained_at)["b"] == 0

        balancer.apply(config_of(address, servers["a"], servers["b"], servers["c"]))
        wait_until(lambda: traffic.names()["c"] > 20)
        balancer.apply(config_of(address, servers["b"], servers["c"]))
        removed_at = time.monotonic()
        wait_until(lambda: traffic.names(removed_at)["b"] > 100)
        assert traffic.names(removed_at)["a"] == 0
        assert balancer.process_ids() == workers, "servers and weights change without a reload"

        second = replace(config.listeners[0], name="http-8001", port=8001)
        for _ in range(3):
            balancer.apply(ProxyConfig(addresses=(address,), listeners=(*config.listeners, second)))
            balancer.apply(config)
        reloaded_at = time.monotonic()
        wait_until(lambda: traffic.names(reloaded_at)["a"] > 20)

    assert traffic.errors == []
    assert ask(address, PORT, 1).errors == []


def test_health_is_kept_over_a_reload(balancer, addresses, make_server):
    address = addresses()
    servers = [make_server("a")[0], Server(name="dead", address=addresses(), port=8080, weight=100)]
    config = config_of(address, *servers)
    balancer.apply(config)
    wait_until(lambda: balancer.statuses()["http-8000", "a"].health is Health.NORMAL)
    wait_until(lambda: balancer.statuses()["http-8000", "dead"].health is Health.ABNORMAL)

    second = replace(config.listeners[0], name="http-8001", port=8001)
    balancer.apply(ProxyConfig(addresses=(address,), listeners=(*config.listeners, second)))

    assert balancer.statuses()["http-8000", "a"].health is Health.NORMAL
    assert balancer.statuses()["http-8000", "dead"].health is Health.ABNORMAL


def test_an_older_weight_does_not_come_back_with_a_reload(balancer, addresses, make_server):
    address = addresses()
    server, _ = make_server("a", 100)
    config = config_of(address, server)
    balancer.apply(config)
    balancer.apply(config_of(address, replace(server, weight=50)))
    second = replace(config.listeners[0], name="http-8001", port=8001)
    balancer.apply(ProxyConfig(addresses=(address,), listeners=(*config.listeners, second)))

    weights = {status.weight for status in balancer.statuses().values()}

    assert weights == {100}


def test_a_taken_port_is_told(balancer, addresses):
    address = addresses()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, PORT))
        taken.listen()
        with pytest.raises(LocalCloudError, match=r"lb-test did not start.*cannot bind"):
            balancer.apply(config_of(address))
    assert balancer.process_ids() == []


def test_without_listeners_nothing_runs(balancer, addresses):
    address = addresses()
    balancer.apply(config_of(address))
    assert balancer.process_ids()

    balancer.apply(ProxyConfig(addresses=(address,)))

    assert balancer.process_ids() == []
    assert not is_open(address, PORT)


def test_a_killed_haproxy_is_started_again(balancer, addresses, make_server, monkeypatch):
    monkeypatch.setattr("steelyard.localcloud.traffic.kept._MIN_LIFE_S", 0.0)
    address = addresses()
    balancer.apply(config_of(address, make_server("a")[0]))
    family = balancer.process_ids()

    os.kill(family[-1], signal.SIGKILL)

    wait_until(lambda: set(balancer.process_ids()).isdisjoint(family) and balancer.process_ids())
    wait_until(lambda: healthy(balancer), lambda names: names == {"a"})
    assert not any(psutil.pid_exists(pid) for pid in family)


def test_a_change_that_comes_before_the_news_of_haproxys_death_is_in_force(balancer, addresses, make_server):
    address, (first, _), (second, _) = addresses(), make_server("a"), make_server("b")
    balancer.apply(config_of(address, first, check=None))
    supervisor, *_, worker = map(psutil.Process, balancer.process_ids())
    supervisor.suspend()
    resumption = threading.Timer(2, supervisor.resume)
    worker.parent().kill()
    resumption.start()
    balancer.apply(config_of(address, second, check=None))
    resumption.join()
    wait_until(lambda: not supervisor.is_running())
    assert ask(address, PORT, 4).names() == {"b": 4}


def test_each_address_of_a_load_balancer_is_served(balancer, addresses, make_server):
    places = (addresses(), addresses())
    server = make_server("a")[0]
    balancer.apply(replace(config_of(places[0], server, check=None), addresses=places))
    for address in places:
        assert ask(address, PORT, 4, 1).names() == {"a": 4}


def test_a_route_to_another_pool_comes_weighs_and_goes_without_losing_a_request(
    balancer, addresses, make_server
):
    (first, _), (second, _), (third, _) = make_server("a"), make_server("b"), make_server("c")
    config = config_of(addresses(), first)
    further = ServerPool(name="further", protocol="http", servers=(second, third), check=CHECK)
    route = Route(
        conditions=((Match(kind="path", pattern="/"),),), actions=(Forward(targets=(("further", 100),)),)
    )
    routed = replace(
        config, listeners=(replace(config.listeners[0], routes=(route,)),), further_pools=(further,)
    )
    idle = replace(further, servers=(second, replace(third, weight=0)))
    balancer.apply(replace(config, further_pools=(further,)))
    wait_until(lambda: healthy(balancer) == {"a", "b", "c"})
    with Traffic(config.addresses[0], PORT).flowing() as traffic:
        for wanted, served in (
            (routed, {"b", "c"}),
            (replace(routed, further_pools=(idle,)), {"b"}),
            (replace(config, further_pools=(further,)), {"a"}),
        ):
            balancer.apply(wanted)
            # A worker that a reload has left answers what comes on connections that it has not closed yet.
            wait_until(lambda: set(traffic.names(time.monotonic() - 1)), lambda names, s=served: names == s)
            since = time.monotonic()
            wait_until(lambda since=since: sum(traffic.names(since).values()) > 100)
            assert set(traffic.names(since)) == served
    assert traffic.errors == []
