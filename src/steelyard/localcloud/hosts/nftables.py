"""A packet filter as nftables, told to the kernel over netlink: no `nft` program is needed.

pyroute2 gives the messages; the whole table is replaced in one transaction, so no packet ever meets half of it.
The numbers are those of linux/netfilter/nf_tables.h and of the IPv4, TCP and UDP headers.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, nlmsg
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink import nfgen_msg
from pyroute2.netlink.nfnetlink import nftsocket as nft
from pyroute2.nftables.main import NFTables

from steelyard.localcloud.hosts.packet_filter import SERVICE_NETWORK, FilterRule, PacketFilter

TABLE = "security-groups"
_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_BEGIN, _END
_IPV4 = 2  # NFPROTO_IPV4
_ADDRESS_TYPE = 7  # ipv4_addr, by nft(8)'s own numbering
_REGISTER, _VERDICT_REGISTER = 1, 0
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SOURCE, _DESTINATION, _PROTOCOL = (12, 4), (16, 4), (9, 1)  # Offset and length in the IPv4 header.
_SOURCE_PORT, _DESTINATION_PORT = (0, 2), (2, 2)
_EQUAL, _UNEQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5
_CT_STATE, _ESTABLISHED_OR_RELATED = 0, 0b110
_META_IN, _META_OUT = 6, 7  # NFT_META_IIFNAME, _OIFNAME
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47}
_DROP, _ACCEPT = 0, 1
_CHAINS = {"ingress": 1, "egress": 3}  # NF_INET_LOCAL_IN, _LOCAL_OUT

Expression = dict[str, Any]


def install(packet_filter: PacketFilter) -> None:
    """Put a filter in force in the network namespace of the calling thread, in place of the one before.

    Raises:
        OSError: The kernel refuses it.
    """
    messages = render(packet_filter)
    with NFTables(nfgen_family=_IPV4) as sender:

        async def send() -> None:
            async for _ in sender.asyncore.nlm_request_batch(messages):
                pass

        try:
            sender.asyncore.event_loop.run_until_complete(send())
        except NetlinkError as err:
            raise OSError(err.code, f"nftables refuse the security groups' rules: {err}") from err


def render(packet_filter: PacketFilter) -> list[nlmsg]:
    """Write a filter as one transaction of netlink messages."""
    table = [("NFTA_TABLE_NAME", TABLE)]
    create = NLM_F_CREATE | NLM_F_ACK
    messages = [
        _edge(_BEGIN),
        # Made before it is removed: removing one that is not there is an error.
        _message(nft.nft_table_msg, nft.NFT_MSG_NEWTABLE, create, table),
        _message(nft.nft_table_msg, nft.NFT_MSG_DELTABLE, NLM_F_ACK, table),
        _message(nft.nft_table_msg, nft.NFT_MSG_NEWTABLE, create, table),
    ]
    set_ids = {name: number for number, name in enumerate(sorted(packet_filter.sets), 1)}
    for name, number in set_ids.items():
        messages += _set(name, number, packet_filter.sets[name])
    for chain, is_open in (("ingress", False), ("egress", packet_filter.accepts_egress)):
        hook = [("NFTA_HOOK_HOOKNUM", _CHAINS[chain]), ("NFTA_HOOK_PRIORITY", 0)]
        attributes = [
            ("NFTA_CHAIN_TABLE", TABLE),
            ("NFTA_CHAIN_NAME", chain),
            ("NFTA_CHAIN_HOOK", {"attrs": hook}),
            ("NFTA_CHAIN_TYPE", "filter"),
            ("NFTA_CHAIN_POLICY", _ACCEPT if is_open else _DROP),
        ]
        messages.append(_message(nft.nft_chain_msg, nft.NFT_MSG_NEWCHAIN, create, attributes))
        rules = packet_filter.ingress if chain == "ingress" else packet_filter.egress
        for expressions in (*_standing_rules(chain), *(expressions_of(r, chain, set_ids) for r in rules)):
            attributes = [
                ("NFTA_RULE_TABLE", TABLE),
                ("NFTA_RULE_CHAIN", chain),
                ("NFTA_RULE_EXPRESSIONS", expressions),
            ]
            flags = create | NLM_F_APPEND
            messages.append(_message(nft.nft_rule_msg, nft.NFT_MSG_NEWRULE, flags, attributes))
    messages.append(_edge(_END))
    return messages


def expressions_of(rule: FilterRule, chain: str, set_ids: dict[str, int]) -> list[Expression]:
    """Write one rule.

    Args:
        rule: The rule.
        chain: `ingress` or `egress`.
        set_ids: Number of each set in the transaction.
    """
    expressions: list[Expression] = []
    peer = _SOURCE if chain == "ingress" else _DESTINATION
    if rule.protocol:
        expressions += _field(_NETWORK_HEADER, _PROTOCOL, bytes([_PROTOCOLS[rule.protocol]]))
    if rule.network is not None and rule.network.prefixlen:
        mask, address = rule.network.netmask.packed, rule.network.network_address.packed
        expressions += [_load(_NETWORK_HEADER, peer), _mask(mask), _compare(_EQUAL, address)]
    if rule.set_name:
        number = set_ids[rule.set_name]
        lookup = _expression("lookup", sreg=_REGISTER, set=rule.set_name, set_id=number)
        expressions += [_load(_NETWORK_HEADER, peer), lookup]
    for place, ports in ((_SOURCE_PORT, rule.source_ports), (_DESTINATION_PORT, rule.ports)):
        if ports is not None:
            first, last = (struct.pack(">H", port) for port in ports)
            expressions += [_load(_TRANSPORT_HEADER, place), _compare(_AT_LEAST, first)]
            expressions.append(_compare(_AT_MOST, last))
    return [*expressions, _verdict(_ACCEPT if rule.accepts else _DROP)]


def _standing_rules(chain: str) -> list[list[Expression]]:
    """Let replies, the instance's own loopback interface and the cloud's own range pass."""
    state = _expression("ct", dreg=_REGISTER, key=_CT_STATE)
    known = [state, _mask(struct.pack("=I", _ESTABLISHED_OR_RELATED)), _compare(_UNEQUAL, bytes(4))]
    interface = _expression("meta", dreg=_REGISTER, key=_META_IN if chain == "ingress" else _META_OUT)
    loopback = [interface, _compare(_EQUAL, b"lo".ljust(16, b"\0"))]
    accept = _verdict(_ACCEPT)
    service = expressions_of(FilterRule(accepts=True, network=SERVICE_NETWORK), chain, {})
    return [[*known, accept], [*loopback, accept], service]


def _set(name: str, number: int, addresses: frozenset[str]) -> list[nlmsg]:
    attributes = [
        ("NFTA_SET_TABLE", TABLE),
        ("NFTA_SET_NAME", name),
        ("NFTA_SET_KEY_TYPE", _ADDRESS_TYPE),
        ("NFTA_SET_KEY_LEN", 4),
        ("NFTA_SET_ID", number),
        ("NFTA_SET_FLAGS", set()),
    ]
    create = NLM_F_CREATE | NLM_F_ACK
    messages = [_message(nft.nft_set_msg, nft.NFT_MSG_NEWSET, create, attributes)]
    elements = [
        {"attrs": [("NFTA_SET_ELEM_KEY", _data(socket.inet_aton(address)))]} for address in sorted(addresses)
    ]
    # An attribute of netlink holds at most 64 KiB, an element 20 bytes.
    for start in range(0, len(elements), 1000):
        attributes = [
            ("NFTA_SET_ELEM_LIST_TABLE", TABLE),
            ("NFTA_SET_ELEM_LIST_SET", name),
            ("NFTA_SET_ELEM_LIST_SET_ID", number),
            ("NFTA_SET_ELEM_LIST_ELEMENTS", elements[start : start + 1000]),
        ]
        messages.append(_message(nft.nft_set_elem_list_msg, nft.NFT_MSG_NEWSETELEM, create, attributes))
    return messages


def _message(kind: type[nlmsg], number: int, flags: int, attributes: list[Any]) -> nlmsg:
    message = kind()
    message["attrs"] = attributes
    message["header"]["type"] = (_NFTABLES << 8) | number
    message["header"]["flags"] = NLM_F_REQUEST | flags
    message["nfgen_family"] = _IPV4
    return message


def _edge(number: int) -> nlmsg:
    message = nfgen_msg()
    message["res_id"] = _NFTABLES
    message["header"]["type"] = number
    message["header"]["flags"] = NLM_F_REQUEST
    return message


def _expression(name: str, **fields: object) -> Expression:
    data = [(f"NFTA_{name.upper()}_{key.upper()}", value) for key, value in fields.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": data})]}


def _data(value: bytes) -> Expression:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _load(header: int, place: tuple[int, int]) -> Expression:
    return _expression("payload", dreg=_REGISTER, base=header, offset=place[0], len=place[1])


def _mask(mask: bytes) -> Expression:
    zero = _data(bytes(len(mask)))
    return _expression("bitwise", sreg=_REGISTER, dreg=_REGISTER, len=len(mask), mask=_data(mask), xor=zero)


def _compare(how: int, value: bytes) -> Expression:
    return _expression("cmp", sreg=_REGISTER, op=how, data=_data(value))


def _field(header: int, place: tuple[int, int], value: bytes) -> list[Expression]:
    return [_load(header, place), _compare(_EQUAL, value)]


def _verdict(code: int) -> Expression:
    verdict = {"attrs": [("NFTA_VERDICT_CODE", code)]}
    return _expression("immediate", dreg=_VERDICT_REGISTER, data={"attrs": [("NFTA_DATA_VERDICT", verdict)]})
