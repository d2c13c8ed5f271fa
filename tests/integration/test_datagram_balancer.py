"""Datagrams through the process that passes them on, with real sockets."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from traffic import wait_until
from udp_servers import EchoServer, UdpClient, names

from steelyard.errors import LocalCloudError
from steelyard.localcloud.datagram.balancer import DatagramBalancer
from steelyard.localcloud.datagram.plan import DatagramListener, Place, Probe, Target
from steelyard.localcloud.traffic.gate import Gate
from steelyard.localcloud.traffic.server_status import Health

PORT = 8000
PROBE = Probe(interval_s=0.05, timeout_s=0.2, healthy_threshold=2, unhealthy_threshold=2)


@pytest.fixture
def servers(addresses: Callable[[], str]) -> Iterator[list[EchoServer]]:
    servers = [EchoServer(name, addresses(), PORT) for name in "abc"]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def front(addresses: Callable[[], str]) -> str:
    """The address that clients call."""
    return addresses()


@pytest.fixture
def balancer(tmp_path: Path, front: str) -> Iterator[DatagramBalancer]:
    balancer = DatagramBalancer("lb-test", tmp_path / "lb-test-datagrams")
    yield balancer
    balancer.discard()
    assert balancer.process_ids() == []


def listener(servers: list[EchoServer], *weights: int, **settings: object) -> DatagramListener:
    targets = tuple(
        Target(name=server.name, address=server.address, port=server.port, weight=weight)
        for server, weight in zip(servers, weights, strict=True)
    )
    return DatagramListener(name="udp", port=PORT, targets=targets, **settings)  # type: ignore[arg-type]


def health(balancer: DatagramBalancer) -> dict[str, Health]:
    return {server: status.health for (_, server), status in balancer.statuses().items()}


def test_new_clients_are_shared_out_by_weight(balancer, servers, front) -> None:
    balancer.apply([Place(address=front)], [listener(servers, 100, 50, 0)])
    assert Counter(names(front, PORT, 300)) == {"a": 200, "b": 100}


def test_a_client_stays_on_its_server_through_changes_of_weight_and_members(balancer, servers, front) -> None:
    balancer.apply([Place(address=front)], [listener(servers, 100, 0, 0)])
    with UdpClient(front, PORT) as client:
        assert client.ask() == "a"
        balancer.apply([Place(address=front)], [listener(servers, 0, 100, 0)])
        assert client.ask() == "a"
        assert names(front, PORT, 3) == ["b"] * 3
        balancer.apply([Place(address=front)], [listener(servers[1:], 100, 0)])
        assert client.ask() == "a"


def test_clients_follow_a_server_that_has_come_to_another_address(balancer, servers, front) -> None:
    plan = listener(servers, 100, 0, 0)
    balancer.apply([Place(address=front)], [plan])
    with UdpClient(front, PORT) as client:
        assert client.ask() == "a"
        moved = replace(plan.targets[0], address=servers[1].address, port=servers[1].port)
        balancer.apply([Place(address=front)], [replace(plan, targets=(moved, *plan.targets[1:]))])
        assert client.ask() == "b"


def test_a_removed_server_is_given_its_time(balancer, servers, front) -> None:
    plan = listener(servers, 100, 0, 0, drain_timeout_s=60.0)
    without_a = replace(plan, targets=listener(servers, 0, 100, 0).targets[1:2])
    balancer.apply([Place(address=front)], [plan])
    with UdpClient(front, PORT) as client:
        assert client.ask() == "a"
        balancer.apply([Place(address=front)], [without_a])
        assert client.ask() == "a"
        balancer.apply([Place(address=front)], [plan])
        balancer.apply([Place(address=front)], [replace(without_a, drain_timeout_s=0.1)])
        wait_until(lambda: client.ask(timeout_s=0.2) == "b")


def test_the_health_of_servers_is_found_by_their_refusal(balancer, servers, front) -> None:
    balancer.apply([Place(address=front)], [listener(servers, 100, 100, 100, probe=PROBE)])
    wait_until(lambda: set(health(balancer).values()) == {Health.NORMAL})
    with UdpClient(front, PORT) as client:
        first = client.ask()
        lost = next(server for server in servers if server.name == first)
        lost.close()
        wait_until(lambda: health(balancer)[lost.name] is Health.ABNORMAL)
        assert client.ask() in {"a", "b", "c"} - {lost.name}
    assert lost.name not in names(front, PORT, 12)
    servers[servers.index(lost)] = EchoServer(lost.name, lost.address, lost.port)
    wait_until(lambda: health(balancer)[lost.name] is Health.NORMAL)


def test_servers_serve_on_while_they_are_asked_in_another_way(balancer, servers, front) -> None:
    balancer.apply([Place(address=front)], [listener(servers, 100, 0, 0, probe=PROBE)])
    wait_until(lambda: set(health(balancer).values()) == {Health.NORMAL})
    seldom = replace(PROBE, interval_s=60.0)
    balancer.apply([Place(address=front)], [listener(servers, 100, 0, 0, probe=seldom)])
    assert names(front, PORT, 3) == ["a"] * 3


def test_the_answer_to_a_probe_may_have_to_be_the_expected_one(balancer, servers, front) -> None:
    # Here silence would be a failure, and a busy machine's servers are slow to answer.
    expecting = replace(PROBE, request="ping", expected="a ping", timeout_s=10.0)
    balancer.apply([Place(address=front)], [listener(servers, 100, 100, 100, probe=expecting)])
    wanted = {"a": Health.NORMAL, "b": Health.ABNORMAL, "c": Health.ABNORMAL}
    wait_until(lambda: health(balancer) == wanted)
    assert set(names(front, PORT, 6)) == {"a"}


def test_probes_by_tcp_find_who_does_not_listen(balancer, servers, front) -> None:
    probe = replace(PROBE, protocol="tcp", port=8001, timeout_s=10.0)
    with ExitStack() as listening:
        for server in servers:
            listening.enter_context(socket.create_server((server.address, 8001)))
        balancer.apply([Place(address=front)], [listener(servers, 1, 1, 1, probe=probe)])
        wait_until(lambda: set(health(balancer).values()) == {Health.NORMAL})
    wait_until(lambda: set(health(balancer).values()) == {Health.ABNORMAL})
    assert {status.reason for status in balancer.statuses().values()} == {"L4CON"}


def test_a_list_says_who_is_served(balancer, servers, front) -> None:
    listed = ("127.0.0.2/32",)
    plan = listener(servers, 1, 0, 0, gates=(Gate.of_list(listed, is_white=True),))
    balancer.apply([Place(address=front)], [plan])

    def is_served(source: str) -> bool:
        with UdpClient(front, PORT, source) as client:
            return client.ask(timeout_s=0.2) is not None

    wait_until(lambda: is_served("127.0.0.2"))
    assert not is_served("127.0.0.1")
    balancer.apply([Place(address=front)], [replace(plan, gates=(Gate.of_list(listed, is_white=False),))])
    wait_until(lambda: is_served("127.0.0.1"))
    assert not is_served("127.0.0.2")


def test_an_idle_session_is_forgotten(balancer, servers, front) -> None:
    plan = listener(servers, 100, 0, 0, idle_timeout_s=0.2)
    balancer.apply([Place(address=front)], [plan])
    with UdpClient(front, PORT) as client:
        # On a busy machine the session may be idle for too long before its answer comes.
        wait_until(lambda: client.ask(timeout_s=0.5) == "a")
        balancer.apply([Place(address=front)], [replace(plan, targets=listener(servers, 0, 100, 0).targets)])
        wait_until(lambda: {s.num_sessions for s in balancer.statuses().values()} == {0})
        wait_until(lambda: client.ask(timeout_s=0.5) == "b")


def test_a_port_that_is_taken_is_told_and_the_plan_before_stays(balancer, servers, front, addresses) -> None:
    first = listener(servers, 1, 0, 0)
    balancer.apply([Place(address=front)], [first])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((front, 8001))
        second = replace(first, name="other", port=8001)
        with pytest.raises(LocalCloudError, match="cannot bind"):
            balancer.apply([Place(address=front)], [first, second])
    assert names(front, PORT, 2) == ["a", "a"]
    further = addresses()
    balancer.apply([Place(address=front), Place(address=further)], [first, second])
    assert names(further, second.port, 1) == ["a"]


def test_a_killed_process_is_started_again(balancer, servers, front, monkeypatch) -> None:
    monkeypatch.setattr("steelyard.localcloud.traffic.kept._MIN_LIFE_S", 0.0)
    balancer.apply([Place(address=front)], [listener(servers, 1, 0, 0)])
    worker = next(
        pid
        for pid in balancer.process_ids()
        if "steelyard.localcloud.datagram" in psutil.Process(pid).cmdline()
    )
    os.kill(worker, signal.SIGKILL)

    def is_served() -> bool:
        with UdpClient(front, PORT) as client:
            try:
                return client.ask(timeout_s=0.2) == "a"
            except ConnectionError:
                return False

    wait_until(is_served)
