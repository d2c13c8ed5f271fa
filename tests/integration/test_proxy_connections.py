"""What becomes of open connections when a proxy's addresses, listeners and servers change."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Collection
from dataclasses import replace

import psutil
import pytest
from proxy_parts import CHECK, PORT, config_of, healthy, hold_open, is_closed
from traffic import ask, wait_until

from steelyard.errors import LocalCloudError
from steelyard.localcloud.proxy.config import ProxyConfig


def test_an_address_that_is_given_up_takes_its_connections_along_and_no_others(
    balancer, addresses, make_server
):
    kept, given_up = addresses(), addresses()
    server, _ = make_server("a")
    config = config_of(kept, server, protocol="tcp", check=None)
    balancer.apply(replace(config, addresses=(kept, given_up)))
    with hold_open(kept, PORT) as on_kept, hold_open(given_up, PORT) as on_given_up:
        balancer.apply(config)
        wait_until(lambda: is_closed(on_given_up))
        on_kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert on_kept.recv(1000)


def test_a_listener_that_is_given_up_takes_its_connections_along_and_no_others(
    balancer, addresses, make_server
):
    address, (server, _) = addresses(), make_server("a")
    config = config_of(address, server, name="tcp-8000", protocol="tcp", check=None, idle_timeout_s=300)
    second = replace(config.listeners[0], name="tcp-8001", port=8001)
    balancer.apply(replace(config, listeners=(*config.listeners, second)))
    with hold_open(address, PORT) as on_kept, hold_open(address, 8001) as on_given_up:
        balancer.apply(config)
        wait_until(lambda: is_closed(on_given_up))
        on_kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert on_kept.recv(1000)


def test_connections_that_never_end_keep_no_more_than_some_processes(balancer, addresses, make_server):
    """Each reload leaves the worker before it to its connections."""
    address = addresses()
    config = config_of(address, make_server("a")[0], protocol="tcp", check=None)
    balancer.apply(config)
    alone = len(balancer.process_ids())
    open_ones, older = [], []
    try:
        for number in range(40):
            open_ones.append(socket.create_connection((address, PORT), timeout=5))
            wait_until(lambda: sum(one.num_sessions for one in balancer.statuses().values()) > 0)
            further = replace(config.listeners[0], name=f"tcp-{number}", port=8001 + number)
            balancer.apply(ProxyConfig(addresses=(address,), listeners=(*config.listeners, further)))
            older.append(len(balancer.process_ids()) - alone)
        assert older[29] == 30, "connections live through some reloads"
        assert max(older) <= 34
    finally:
        for one in open_ones:
            one.close()


def test_a_worker_that_ends_while_it_is_asked_bars_no_change(balancer, addresses, make_server):
    address = addresses()
    config = config_of(address, make_server("a")[0], protocol="tcp", check=None, idle_timeout_s=300)
    first, *further = (
        replace(config.listeners[0], name=f"tcp-{port}", port=port) for port in (8000, 8001, 8002)
    )
    balancer.apply(replace(config, listeners=(first, *further)))
    with hold_open(address, PORT) as held:
        balancer.apply(replace(config, listeners=(first, further[0])))
        old = min(workers(balancer.process_ids()), key=lambda worker: worker.create_time())
        old.suspend()
        ends = threading.Timer(1, old.kill)
        ends.start()
        balancer.apply(replace(config, listeners=(first,)))
        ends.join()
        wait_until(lambda: is_closed(held))
    assert ask(address, PORT, 4).names().keys() == {"a"}


def test_what_a_change_that_failed_has_left_in_force_is_undone_by_the_next(
    balancer, addresses, make_server, monkeypatch
):
    monkeypatch.setattr("steelyard.localcloud.proxy.process._COMMAND_TIMEOUT_S", 1.0)
    monkeypatch.setattr("steelyard.localcloud.proxy.process._OLD_WORKER_TIMEOUT_S", 0.5)
    address = addresses()
    config = config_of(address, make_server("a")[0], name="tcp-8000", protocol="tcp", check=None)
    second, third = (replace(config.listeners[0], name=f"tcp-{port}", port=port) for port in (8001, 8002))
    balancer.apply(replace(config, listeners=(*config.listeners, second, third)))
    both = replace(config, listeners=(*config.listeners, second))
    with hold_open(address, PORT):
        balancer.apply(both)
        old = min(workers(balancer.process_ids()), key=lambda worker: worker.create_time())
        old.suspend()
        with pytest.raises(LocalCloudError, match="does not answer"):
            balancer.apply(config)
        old.resume()
    balancer.apply(both)
    assert ask(address, 8001, 4).names() == {"a": 4}


def workers(process_ids: Collection[int]) -> list[psutil.Process]:
    """Give the workers among a balancer's processes; their master is none."""
    processes = [psutil.Process(process_id) for process_id in process_ids]
    proxies = {process.pid: process for process in processes if process.name() == "haproxy"}
    return [process for process in proxies.values() if process.ppid() in proxies]


def test_connections_to_a_removed_server_are_cut_when_their_time_is_over(balancer, addresses, make_server):
    address = addresses()
    first, second = make_server("a")[0], make_server("b")[0]
    config = config_of(address, first, protocol="tcp", check=None, drain_timeout_s=1)
    balancer.apply(config)
    with hold_open(address, PORT) as connection:
        began = time.monotonic()
        balancer.apply(config_of(address, second, protocol="tcp", check=None, drain_timeout_s=1))
        assert ask(address, PORT, 8).names().keys() == {"b"}
        while connection.recv(4096):
            pass
        assert time.monotonic() - began > 0.9


def test_a_server_that_is_removed_once_more_is_given_all_of_its_time_however_late_the_first_one_ends(
    balancer, addresses, make_server
):
    address = addresses()
    first, second = make_server("a")[0], make_server("b")[0]
    settings = {"protocol": "tcp", "check": None, "idle_timeout_s": 300}
    balancer.apply(config_of(address, first, drain_timeout_s=1, **settings))
    with hold_open(address, PORT) as connection:
        with balancer._lock:
            balancer.apply(config_of(address, second, drain_timeout_s=1, **settings))
            (drain,) = [one for one in threading.enumerate() if one.name == "drain-a"]
            over_at = time.monotonic() + 1.2
            wait_until(lambda: time.monotonic() > over_at)
            balancer.apply(config_of(address, first, second, drain_timeout_s=1, **settings))
            balancer.apply(config_of(address, second, drain_timeout_s=300, **settings))
        drain.join(30)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in connection.recv(4096)


def test_connections_to_a_removed_server_are_cut_in_time_by_a_worker_that_a_reload_left_behind(
    balancer, addresses, make_server
):
    address = addresses()
    first, second = make_server("a")[0], make_server("b")[0]
    settings = {"protocol": "tcp", "check": None, "drain_timeout_s": 2, "idle_timeout_s": 300}
    balancer.apply(config_of(address, first, second, **settings))
    held = [hold_open(address, PORT) for _ in range(2)]
    balancer.apply(config_of(address, second, **settings))
    balancer.apply(config_of(address, second, **{**settings, "idle_timeout_s": 200}))

    closed = wait_until(lambda: [one for one in held if is_closed(one)])
    assert len(closed) == 1, "the connection to the other server stays"
    for one in held:
        one.close()


def test_connections_to_a_server_that_fails_its_checks_are_cut_when_their_time_is_over(
    balancer, addresses, make_server
):
    address = addresses()
    first, second = make_server("a")[0], make_server("b")[0]
    checked = [socket.create_server((one.address, 8081)) for one in (first, second)]
    settings = {
        "protocol": "tcp",
        "drain_timeout_s": 1,
        "idle_timeout_s": 300,
        "check": replace(CHECK, protocol="tcp", port=8081),
    }
    balancer.apply(config_of(address, first, second, **settings))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})
    held = [hold_open(address, PORT) for _ in range(4)]
    # A worker that a reload left behind checks nothing any more.
    balancer.apply(config_of(address, first, second, **{**settings, "idle_timeout_s": 200}))
    held += [hold_open(address, PORT) for _ in range(4)]

    checked[0].close()
    closed = wait_until(lambda: [one for one in held if is_closed(one)], lambda found: len(found) == 4)
    assert not any(is_closed(one) for one in held if one not in closed)
    for one in (*held, *checked):
        one.close()


def test_connections_to_a_removed_server_live_on_where_nobody_set_a_time(balancer, addresses, make_server):
    address = addresses()
    first, second = make_server("a")[0], make_server("b")[0]
    balancer.apply(config_of(address, first, protocol="tcp", check=None))
    with hold_open(address, PORT) as connection:
        balancer.apply(config_of(address, second, protocol="tcp", check=None))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in connection.recv(4096)
