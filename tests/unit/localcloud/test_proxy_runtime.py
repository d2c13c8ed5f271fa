from __future__ import annotations

from dataclasses import replace

import pytest

from steelyard.localcloud.proxy.config import HealthCheck, Listener, ProxyConfig, Server
from steelyard.localcloud.proxy.runtime import RuntimeRefusal, ServerReconciler

A = Server(name="a", address="127.64.0.10", port=8000, weight=100)
B = Server(name="b", address="127.64.0.11", port=8000, weight=50)


def reconcile(servers, known, answers=None, namespaces=None) -> list[str]:
    """Reconcile one listener's servers with those that HAProxy knows, and give the commands."""
    sent = []

    def command(text: str) -> str:
        sent.append(text)
        default = "New server registered." if text.startswith("add") else ""
        return (answers or {}).get(text, default)

    listener = Listener(
        name="l", protocol="http", port=80, servers=servers, check=HealthCheck(protocol="http")
    )
    rows = {("l", server.name): row(server, admin) for server, admin in known.items()}
    config = ProxyConfig(addresses=("127.64.0.20",), listeners=(listener,))
    ServerReconciler(command, namespaces or {}).reconcile(config, rows)
    return sent


def row(server: Server, admin_state: int) -> list[str]:
    columns = ["-"] * 25
    columns[4], columns[6], columns[7] = server.address, str(admin_state), str(server.weight)
    columns[18] = str(server.port)
    return columns


def test_nothing_is_said_where_nothing_changes():
    assert reconcile((A, B), {A: 0, B: 0}) == []


def test_a_weight_takes_one_command():
    assert reconcile((replace(A, weight=0),), {A: 0}) == ["set server l/a weight 0"]


def test_a_new_server_has_no_weight_until_it_is_held_for_unhealthy():
    commands = reconcile((A, B), {A: 0})
    assert commands[0].startswith("add server l/b 127.64.0.11:8000 weight 0 check")
    assert commands[1:] == [
        "enable health l/b",
        "enable server l/b",
        "set server l/b health down",
        "set server l/b weight 50",
    ]


def test_what_takes_more_comes_before_what_takes_less_so_that_there_is_always_a_server():
    others = {A: 0, replace(B, weight=0): 0}
    assert reconcile((replace(A, weight=0), B), others) == [
        "set server l/b weight 50",
        "set server l/a weight 0",
    ]
    assert reconcile((B,), others) == [
        "set server l/b weight 50",
        "set server l/a state maint",
        "del server l/a",
    ]


def test_a_removed_server_is_closed_to_new_requests_first():
    assert reconcile((A,), {A: 0, B: 0}) == ["set server l/b state maint", "del server l/b"]


def test_one_that_could_not_be_deleted_may_come_back():
    commands = reconcile((A, B), {A: 0, B: 1})
    assert commands[0] == "set server l/b weight 0"
    assert commands[-2:] == ["set server l/b health down", "set server l/b weight 50"]


@pytest.mark.parametrize("answers", [{"set server l/a weight 7": "No such server."}])
def test_a_refusal_is_told(answers):
    with pytest.raises(RuntimeRefusal, match="No such server"):
        reconcile((replace(A, weight=7),), {A: 0}, answers)


def test_a_server_that_moved_needs_a_reload():
    with pytest.raises(RuntimeRefusal, match="moved"):
        reconcile((replace(A, address="127.64.0.99"),), {A: 0})


@pytest.mark.parametrize("admin_state", [0, 1], ids=["in use", "removed before"])
def test_a_server_that_has_come_to_another_network_with_its_address_needs_a_reload(admin_state):
    there = replace(A, namespace="vpc-2")
    assert reconcile((there,), {there: 0}, namespaces={("l", "a"): "vpc-2"}) == []
    with pytest.raises(RuntimeRefusal, match="moved"):
        reconcile((there,), {A: admin_state}, namespaces={} if admin_state else {("l", "a"): "vpc-1"})
