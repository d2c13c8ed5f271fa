"""Datagrams through the process that passes them on, with real sockets."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
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

FRONT = [Place(address="127.0.0.1")]
PROBE = Probe(interval_s=0.05, timeout_s=0.2, healthy_threshold=2, unhealthy_threshold=2)


@pytest.fixture
def servers() -> Iterator[list[EchoServer]]:
    servers = [EchoServer(name) for name in "abc"]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[DatagramBalancer]:
    balancer = DatagramBalancer("lb-test", tmp_path / "lb-test-datagrams")
    yield balancer
    balancer.discard()
    assert balancer.process_ids() == []


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listener(servers: list[EchoServer], port: int, *weights: int, **settings: object) -> DatagramListener:
    targets = tuple(
        Target(name=server.name, address=server.address, port=server.port, weight=weight)
        for server, weight in zip(servers, weights, strict=True)
    )
    return DatagramListener(name="udp", port=port, targets=targets, **settings)  # type: ignore[arg-type]


def health(balancer: DatagramBalancer) -> dict[str, Health]:
    return {server: status.health for (_, server), status in balancer.statuses().items()}


def test_new_clients_are_shared_out_by_weight(balancer, servers, port) -> None:
    balancer.apply(FRONT, [listener(servers, port, 100, 50, 0)])
    assert Counter(names("127.0.0.1", port, 300)) == {"a": 200, "b": 100}


def test_a_client_stays_on_its_server_through_changes_of_weight_and_members(balancer, servers, port) -> None:
    balancer.apply(FRONT, [listener(servers, port, 100, 0, 0)])
    with UdpClient("127.0.0.1", port) as client:
        assert client.ask() == "a"
        balancer.apply(FRONT, [listener(servers, port, 0, 100, 0)])
        assert client.ask() == "a"
        assert names("127.0.0.1", port, 3) == ["b"] * 3
        balancer.apply(FRONT, [listener(servers[1:], port, 100, 0)])
        assert client.ask() == "a"


def test_clients_follow_a_server_that_has_come_to_another_address(balancer, servers, port) -> None:
    plan = listener(servers, port, 100, 0, 0)
    balancer.apply(FRONT, [plan])
    with UdpClient("127.0.0.1", port) as client:
        assert client.ask() == "a"
        moved = replace(plan.targets[0], address=servers[1].address, port=servers[1].port)
        balancer.apply(FRONT, [replace(plan, targets=(moved, *plan.targets[1:]))])
        assert client.ask() == "b"


def test_a_removed_server_is_given_its_time(balancer, servers, port) -> None:
    plan = listener(servers, port, 100, 0, 0, drain_timeout_s=0.3)
    balancer.apply(FRONT, [plan])
    with UdpClient("127.0.0.1", port) as client:
        assert client.ask() == "a"
        balancer.apply(FRONT, [replace(plan, targets=listener(servers, port, 0, 100, 0).targets[1:2])])
        assert client.ask() == "a"
        wait_until(lambda: client.ask(timeout_s=0.2) == "b")


def test_the_health_of_servers_is_found_by_their_refusal(balancer, servers, port) -> None:
    balancer.apply(FRONT, [listener(servers, port, 100, 100, 100, probe=PROBE)])
    wait_until(lambda: set(health(balancer).values()) == {Health.NORMAL})
    with UdpClient("127.0.0.1", port) as client:
        first = client.ask()
        lost = next(server for server in servers if server.name == first)
        lost.close()
        wait_until(lambda: health(balancer)[lost.name] is Health.ABNORMAL)
        assert client.ask() in {"a", "b", "c"} - {lost.name}
    assert lost.name not in names("127.0.0.1", port, 12)
    servers[servers.index(lost)] = EchoServer(lost.name, lost.address, lost.port)
    wait_until(lambda: health(balancer)[lost.name] is Health.NORMAL)


def test_the_answer_to_a_probe_may_have_to_be_the_expected_one(balancer, servers, port) -> None:
    expecting = replace(PROBE, request="ping", expected="a ping")
    balancer.apply(FRONT, [listener(servers, port, 100, 100, 100, probe=expecting)])
    wanted = {"a": Health.NORMAL, "b": Health.ABNORMAL, "c": Health.ABNORMAL}
    wait_until(lambda: health(balancer) == wanted)
    assert set(names("127.0.0.1", port, 6)) == {"a"}


def test_probes_by_tcp_find_who_does_not_listen(balancer, servers, port) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        probe = replace(PROBE, protocol="tcp", port=listening.getsockname()[1])
        balancer.apply(FRONT, [listener(servers, port, 1, 1, 1, probe=probe)])
        wait_until(lambda: set(health(balancer).values()) == {Health.NORMAL})
    wait_until(lambda: set(health(balancer).values()) == {Health.ABNORMAL})
    assert {status.reason for status in balancer.statuses().values()} == {"L4CON"}


def test_a_list_says_who_is_served(balancer, servers, port) -> None:
    listed = ("127.0.0.2/32",)
    plan = listener(servers, port, 1, 0, 0, gates=(Gate.of_list(listed, is_white=True),))
    balancer.apply(FRONT, [plan])

    def is_served(source: str) -> bool:
        with UdpClient("127.0.0.1", port, source) as client:
            return client.ask(timeout_s=0.2) is not None

    assert (is_served("127.0.0.1"), is_served("127.0.0.2")) == (False, True)
    balancer.apply(FRONT, [replace(plan, gates=(Gate.of_list(listed, is_white=False),))])
    assert (is_served("127.0.0.1"), is_served("127.0.0.2")) == (True, False)


def test_an_idle_session_is_forgotten(balancer, servers, port) -> None:
    plan = listener(servers, port, 100, 0, 0, idle_timeout_s=0.2)
    balancer.apply(FRONT, [plan])
    with UdpClient("127.0.0.1", port) as client:
        assert client.ask() == "a"
        balancer.apply(FRONT, [replace(plan, targets=listener(servers, port, 0, 100, 0).targets)])
        wait_until(lambda: {s.num_sessions for s in balancer.statuses().values()} == {0})
        assert client.ask() == "b"


def test_a_port_that_is_taken_is_told_and_the_plan_before_stays(balancer, servers, port) -> None:
    first = listener(servers, port, 1, 0, 0)
    balancer.apply(FRONT, [first])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        second = replace(first, name="other", port=taken.getsockname()[1])
        with pytest.raises(LocalCloudError, match="cannot bind"):
            balancer.apply(FRONT, [first, second])
    assert names("127.0.0.1", port, 2) == ["a", "a"]
    balancer.apply([*FRONT, Place(address="127.0.0.2")], [first, second])
    assert names("127.0.0.2", second.port, 1) == ["a"]


def test_a_killed_process_is_started_again(balancer, servers, port, monkeypatch) -> None:
    monkeypatch.setattr("steelyard.localcloud.traffic.kept._MIN_LIFE_S", 0.0)
    balancer.apply(FRONT, [listener(servers, port, 1, 0, 0)])
    worker = next(
        pid
        for pid in balancer.process_ids()
        if "steelyard.localcloud.datagram" in psutil.Process(pid).cmdline()
    )
    os.kill(worker, signal.SIGKILL)

    def is_served() -> bool:
        with UdpClient("127.0.0.1", port) as client:
            try:
                return client.ask(timeout_s=0.2) == "a"
            except ConnectionError:
                return False

    wait_until(is_served)
