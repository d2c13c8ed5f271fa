"""What is written is read back by pyroute2's own classes, which took their numbers from the kernel's headers."""

from __future__ import annotations

import struct
from ipaddress import IPv4Network
from typing import Any

from pyroute2.netlink.nfnetlink import nftsocket as nft

from steelyard.localcloud.hosts.netlink import encode_transaction
from steelyard.localcloud.hosts.nftables import render
from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter

CLASSES = {
    nft.NFT_MSG_NEWTABLE: nft.nft_table_msg,
    nft.NFT_MSG_DELTABLE: nft.nft_table_msg,
    nft.NFT_MSG_NEWCHAIN: nft.nft_chain_msg,
    nft.NFT_MSG_NEWRULE: nft.nft_rule_msg,
    nft.NFT_MSG_NEWSET: nft.nft_set_msg,
    nft.NFT_MSG_NEWSETELEM: nft.nft_set_elem_list_msg,
}
BEGIN, END = 0x10, 0x11


def packets(packet_filter: PacketFilter) -> list[tuple[int, int, bytes]]:
    """Give number, flags and bytes of each packet of a transaction."""
    data = encode_transaction(render(packet_filter), 2)
    found = []
    while data:
        length, kind, flags = struct.unpack_from("=IHH", data)
        found.append((kind & 0xFF, flags, data[:length]))
        data = data[length:]
    return found


def read(packet_filter: PacketFilter, kind: int) -> list[Any]:
    """Give the messages of one kind."""
    messages = []
    for number, _, data in packets(packet_filter):
        if number == kind:
            messages.append(CLASSES[kind](data))
            messages[-1].decode()
    return messages


def own_rules(chain: str, packet_filter: PacketFilter) -> list[list[dict[str, Any]]]:
    """Give the expressions of each rule of a chain, after those that always stand."""
    rules = [m for m in read(packet_filter, nft.NFT_MSG_NEWRULE) if m.get_attr("NFTA_RULE_CHAIN") == chain]
    return [[fields(e) for e in rule.get_attr("NFTA_RULE_EXPRESSIONS")] for rule in rules[3:]]


def fields(expression: Any) -> dict[str, Any]:
    name = expression.get_attr("NFTA_EXPR_NAME")
    prefix = f"NFTA_{name.upper()}_"
    found = {"name": name}
    for attribute in expression.get_attr("NFTA_EXPR_DATA")["attrs"]:
        value = attribute[1]
        found[attribute[0].removeprefix(prefix)] = (
            value.get_attr("NFTA_DATA_VALUE") if name != "immediate" and hasattr(value, "get_attr") else value
        )
    return found


def ingress(**rule: Any) -> list[dict[str, Any]]:
    written = FilterRule(**{"accepts": True, **rule})
    sets = {written.set_name: frozenset({"10.0.0.1"})} if written.set_name else {}
    (only,) = own_rules("ingress", PacketFilter(ingress=(written,), sets=sets))
    return only


def verdict(expression: dict[str, Any]) -> str:
    return expression["DATA"].get_attr("NFTA_DATA_VERDICT").get_attr("NFTA_VERDICT_CODE")


def test_a_rule_that_says_nothing_is_a_verdict_alone():
    (dropped,), (accepted,) = ingress(accepts=False), ingress()
    assert (dropped["name"], verdict(dropped), verdict(accepted)) == ("immediate", "NF_DROP", "NF_ACCEPT")


def test_a_network_is_masked_and_compared():
    load, mask, compare, _ = ingress(network=IPv4Network("10.1.0.0/16"))
    assert (load["BASE"], load["OFFSET"], load["LEN"]) == ("NFT_PAYLOAD_NETWORK_HEADER", 12, 4)  # The source.
    assert (mask["LEN"], bytes(mask["MASK"])) == (4, bytes([255, 255, 0, 0]))
    assert (compare["OP"], bytes(compare["DATA"])) == ("NFT_CMP_EQ", bytes([10, 1, 0, 0]))


def test_on_the_way_out_the_other_side_is_the_destination():
    rule = FilterRule(accepts=True, network=IPv4Network("10.1.0.0/16"))
    ((load, *_),) = own_rules("egress", PacketFilter(egress=(rule,)))
    assert load["OFFSET"] == 16


def test_every_address_needs_no_look():
    assert len(ingress(network=IPv4Network("0.0.0.0/0"))) == 1


def test_ports_are_a_range_in_the_order_of_the_network():
    protocol, is_udp, load, low, high, _ = ingress(protocol="udp", ports=(80, 443))
    assert (protocol["OFFSET"], bytes(is_udp["DATA"])) == (9, bytes([17]))
    assert (load["BASE"], load["OFFSET"], load["LEN"]) == ("NFT_PAYLOAD_TRANSPORT_HEADER", 2, 2)
    assert (low["OP"], bytes(low["DATA"])) == ("NFT_CMP_GTE", (80).to_bytes(2, "big"))
    assert (high["OP"], bytes(high["DATA"])) == ("NFT_CMP_LTE", (443).to_bytes(2, "big"))


def test_a_set_is_looked_up_by_its_number_in_the_transaction():
    _, lookup, _ = ingress(set_name="sg-2")
    assert (lookup["SET"], lookup["SET_ID"]) == ("sg-2", 1)


def test_the_whole_table_is_one_transaction_whose_last_change_is_acknowledged():
    found = packets(PacketFilter(sets={"sg-1": frozenset({"10.0.0.1"})}))
    assert [number for number, *_ in (found[0], found[-1])] == [BEGIN, END]
    assert [bool(flags & 0x4) for _, flags, _ in found[1:-1]] == [False] * (len(found) - 3) + [True]


def test_in_is_closed_and_out_is_open_unless_the_groups_say_otherwise():
    for accepts_egress in (True, False):
        chains = read(PacketFilter(accepts_egress=accepts_egress), nft.NFT_MSG_NEWCHAIN)
        policies = {c.get_attr("NFTA_CHAIN_NAME"): c.get_attr("NFTA_CHAIN_POLICY") for c in chains}
        assert policies == {"ingress": 0, "egress": int(accepts_egress)}


def test_without_rules_only_replies_loopback_and_the_clouds_own_range_pass():
    rules = read(PacketFilter(), nft.NFT_MSG_NEWRULE)
    firsts = [fields(rule.get_attr("NFTA_RULE_EXPRESSIONS")[0]) for rule in rules]
    assert [first["name"] for first in firsts] == ["ct", "meta", "payload"] * 2
    assert [first["KEY"] for first in firsts if first["name"] == "meta"] == [
        "NFT_META_IIFNAME",
        "NFT_META_OIFNAME",
    ]
    assert bytes(fields(rules[2].get_attr("NFTA_RULE_EXPRESSIONS")[2])["DATA"]) == bytes([100, 64, 0, 0])


def test_a_set_of_many_addresses_goes_in_parts():
    addresses = frozenset(f"10.0.{i // 256}.{i % 256}" for i in range(2500))
    parts = read(PacketFilter(sets={"sg-1": addresses}), nft.NFT_MSG_NEWSETELEM)
    assert [len(part.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS")) for part in parts] == [1000, 1000, 500]
    (made,) = read(PacketFilter(sets={"sg-1": addresses}), nft.NFT_MSG_NEWSET)
    assert (made.get_attr("NFTA_SET_NAME"), made.get_attr("NFTA_SET_KEY_LEN")) == ("sg-1", 4)
