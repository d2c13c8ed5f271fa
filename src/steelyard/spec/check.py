"""Checks across the parts of a spec.

They pass over values that cannot be read, so that a mistake in one part hides none in another: whoever asks has the
mistakes of single values from pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any, Final

from steelyard.spec.balancer import ABILITIES, misfits
from steelyard.spec.catalogue import INSTANCE_TYPES, REGIONS
from steelyard.spec.draft import Draft
from steelyard.spec.forwarding import forwarding_findings
from steelyard.spec.front import front_findings
from steelyard.spec.mistake import Finding
from steelyard.spec.monitoring_check import monitoring_findings
from steelyard.spec.nearest import listed, nearest
from steelyard.spec.node_check import node_findings
from steelyard.spec.rule import PRIVATE_NETWORKS, WIDEST_ADMIN_PREFIX
from steelyard.spec.scaling_check import scaling_findings
from steelyard.spec.subnet import longest_prefix_for, num_slots, num_usable, split
from steelyard.spec.weights import weight_findings

SEPARATELY: Final = object()
"""Validation context under which `ClusterSpec` leaves the checks across its parts to its caller."""


def findings_across(raw: Mapping[str, Any]) -> list[Finding]:
    """Return the mistakes that lie between parts of a spec.

    Args:
        raw: The spec's values as YAML or JSON gives them, with every key there.
    """
    draft = Draft(raw)
    return [
        *_empty_list_findings(draft),
        *_zone_findings(draft),
        *_instance_type_findings(draft),
        *_group_name_findings(draft),
        *node_findings(draft),
        *_adoption_findings(draft),
        *_vswitch_findings(draft),
        *_room_findings(draft),
        *_listener_findings(draft),
        *_balancer_findings(draft),
        *front_findings(raw),
        *forwarding_findings(raw),
        *weight_findings(raw),
        *_admin_findings(draft),
        *scaling_findings(
            ((group.index, group.scaling, group.scaling_obstacle) for group in draft.groups),
            balancer_kind=draft.balancer_kind,
        ),
        *monitoring_findings(raw),
        *_checkpoint_findings(draft),
    ]


def _empty_list_findings(draft: Draft) -> Iterator[Finding]:
    hint = "give one, or remove the key to take the default"
    if draft.region and draft.has_zone_list and not draft.num_zones:
        yield Finding(path=("zones",), message="there is no zone", hint=hint)
    if draft.has_group_list and not draft.groups:
        yield Finding(path=("node_groups",), message="there is no node group", hint=hint)
    if draft.has_listener_list and not draft.listener_ports:
        yield Finding(path=("load_balancer", "listeners"), message="there is no listener", hint=hint)


def _zone_findings(draft: Draft) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for i, zone in draft.zones:
        if zone in seen:
            message = f"`{zone}` stands twice; it is zones[{seen[zone]}] already"
            yield Finding(path=("zones", i), message=message, hint="name each zone once")
        seen.setdefault(zone, i)
        if draft.region and not _is_zone(zone, draft.region, is_listed_only=draft.target != "alicloud"):
            choices = REGIONS[draft.region]
            hint = f"the nearest is `{nearest(zone, choices)}`; there are {listed(choices)}"
            yield Finding(path=("zones", i), message=f"`{zone}` is not a zone of {draft.region}", hint=hint)


def _is_zone(zone: str, region: str, *, is_listed_only: bool) -> bool:
    """Tell whether a region has a zone; the cloud may have opened one that the catalogue does not list yet."""
    if zone in REGIONS[region]:
        return True
    return not is_listed_only and re.fullmatch(rf"{region}-?[a-z]", zone) is not None


def _instance_type_findings(draft: Draft) -> Iterator[Finding]:
    for group in draft.groups:
        name = group.instance_type
        if name is None or name in INSTANCE_TYPES:
            continue
        path = ("node_groups", group.index, "instance_type")
        hint = f"the nearest is `{nearest(name, INSTANCE_TYPES)}`"
        if draft.target != "alicloud":
            yield Finding(path=path, message=f"the local cloud has no instance type `{name}`", hint=hint)
        elif not re.fullmatch(r"ecs\.[a-z0-9-]+\.[a-z0-9-]+", name):
            yield Finding(
                path=path, message=f"`{name}` is no instance type: `ecs.<family>.<size>`", hint=hint
            )


def _group_name_findings(draft: Draft) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for group in draft.groups:
        if group.name is None:
            continue
        if group.name in seen:
            message = f"`{group.name}` stands twice; it is node_groups[{seen[group.name]}] already"
            hint = f"name it `{group.name}-{group.index + 1}`, or add its count to the other"
            yield Finding(path=("node_groups", group.index, "name"), message=message, hint=hint)
        seen.setdefault(group.name, group.index)


def _adoption_findings(draft: Draft) -> Iterator[Finding]:
    """Check that an existing network comes whole, and that nothing is asked for that would be made in it."""
    place = ("network", "vswitch_ids")
    if not draft.is_adopted:
        if draft.num_vswitch_ids:
            message = "these VSwitches are of no VPC"
            yield Finding(path=place, message=message, hint="give `vpc_id` as well, or neither")
        return
    if draft.num_vswitch_ids != draft.num_zones:
        message = f"there are {draft.num_vswitch_ids} VSwitches for {draft.num_zones} zones"
        hint = "give one of the VPC's VSwitches for each zone, in the zones' order"
        yield Finding(
            path=place if draft.num_vswitch_ids else ("network", "vpc_id"), message=message, hint=hint
        )
    if draft.num_vswitches:
        message = "an existing VPC has its ranges already"
        yield Finding(path=("network", "vswitch_cidrs"), message=message, hint="remove `vswitch_cidrs`")
    if draft.egress == "nat":
        message = "no NAT gateway is made in an existing VPC"
        hint = "give the VPC a NAT gateway of its own and take `none`, or take `public`"
        yield Finding(path=("network", "egress"), message=message, hint=hint)


def _vswitch_findings(draft: Draft) -> Iterator[Finding]:
    if draft.is_adopted:
        return
    place = ("network", "vswitch_cidrs")
    if draft.num_vswitches and draft.num_vswitches != draft.num_zones:
        message = f"there are {draft.num_vswitches} ranges for {draft.num_zones} zones"
        yield Finding(
            path=place, message=message, hint="give one range for each zone, in the zones' order, or none"
        )
    for i, vswitch in draft.vswitches:
        if draft.network and not vswitch.subnet_of(draft.network):
            first = split(draft.network, 1)[0]
            message = f"`{vswitch}` is outside the network, {draft.network}"
            yield Finding(path=(*place, i), message=message, hint=f"take a part of it, such as `{first}`")
    for (i, one), (k, other) in combinations(draft.vswitches, 2):
        if one.overlaps(other):
            message = f"`{other}` overlaps vswitch_cidrs[{i}], `{one}`"
            yield Finding(path=(*place, k), message=message, hint=_free_range_hint(draft, other))


def _free_range_hint(draft: Draft, wanted: IPv4Network) -> str:
    taken = [vswitch for _, vswitch in draft.vswitches]
    if draft.network and wanted.prefixlen >= draft.network.prefixlen:
        for part in draft.network.subnets(new_prefix=wanted.prefixlen):
            if not any(part.overlaps(one) for one in taken):
                return f"the nearest free range of its size is `{part}`"
    return "give each zone a range of its own"


def _room_findings(draft: Draft) -> Iterator[Finding]:
    """Check that the VSwitches hold a VSwitch for each zone, the nodes and the load balancer."""
    if draft.is_adopted or not draft.num_zones or not draft.network:
        return
    wanted = [
        sum(group.num_in_zone(zone, draft.num_zones) for group in draft.groups)
        + _num_balancer_addresses(draft, zone)
        for zone in range(draft.num_zones)
    ]
    if draft.num_vswitches:
        for i, vswitch in draft.vswitches:
            if i < draft.num_zones and wanted[i] > num_usable(vswitch):
                hint = f"the zone wants {wanted[i]} addresses; take a mask below /{vswitch.prefixlen}"
                message = f"`{vswitch}` is too small: it holds {max(0, num_usable(vswitch))} addresses"
                yield Finding(path=("network", "vswitch_cidrs", i), message=message, hint=hint)
        return
    yield from _split_findings(draft.network, draft.num_zones, max(wanted))


def _num_balancer_addresses(draft: Draft, zone: int) -> int:
    ability = ABILITIES[draft.balancer_kind or "classic"]
    return ability.num_zone_addresses if zone == 0 or ability.num_zones > 1 else 0


def _split_findings(network: IPv4Network, num_zones: int, num_wanted: int) -> Iterator[Finding]:
    prefix = longest_prefix_for(num_wanted, num_zones)
    slots = num_slots(network.prefixlen)
    if slots < num_zones:
        reason = f"it holds {slots} VSwitches, and {num_zones} zones want one each"
    elif num_usable(split(network, 1)[0]) < num_wanted:
        holds = num_usable(split(network, 1)[0])
        reason = f"each VSwitch holds {holds} addresses, and {num_wanted} are wanted of one"
    else:
        return
    hint = "spread the nodes over more zones, or give `vswitch_cidrs`"
    if prefix is not None:
        hint = f"the nearest that is wide enough is `{_widened(network, prefix)}`"
    yield Finding(path=("network", "cidr"), message=f"`{network}` is too small: {reason}", hint=hint)


def _widened(network: IPv4Network, prefix: int) -> IPv4Network:
    wide = network.supernet(new_prefix=prefix)
    is_private = any(wide.subnet_of(private) for private in PRIVATE_NETWORKS)
    return wide if is_private else IPv4Network(f"10.0.0.0/{prefix}")


def _listener_findings(draft: Draft) -> Iterator[Finding]:
    seen: dict[int, int] = {}
    for i, port in draft.listener_ports:
        if port is None:
            continue
        if port in seen:
            message = f"port {port} stands twice; it is listeners[{seen[port]}] already"
            hint = "give each listener a port of its own"
            yield Finding(path=("load_balancer", "listeners", i, "port"), message=message, hint=hint)
        seen.setdefault(port, i)


def _balancer_findings(draft: Draft) -> Iterator[Finding]:
    yield from misfits(
        draft.balancer_kind,
        protocols=draft.listener_protocols,
        scheduler=draft.scheduler,
        drain_timeout_s=draft.drain_timeout_s,
        num_zones=draft.num_zones,
    )
    ability = ABILITIES.get(draft.balancer_kind or "")
    if ability is not None and ability.calls_from_zones and draft.is_adopted:
        message = (
            f"a {draft.balancer_kind} load balancer calls the nodes from its VSwitches, whose ranges are not "
            "known here"
        )
        hint = "take `kind: classic`, or a network of the cluster's own"
        yield Finding(path=("load_balancer", "kind"), message=message, hint=hint)


def _admin_findings(draft: Draft) -> Iterator[Finding]:
    narrow = [(i, one) for i, one in draft.admin_ranges if one.prefixlen >= WIDEST_ADMIN_PREFIX]
    for (i, one), (k, other) in combinations(narrow, 2):
        if one.overlaps(other):
            wide = one if one.prefixlen <= other.prefixlen else other
            message = f"`{other}` overlaps admin_cidrs[{i}], `{one}`"
            yield Finding(path=("access", "admin_cidrs", k), message=message, hint=f"keep `{wide}` alone")


def _checkpoint_findings(draft: Draft) -> Iterator[Finding]:
    if draft.checkpoint_kind == "nas" and draft.is_adopted:
        message = "a file system lets in its VPC's range alone, which is not known here"
        hint = "take `oss`, or a network of the cluster's own"
        yield Finding(path=("checkpoints", "kind"), message=message, hint=hint)
