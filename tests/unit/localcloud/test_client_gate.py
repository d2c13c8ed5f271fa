from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from steelyard.localcloud.datagram.plan import DatagramListener
from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter
from steelyard.localcloud.proxy.config import Listener, ProxyConfig
from steelyard.localcloud.services.zonal.guard import guarded
from steelyard.localcloud.traffic.gate import EVERYBODY, ClientRule, Gate

DROP_ALL = ClientRule(accepts=False, cidrs=(EVERYBODY,))


def lets_in(gate: Gate, address: str, port: int = 40000) -> bool:
    return gate.lets_in(IPv4Address(address), port)


class TestGate:
    @pytest.mark.parametrize("is_white", [True, False], ids=["white", "black"])
    def test_of_a_list_lets_in_just_those_on_it_or_all_but_them(self, is_white):
        gate = Gate.of_list(["10.0.0.0/8", "127.0.0.9"], is_white=is_white)
        assert [lets_in(gate, one) for one in ("10.9.9.9", "127.0.0.9", "127.0.0.8")] == [
            is_white,
            is_white,
            not is_white,
        ]

    def test_is_decided_by_the_first_rule_that_fits(self):
        inner = ClientRule(accepts=True, cidrs=("10.1.0.0/16",))
        outer = ClientRule(accepts=False, cidrs=("10.0.0.0/8",))
        assert lets_in(Gate((inner, outer)), "10.1.0.1")
        assert not lets_in(Gate((outer, inner)), "10.1.0.1")

    def test_lets_in_whom_no_rule_fits(self):
        assert lets_in(Gate((ClientRule(accepts=False, cidrs=("10.0.0.0/8",)),)), "11.0.0.1")

    def test_looks_at_the_clients_port_where_a_rule_says_so(self):
        gate = Gate((ClientRule(accepts=True, cidrs=(EVERYBODY,), source_ports=(100, 200)), DROP_ALL))
        assert [lets_in(gate, "10.0.0.1", port) for port in (99, 100, 200, 201)] == [False, True, True, False]


def gates(*rules: FilterRule, **sets: frozenset[str]) -> tuple[tuple[Gate, ...], tuple[Gate, ...]]:
    """Give the gates of a TCP listener of port 80 and of a UDP listener of port 53."""
    config = ProxyConfig(
        addresses=("127.0.0.1",),
        listeners=(Listener(name="web", protocol="http", port=80),),
        datagrams=(DatagramListener(name="names", port=53),),
    )
    found = guarded(config, PacketFilter(ingress=rules, sets=sets))
    return found.listeners[0].gates, found.datagrams[0].gates


class TestSecurityGroups:
    def test_without_a_drop_keep_nobody_out(self):
        assert gates(FilterRule(accepts=True, network=IPv4Network("10.0.0.0/8"))) == ((), ())

    def test_mean_the_listeners_of_their_protocol_and_ports(self):
        drop = FilterRule(accepts=False, network=IPv4Network(EVERYBODY))
        assert gates(drop) == ((Gate((DROP_ALL,)),),) * 2
        of_tcp = FilterRule(accepts=False, protocol="tcp", ports=(1, 80))
        assert gates(of_tcp) == ((Gate((DROP_ALL,)),), ())
        assert gates(FilterRule(accepts=False, protocol="udp", ports=(54, 90))) == ((), ())
        assert gates(FilterRule(accepts=False, protocol="icmp")) == ((), ())

    def test_look_up_the_members_of_a_source_group(self):
        rules = (FilterRule(accepts=True, set_name="sg-1"), FilterRule(accepts=False))
        (gate,), _ = gates(*rules, **{"sg-1": frozenset({"10.0.0.9", "10.0.0.8"})})
        assert gate == Gate((ClientRule(accepts=True, cidrs=("10.0.0.8", "10.0.0.9")), DROP_ALL))
        assert gates(*rules, **{"sg-1": frozenset()})[0] == (Gate((DROP_ALL,)),)

    def test_stand_beside_a_listeners_own_list(self):
        own = Gate.of_list(["10.0.0.0/8"], is_white=True)
        config = ProxyConfig(
            addresses=("127.0.0.1",),
            listeners=(Listener(name="web", protocol="http", port=80, gates=(own,)),),
        )
        found = guarded(config, PacketFilter(ingress=(FilterRule(accepts=False),)))
        assert found.listeners[0].gates == (own, Gate((DROP_ALL,)))
