"""Which clients a proxy takes, and which server each of them gets."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from http.client import HTTPConnection
from ipaddress import IPv4Address

from proxy_parts import PORT, config_of, healthy, hold_open, is_closed
from traffic import wait_until

from steelyard.localcloud.proxy.config import CookieStickiness
from steelyard.localcloud.traffic.gate import EVERYBODY, ClientRule, Gate


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
    sources = [f"127.91.200.{number}" for number in range(1, 251)]  # Which no server has.

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


def test_a_server_without_weight_gets_no_client_back_by_cookie(balancer, addresses, make_server):
    address = addresses()
    servers = {name: make_server(name)[0] for name in "ab"}
    cookie = CookieStickiness(name="SERVERID", is_inserted=True, max_life_s=60)
    balancer.apply(config_of(address, *servers.values(), cookie=cookie, check=None))
    first, header = named_by_cookie(address, {})
    resting = replace(servers[first], weight=0)

    balancer.apply(config_of(address, *{**servers, first: resting}.values(), cookie=cookie, check=None))

    (other,) = set(servers) - {first}
    name, new = named_by_cookie(address, header)
    assert name == other
    assert named_by_cookie(address, new)[0] == other
    balancer.apply(config_of(address, *servers.values(), cookie=cookie, check=None))
    assert {named_by_cookie(address, header)[0] for _ in range(4)} == {first}


def named_by_cookie(address: str, header: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Tell which server answers a client, and what that gives it to come back by."""
    connection = HTTPConnection(address, PORT, timeout=5)
    try:
        connection.request("GET", "/", headers=header)
        answer = connection.getresponse()
        given = answer.headers.get("Set-Cookie", "").split(";")[0]
        return answer.read().decode().split()[0], {"Cookie": given}
    finally:
        connection.close()


def test_a_server_without_weight_gets_no_client_back_by_address(balancer, addresses, make_server):
    address = addresses()
    servers = {name: make_server(name)[0] for name in "abc"}
    settings = {"protocol": "tcp", "check": None, "source_persistence_s": 60}
    sources = [f"127.91.201.{number}" for number in range(1, 31)]
    balancer.apply(config_of(address, *servers.values(), **settings))
    first = {source: ask_from(source, address) for source in sources}
    open_one = hold_open(address, PORT)
    resting = {**servers, "a": replace(servers["a"], weight=0)}

    balancer.apply(config_of(address, *resting.values(), **settings))
    second = {source: ask_from(source, address) for source in sources}
    balancer.apply(config_of(address, *resting.values(), idle_timeout_s=100, **settings))
    third = {source: ask_from(source, address) for source in sources}

    assert set(second.values()) == {"b", "c"}
    assert {source: name for source, name in second.items() if first[source] != "a"} == {
        source: name for source, name in first.items() if name != "a"
    }
    assert third == second
    assert not is_closed(open_one)
    open_one.close()


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
            ClientRule(accepts=True, cidrs=(EVERYBODY,), source_ports=(1, 25999)),
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

    # Ports of this process, below those that clients are given: tests side by side do not take each other's.
    low, high = 20000 + os.getpid() % 5000, 26000 + os.getpid() % 5000
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
