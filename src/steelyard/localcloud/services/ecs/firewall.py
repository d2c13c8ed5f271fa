"""Security groups as packet filters: planned from the records, and kept in force on the instances that run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from ipaddress import IPv4Network
from types import MappingProxyType

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.host import Host
from steelyard.localcloud.hosts.packet_filter import FilterRule, PacketFilter, Protocol
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.ecs.models import Instance, SecurityGroup
from steelyard.localcloud.services.ecs.network_interface import NetworkInterface
from steelyard.localcloud.services.ecs.prefix_list import PrefixList

_PROTOCOLS: Mapping[str, Protocol] = {"TCP": "tcp", "UDP": "udp", "ICMP": "icmp", "GRE": "gre", "ALL": ""}
_PEERS = {
    "ingress": ("SourceCidrIp", "SourceGroupId", "SourcePrefixListId"),
    "egress": ("DestCidrIp", "DestGroupId", "DestPrefixListId"),
}

logger = logging.getLogger(__name__)


Prefixes = Mapping[str, Sequence[IPv4Network]]
"""The ranges of prefix lists, by their ids."""


def plan_filter(
    groups: Sequence[SecurityGroup],
    members: Mapping[str, frozenset[str]],
    prefixes: Prefixes = MappingProxyType({}),
) -> PacketFilter:
    """Plan what an instance's security groups let pass. Pure.

    The rules of all groups are one list, by priority and at the same priority with Drop first. What no rule matches
    meets the groups' defaults: a basic group lets its own members in, unless its inner access policy is Drop, and
    everything out; an enterprise group lets nothing in or out (help page "Security group rules"). Rules of IPv6 have no
    effect: instances here have IPv4 alone.

    Args:
        groups: The instance's groups.
        members: Addresses of the members of each group, in the instance's VPC.
        prefixes: The ranges of the prefix lists that rules name.
    """
    inner = tuple(
        FilterRule(accepts=True, set_name=group.id)
        for group in groups
        if group.group_type == "normal" and group.inner_access_policy == "Accept"
    )
    ingress, egress = _rules(groups, "ingress", prefixes) + inner, _rules(groups, "egress", prefixes)
    names = {rule.set_name for rule in (*ingress, *egress) if rule.set_name}
    return PacketFilter(
        ingress=ingress,
        egress=egress,
        accepts_egress=any(group.group_type == "normal" for group in groups),
        sets={name: members.get(name, frozenset()) for name in names},
    )


def _rules(groups: Sequence[SecurityGroup], direction: str, prefixes: Prefixes) -> tuple[FilterRule, ...]:
    given = [rule for group in groups for rule in group.rules if rule["Direction"] == direction]
    given.sort(key=lambda rule: (int(str(rule["Priority"])), rule["Policy"] != "Drop"))
    return tuple(planned for rule in given for planned in _plan_rule(rule, direction, prefixes))


def _plan_rule(rule: Mapping[str, object], direction: str, prefixes: Prefixes) -> list[FilterRule]:
    protocol = _PROTOCOLS.get(str(rule["IpProtocol"]))
    if protocol is None:
        return []
    cidr, group_id, prefix_list_id = (str(rule.get(name) or "") for name in _PEERS[direction])
    has_ports = protocol in ("tcp", "udp")
    shared = FilterRule(
        accepts=rule["Policy"] == "Accept",
        protocol=protocol,
        ports=_ports(rule["PortRange"]) if has_ports else None,
        source_ports=_ports(rule["SourcePortRange"]) if has_ports else None,
    )
    planned = [replace(shared, network=IPv4Network(cidr, strict=False))] if cidr else []
    planned += [replace(shared, network=network) for network in prefixes.get(prefix_list_id, ())]
    return [*planned, replace(shared, set_name=group_id)] if group_id else planned


def _ports(text: object) -> tuple[int, int] | None:
    first, _, last = str(text).partition("/")
    return None if first == "-1" else (int(first), int(last))


class Firewall:
    """Keeps the filters of running instances at what the records say.

    A change of a rule, a group or a member is in force when the call that made it is answered.

    Args:
        cloud: Whose instances they are.
        host: Where they run.
    """

    def __init__(self, cloud: Cloud, host: Host) -> None:
        self._cloud = cloud
        self._host = host
        self._memberships: dict[str, tuple[object, ...]] = {}
        self._applied: dict[str, PacketFilter] = {}
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = [self.refresh] if host.enforces_security_groups else []
        self.instances = Records(cloud.store, Instance, self._on_instance)
        self.interfaces = Records(cloud.store, NetworkInterface, self._on_interface)
        self.security_groups = Records(cloud.store, SecurityGroup, self._on_group)
        self.prefix_lists = Records(cloud.store, PrefixList, self._on_group)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have a call made after each change of a rule, a group or a member, once the change is kept."""
        self._watchers.append(watcher)

    def filter_for(self, group_ids: Sequence[str], vpc_id: str) -> PacketFilter:
        """Plan what groups let pass to one of a VPC that is in all of them; others than instances ask this, too."""
        return self._planner()(tuple(group_ids), vpc_id)

    def filter_of(self, instance: Instance) -> PacketFilter | None:
        """Plan an instance's filter; None where the host has no use for one."""
        if not self._host.enforces_security_groups:
            return None
        return self.filter_for(instance.security_group_ids, instance.vpc_id)

    def booted(self, instance_id: str, packet_filter: PacketFilter | None) -> None:
        """Take note of the filter that an instance booted with, and catch up with what changed meanwhile."""
        if packet_filter is not None:
            self.adopted(instance_id, packet_filter)
            self.refresh()

    def adopted(self, instance_id: str, packet_filter: PacketFilter | None) -> None:
        """Take note of the filter that an instance was taken up with."""
        if packet_filter is not None:
            with self._lock:
                self._applied[instance_id] = packet_filter

    def refresh(self) -> None:
        """Bring the filter of every instance that has booted to what the records say."""
        with self._lock:
            with self._cloud.transaction():
                plan = self._planner()
                wanted = {
                    i.id: plan(i.security_group_ids, i.vpc_id)
                    for i in self.instances.list()
                    if i.id in self._applied
                }
            for instance_id in list(self._applied):
                if instance_id not in wanted:
                    del self._applied[instance_id]
                elif self._applied[instance_id] != wanted[instance_id]:
                    self._apply(instance_id, wanted[instance_id])

    def _apply(self, instance_id: str, packet_filter: PacketFilter) -> None:
        try:
            self._host.filter(instance_id, packet_filter)
        except LocalCloudError as err:
            logger.error("the rules of %s are not in force: %s", instance_id, err)
        else:
            self._applied[instance_id] = packet_filter

    def _planner(self) -> Callable[[tuple[str, ...], str], PacketFilter]:
        """Give what plans filters, by groups and VPC, from the records of now: the same groups are planned once."""
        members = cache(self._members)

        @cache
        def plan(group_ids: tuple[str, ...], vpc_id: str) -> PacketFilter:
            groups = self.security_groups.named(group_ids)
            named = {
                str(rule[name])
                for group in groups
                for rule in group.rules
                for name in ("SourcePrefixListId", "DestPrefixListId")
                if rule.get(name)
            }
            prefixes = {one.id: one.networks for one in self.prefix_lists.named(sorted(named))}
            return plan_filter(groups, members(vpc_id), prefixes)

        return plan

    def _members(self, vpc_id: str) -> Mapping[str, frozenset[str]]:
        """Give the addresses in a VPC's groups: those of instances, and of the interfaces that they have besides."""
        members: list[Instance | NetworkInterface] = [*self.instances.where("vpc_id", vpc_id)]
        members += [one for one in self.interfaces.where("vpc_id", vpc_id) if one.instance_id]
        addresses: dict[str, set[str]] = {}
        for member in members:
            for group_id in member.security_group_ids:
                addresses.setdefault(group_id, set()).update(member.addresses)
        return {group_id: frozenset(found) for group_id, found in addresses.items()}

    def _on_group(self, changed_id: str) -> None:
        self._tell()

    def _on_instance(self, instance_id: str) -> None:
        instance = self.instances.get(instance_id)
        self._note(instance_id, instance)

    def _on_interface(self, interface_id: str) -> None:
        interface = self.interfaces.get(interface_id)
        self._note(interface_id, interface if interface is not None and interface.instance_id else None)

    def _note(self, member_id: str, member: Instance | NetworkInterface | None) -> None:
        """Tell of a member's coming, going and moving, and not of its other changes."""
        membership: tuple[object, ...] = ()
        if member is not None:
            membership = (member.vpc_id, member.addresses, member.security_group_ids)
        before = self._memberships.get(member_id, ())
        if before == membership:
            return
        self._remember(member_id, membership)
        self._cloud.on_undo(partial(self._remember, member_id, before))
        self._tell()

    def _remember(self, member_id: str, membership: tuple[object, ...]) -> None:
        if membership:
            self._memberships[member_id] = membership
        else:
            self._memberships.pop(member_id, None)

    def _tell(self) -> None:
        for watcher in self._watchers:
            self._cloud.after_commit(watcher)
