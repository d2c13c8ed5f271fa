"""A packet filter as nftables, told to the kernel over netlink: no `nft` program is needed.

The whole table is replaced in one transaction, so no packet ever meets half of it. The numbers are those of
linux/netfilter/nf_tables.h and of the headers of IPv4, TCP and UDP.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence

from steelyard.localcloud.hosts.netlink import (
    APPEND,
    CREATE,
    Attribute,
    Message,
    encode_transaction,
    number,
    send_transaction,
    text,
)
from steelyard.localcloud.hosts.packet_filter import SERVICE_NETWORK, FilterRule, PacketFilter

TABLE = "security-groups"
_IPV4 = 2  # NFPROTO_IPV4
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE, _NEW_SET, _NEW_ELEMENTS = 0, 2, 3, 6, 9, 12  # NFT_MSG_...
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
_ELEMENTS_A_MESSAGE = 1000  # An attribute holds at most 64 KiB, an element 20 bytes.


def install(packet_filter: PacketFilter) -> None:
    """Put a filter in force in the network namespace of the calling thread, in place of the one before.

    Raises:
        OSError: The kernel refuses it.
    """
    send_transaction(encode_transaction(render(packet_filter), _IPV4))


def render(packet_filter: PacketFilter) -> list[Message]:
    """Write a filter as the messages of one transaction."""
    table: list[Attribute] = [(1, text(TABLE))]
    messages = [
        # Made before it is removed: removing one that is not there is an error.
        Message(kind=_NEW_TABLE, attributes=table),
        Message(kind=_DELETE_TABLE, attributes=table, flags=0),
        Message(kind=_NEW_TABLE, attributes=table),
    ]
    set_ids = {name: place for place, name in enumerate(sorted(packet_filter.sets), 1)}
    for name, place in set_ids.items():
        messages += _set(name, place, packet_filter.sets[name])
    messages += _chain("ingress", _DROP, packet_filter.ingress, set_ids)
    egress_policy = _ACCEPT if packet_filter.accepts_egress else _DROP
    return messages + _chain("egress", egress_policy, packet_filter.egress, set_ids)


def expressions_of(rule: FilterRule, chain: str, set_ids: Mapping[str, int]) -> list[Attribute]:
    """Write one rule.

    Args:
        rule: The rule.
        chain: `ingress` or `egress`.
        set_ids: Number of each set in the transaction.
    """
    expressions: list[Attribute] = []
    peer = _SOURCE if chain == "ingress" else _DESTINATION
    if rule.protocol:
        protocol = bytes([_PROTOCOLS[rule.protocol]])
        expressions += [_load(_NETWORK_HEADER, _PROTOCOL), _compare(_EQUAL, protocol)]
    if rule.network is not None and rule.network.prefixlen:
        mask, address = rule.network.netmask.packed, rule.network.network_address.packed
        expressions += [_load(_NETWORK_HEADER, peer), _mask(mask), _compare(_EQUAL, address)]
    if rule.set_name:
        place = number(set_ids[rule.set_name])
        looked_up: list[Attribute] = [(1, text(rule.set_name)), (2, number(_REGISTER)), (4, place)]
        expressions += [_load(_NETWORK_HEADER, peer), _expression("lookup", looked_up)]
    for place_of_port, ports in ((_SOURCE_PORT, rule.source_ports), (_DESTINATION_PORT, rule.ports)):
        if ports is not None:
            first, last = (struct.pack("!H", port) for port in ports)
            expressions += [_load(_TRANSPORT_HEADER, place_of_port), _compare(_AT_LEAST, first)]
            expressions.append(_compare(_AT_MOST, last))
    return [*expressions, _verdict(_ACCEPT if rule.accepts else _DROP)]


def _chain(name: str, policy: int, rules: Sequence[FilterRule], set_ids: Mapping[str, int]) -> list[Message]:
    head: list[Attribute] = [
        (1, text(TABLE)),
        (3, text(name)),
        (4, [(1, number(_CHAINS[name])), (2, number(0))]),
        (5, number(policy)),
        (7, text("filter")),
    ]
    written = [*_standing_rules(name), *(expressions_of(rule, name, set_ids) for rule in rules)]
    return [
        Message(kind=_NEW_CHAIN, attributes=head),
        *(
            Message(
                kind=_NEW_RULE,
                attributes=[(1, text(TABLE)), (2, text(name)), (4, expressions)],
                flags=CREATE | APPEND,
            )
            for expressions in written
        ),
    ]


def _standing_rules(chain: str) -> list[list[Attribute]]:
    """Let replies, the instance's own loopback interface and the cloud's own range pass."""
    state = _expression("ct", [(1, number(_REGISTER)), (2, number(_CT_STATE))])
    known = [state, _mask(struct.pack("=I", _ESTABLISHED_OR_RELATED)), _compare(_UNEQUAL, bytes(4))]
    key = _META_IN if chain == "ingress" else _META_OUT
    interface = _expression("meta", [(1, number(_REGISTER)), (2, number(key))])
    loopback = [interface, _compare(_EQUAL, b"lo".ljust(16, b"\0"))]
    accept = _verdict(_ACCEPT)
    service = expressions_of(FilterRule(accepts=True, network=SERVICE_NETWORK), chain, {})
    return [[*known, accept], [*loopback, accept], service]


def _set(name: str, place: int, addresses: frozenset[str]) -> list[Message]:
    head: list[Attribute] = [
        (1, text(TABLE)),
        (2, text(name)),
        (3, number(0)),
        (4, number(_ADDRESS_TYPE)),
        (5, number(4)),
        (10, number(place)),
    ]
    messages = [Message(kind=_NEW_SET, attributes=head)]
    elements: list[Attribute] = [
        (1, [(1, [(1, socket.inet_aton(address))])]) for address in sorted(addresses)
    ]
    for start in range(0, len(elements), _ELEMENTS_A_MESSAGE):
        part = elements[start : start + _ELEMENTS_A_MESSAGE]
        listed: list[Attribute] = [(1, text(TABLE)), (2, text(name)), (3, part), (4, number(place))]
        messages.append(Message(kind=_NEW_ELEMENTS, attributes=listed))
    return messages


def _expression(name: str, attributes: Sequence[Attribute]) -> Attribute:
    return (1, [(1, text(name)), (2, attributes)])


def _load(header: int, place: tuple[int, int]) -> Attribute:
    offset, length = place
    where: list[Attribute] = [(2, number(header)), (3, number(offset)), (4, number(length))]
    return _expression("payload", [(1, number(_REGISTER)), *where])


def _mask(mask: bytes) -> Attribute:
    registers: list[Attribute] = [(1, number(_REGISTER)), (2, number(_REGISTER)), (3, number(len(mask)))]
    return _expression("bitwise", [*registers, (4, [(1, mask)]), (5, [(1, bytes(len(mask)))])])


def _compare(how: int, value: bytes) -> Attribute:
    return _expression("cmp", [(1, number(_REGISTER)), (2, number(how)), (3, [(1, value)])])


def _verdict(code: int) -> Attribute:
    verdict: list[Attribute] = [(2, [(1, number(code))])]
    return _expression("immediate", [(1, number(_VERDICT_REGISTER)), (2, verdict)])
