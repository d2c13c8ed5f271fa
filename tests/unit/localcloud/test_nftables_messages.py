from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from steelyard.localcloud.hosts.nftables import expressions_of, render
from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter


def fields(expression: dict[str, Any]) -> dict[str, Any]:
    """Give an expression's own attributes, the bytes of its data among them, by short names."""
    (_, name), (_, data) = expression["attrs"]
    prefix = f"NFTA_{name.upper()}_"
    return {"name": name, **{key.removeprefix(prefix): unwrapped(value) for key, value in data["attrs"]}}


def unwrapped(value: Any) -> Any:
    return value["attrs"][0][1] if isinstance(value, dict) else value


def written(rule: FilterRule, chain: str = "ingress", **set_ids: int) -> list[dict[str, Any]]:
    return [fields(expression) for expression in expressions_of(rule, chain, set_ids)]


def names(messages: list[Any], attribute: str) -> list[Any]:
    return [value for message in messages for key, value in message["attrs"] if key == attribute]


def test_a_rule_that_says_nothing_is_a_verdict_alone():
    (verdict,) = written(FilterRule(accepts=False))
    assert verdict["name"] == "immediate"
    assert verdict["DATA"] == {"attrs": [("NFTA_VERDICT_CODE", 0)]}


def test_a_network_is_masked_and_compared():
    load, mask, compare, _ = written(FilterRule(accepts=True, network=IPv4Network("10.1.0.0/16")))
    assert (load["OFFSET"], load["LEN"]) == (12, 4)  # The source address.
    assert mask["MASK"] == bytes([255, 255, 0, 0])
    assert compare["DATA"] == bytes([10, 1, 0, 0])


def test_on_the_way_out_the_other_side_is_the_destination():
    load, *_ = written(FilterRule(accepts=True, network=IPv4Network("10.1.0.0/16")), "egress")
    assert load["OFFSET"] == 16


def test_every_address_needs_no_look():
    assert len(written(FilterRule(accepts=True, network=IPv4Network("0.0.0.0/0")))) == 1


def test_ports_are_a_range_in_the_order_of_the_network():
    rule = FilterRule(accepts=True, protocol="udp", ports=(80, 443))
    protocol, is_udp, load, low, high, _ = written(rule)
    assert (protocol["OFFSET"], is_udp["DATA"]) == (9, bytes([17]))
    assert (load["BASE"], load["OFFSET"], load["LEN"]) == (2, 2, 2)
    assert (low["OP"], low["DATA"]) == (5, (80).to_bytes(2, "big"))
    assert (high["OP"], high["DATA"]) == (3, (443).to_bytes(2, "big"))


def test_a_set_is_looked_up_by_its_number_in_the_transaction():
    _, lookup, _ = written(FilterRule(accepts=True, set_name="sg-2"), **{"sg-2": 7})
    assert (lookup["SET"], lookup["SET_ID"]) == ("sg-2", 7)


def test_the_whole_table_is_one_transaction():
    messages = render(PacketFilter(sets={"sg-1": frozenset({"10.0.0.1"})}))
    assert [message["header"]["type"] for message in (messages[0], messages[-1])] == [0x10, 0x11]
    assert names(messages, "NFTA_CHAIN_NAME") == ["ingress", "egress"]
    assert names(messages, "NFTA_CHAIN_POLICY") == [0, 1]  # In is closed, out is open.
    assert names(messages, "NFTA_SET_NAME") == ["sg-1"]


def test_without_rules_only_replies_loopback_and_the_clouds_own_range_pass():
    messages = render(PacketFilter(accepts_egress=False))
    rules = [[fields(e) for e in value] for value in names(messages, "NFTA_RULE_EXPRESSIONS")]
    assert [rule[0]["name"] for rule in rules] == ["ct", "meta", "payload"] * 2
    assert rules[2][2]["DATA"] == bytes([100, 64, 0, 0])
    assert names(messages, "NFTA_CHAIN_POLICY") == [0, 0]


def test_a_set_of_many_addresses_goes_in_parts():
    addresses = frozenset(f"10.0.{i // 256}.{i % 256}" for i in range(2500))
    parts = names(render(PacketFilter(sets={"sg-1": addresses})), "NFTA_SET_ELEM_LIST_ELEMENTS")
    assert [len(part) for part in parts] == [1000, 1000, 500]
