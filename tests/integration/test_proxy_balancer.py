from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from http.client import HTTPConnection
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import psutil
import pytest
from traffic import Traffic, ask, wait_until

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.address import AddressBook
from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import (
    CookieStickiness,
    HealthCheck,
    Listener,
    ProxyConfig,
    Server,
    ServerPool,
)
from steelyard.localcloud.proxy.route import Forward, Match, Route
from steelyard.localcloud.traffic.gate import EVERYBODY, ClientRule, Gate
from steelyard.localcloud.traffic.server_status import Health

PORT = 8000
CHECK = HealthCheck(protocol="http", interval_s=1, timeout_s=1, healthy_threshold=2, unhealthy_threshold=2)
WINDOW_S = 1 * 2 + 1 * 2 + 1  # interval and timeout for each failure, and a second for this machine


@pytest.fixture
def addresses():
    """Hand out addresses of this test's own."""
    book = AddressBook()
    yield lambda: book.claim(IPv4Network("127.91.0.0/20"))
    book.release_all()


@pytest.fixture
def make_server(addresses):
    """Run servers that answer with their names; a name comes with its process."""
    running = []

    def make(name: str, weight: int = 100, delay_s: float = 0.0) -> tuple[Server, subprocess.Popen]:
        address = addresses()
        script = Path(__file__).with_name("named_server.py")
        process = subprocess.Popen([sys.executable, "-S", script, address, "8080", name, str(delay_s)])
        running.append(process)
        wait_until(lambda: is_open(address, 8080))
        return Server(name=name, address=address, port=8080, weight=weight), process

    yield make
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def balancer(tmp_path):
    balancer = ProxyBalancer("lb-test", tmp_path / "lb-test")
    yield balancer
    family = [psutil.Process(pid) for pid in balancer.process_ids()]
    balancer.discard()
    assert not any(process.is_running() for process in family)
    assert not (tmp_path / "lb-test").exists()


def is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def config_of(address: str, *servers: Server, **changes) -> ProxyConfig:
    listener = Listener(name="http-8000", protocol="http", port=PORT, servers=servers, check=CHECK)
    return ProxyConfig(addresses=(address,), listeners=(replace(listener, **changes),))


def healthy(balancer: ProxyBalancer) -> set[str]:
    return {server for (_, server), s in balancer.statuses().items() if s.health is Health.NORMAL}


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


def test_connections_follow_the_weights_in_tcp(balancer, addresses, make_server):
    address = addresses()
    servers = [make_server("a", 100)[0], make_server("b", 50)[0]]
    check = replace(CHECK, protocol="tcp")
    balancer.apply(config_of(address, *servers, protocol="tcp", check=check))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})

    counts = sum((ask(address, PORT, 1, 1).names() for _ in range(300)), start=Traffic(address, PORT).names())

    assert counts["a"] / 300 == pytest.approx(2 / 3, abs=0.01)


def test_an_address_that_is_given_up_takes_its_connections_along_and_no_others(
    balancer, addresses, make_server
):
    kept, given_up = addresses(), addresses()
    server, _ = make_server("a")
    config = config_of(kept, server, protocol="tcp", check=None)
    balancer.apply(replace(config, addresses=(kept, given_up)))
    open_connections = [socket.create_connection((address, PORT), timeout=5) for address in (kept, given_up)]
    for connection in open_connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1000)

    balancer.apply(config)

    on_kept, on_given_up = open_connections
    wait_until(lambda: is_closed(on_given_up))
    on_kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert on_kept.recv(1000)
    for connection in open_connections:
        connection.close()


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


def test_a_server_gets_nothing_before_its_checks_have_passed(balancer, addresses, make_server):
    address = addresses()
    absent = Server(name="absent", address=addresses(), port=8080, weight=100)
    present, _ = make_server("present")
    balancer.apply(config_of(address, absent, present))

    assert {s.health for s in balancer.statuses().values()} <= {Health.UNAVAILABLE, Health.ABNORMAL}
    wait_until(lambda: healthy(balancer), lambda names: names == {"present"})
    traffic = ask(address, PORT, 100)

    assert traffic.errors == []
    assert traffic.names() == {"present": 100}
    assert balancer.statuses()["http-8000", "absent"].health is Health.ABNORMAL


def test_a_killed_server_is_noticed_within_the_health_checks_window_and_no_request_is_lost(
    balancer, addresses, make_server
):
    address = addresses()
    (a, killed), (b, _) = make_server("a"), make_server("b")
    balancer.apply(config_of(address, a, b))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})

    with Traffic(address, PORT).flowing() as traffic:
        wait_until(lambda: traffic.names()["a"] > 20)
        killed.kill()
        began = time.monotonic()
        wait_until(lambda: healthy(balancer), lambda names: names == {"b"}, deadline_s=WINDOW_S)
        noticed_s = time.monotonic() - began

    assert noticed_s < WINDOW_S
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
        drained_at = time.monotonic() + 0.1
        wait_until(lambda: traffic.names(drained_at)["a"] > 100)
        assert traffic.names(drained_at)["b"] == 0

        balancer.apply(config_of(address, servers["a"], servers["b"], servers["c"]))
        wait_until(lambda: traffic.names()["c"] > 20)
        balancer.apply(config_of(address, servers["b"], servers["c"]))
        removed_at = time.monotonic() + 0.1
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


def test_clients_stay_with_their_server_by_cookie(balancer, addresses, make_server):
    address = addresses()
    servers = [make_server(name)[0] for name in "ab"]
    cookie = CookieStickiness(name="SERVERID", is_inserted=True, max_life_s=60)
    balancer.apply(config_of(address, *servers, cookie=cookie))
    wait_until(lambda: healthy(balancer), lambda names: names == {"a", "b"})
    connection = HTTPConnection(address, PORT, timeout=5)
    connection.request("GET", "/")
    answer = connection.getresponse()
    first = answer.read()
    header = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}

    answers = set()
    for _ in range(10):
        connection.request("GET", "/", headers=header)
        answers.add(connection.getresponse().read())
    connection.close()

    assert answers == {first}


def test_clients_stay_with_their_server_by_address_whatever_is_changed(balancer, addresses, make_server):
    address = addresses()
    servers = {name: make_server(name)[0] for name in "abcd"}
    settings = {"protocol": "tcp", "check": None, "source_persistence_s": 60}
    sources = [f"127.91.200.{number}" for number in range(1, 251)]

    def served(sources: list[str]) -> dict[str, str]:
        return {source: ask_from(source, address) for source in sources}

    balancer.apply(config_of(address, *(servers[name] for name in "abc"), **settings))
    first = served(sources)
    # Round robin would give each another one when they come in another order.
    sources.reverse()
    assert served(sources) == first
    # Servers' numbers in HAProxy change with the removal of the first and a reload.
    balancer.apply(config_of(address, *(servers[name] for name in "bcd"), **settings))
    balancer.apply(config_of(address, *(servers[name] for name in "bcd"), idle_timeout_s=100, **settings))
    stayed = [source for source, name in first.items() if name != "a"]
    assert served(stayed) == {source: first[source] for source in stayed}


def ask_from(source: str, address: str) -> str:
    """Tell which server answers a client's request on a connection of its own."""
    connection = HTTPConnection(address, PORT, timeout=5, source_address=(source, 0))
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().split()[0]
    finally:
        connection.close()


def test_clients_are_taken_that_every_gate_lets_in(balancer, addresses, make_server):
    address = addresses()
    first = Gate(
        (
            ClientRule(accepts=True, cidrs=("127.0.0.2",)),
            ClientRule(accepts=False, cidrs=("127.0.0.0/29",)),
            ClientRule(accepts=True, cidrs=(EVERYBODY,), source_ports=(1, 45999)),
            ClientRule(accepts=False, cidrs=(EVERYBODY,)),
        )
    )
    many = tuple(f"127.9.{number}.0/24" for number in range(70))
    second = Gate.of_list([*many, "127.0.1.1"], is_white=False)
    balancer.apply(config_of(address, make_server("a")[0], gates=(first, second), check=None))

    def is_taken(source: str, port: int) -> bool:
        try:
            with socket.create_connection((address, PORT), 5, source_address=(source, port)) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return client.recv(100).startswith(b"HTTP/1.1 200")
        except ConnectionError:
            return False

    # Ports of this process, so that tests side by side do not take each other's.
    low, high = 40000 + os.getpid() % 5000, 46000 + os.getpid() % 5000
    for source, port in (
        ("127.0.0.2", high),
        ("127.0.0.3", low),
        ("127.0.0.9", low),
        ("127.0.0.9", high),
        ("127.0.1.1", low),
        ("127.9.69.1", low),
        ("127.9.70.1", low),
    ):
        expected = all(gate.lets_in(IPv4Address(source), port) for gate in (first, second))
        assert is_taken(source, port) is expected, (source, port)


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


def hold_open(address: str, port: int) -> socket.socket:
    """Open a connection, have one request answered on it, and keep it."""
    connection = socket.create_connection((address, port), timeout=10)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in connection.recv(4096)
    return connection


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
        assert 0.9 < time.monotonic() - began < 5


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
            # What is under way when the change comes is answered as it was before.
            wait_until(lambda: set(traffic.names(time.monotonic() - 0.2)), lambda names, s=served: names == s)
            since = time.monotonic()
            wait_until(lambda since=since: sum(traffic.names(since).values()) > 100)
            assert set(traffic.names(since)) == served
    assert traffic.errors == []
