"""Checks of node groups: what their types, their heads and their places allow together."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.spec.draft import Draft, DraftGroup
from steelyard.spec.family import ERDMA_FAMILIES, family_of, has_erdma
from steelyard.spec.mistake import Finding
from steelyard.spec.nearest import listed

MAX_IN_SET = 20
"""Instances of a deployment set in one zone; from memory of the help page "Deployment sets"."""


def node_findings(draft: Draft) -> Iterator[Finding]:
    """Give the mistakes that lie between the settings of node groups, and of who may log in."""
    yield from _head_findings(draft)
    for group in draft.groups:
        yield from _rdma_findings(group)
        yield from _placement_findings(draft, group)
        if group.has_max_price and not group.is_spot:
            message = "a limit of the price is for spot instances, and these are none"
            hint = "set `enabled: true` beside it, or remove it"
            yield Finding(path=("node_groups", group.index, "spot", "max_price"), message=message, hint=hint)
    if draft.has_key_pair and draft.has_public_key:
        message = "there is a key pair already, in `key_pair`"
        yield Finding(path=("access", "public_key"), message=message, hint="keep one of the two")


def _head_findings(draft: Draft) -> Iterator[Finding]:
    heads = [group for group in draft.groups if group.is_head]
    for group in heads:
        path = ("node_groups", group.index)
        if group.count is not None and group.count != 1:
            message = f"there is one head, and this group has {group.count} nodes"
            yield Finding(path=(*path, "count"), message=message, hint="the nearest is 1")
        if group is not heads[0]:
            message = f"there is one head, and node_groups[{heads[0].index}] has it"
            yield Finding(path=(*path, "head"), message=message, hint="remove `head` here")
    if heads and len(heads) == len(draft.groups):
        message = "a head of its own takes no work, and there is no other group"
        hint = "add a group of workers, or remove `head`: the first node is the head then"
        yield Finding(path=("node_groups", heads[0].index, "head"), message=message, hint=hint)


def _rdma_findings(group: DraftGroup) -> Iterator[Finding]:
    name = group.instance_type
    # Of a type that the catalogue does not list, the cloud knows more.
    if not group.has_rdma or name is None or name not in INSTANCE_TYPES or has_erdma(name):
        return
    message = f"the family {family_of(name)} of `{name}` has no elastic RDMA"
    hint = f"remove `rdma`, or take a type of {listed(sorted(ERDMA_FAMILIES))}"
    yield Finding(path=("node_groups", group.index, "rdma"), message=message, hint=hint)


def _placement_findings(draft: Draft, group: DraftGroup) -> Iterator[Finding]:
    if group.placement not in ("availability", "low_latency") or not draft.num_zones:
        return
    num_most = max(group.num_in_zone(zone, draft.num_zones) for zone in range(draft.num_zones))
    if num_most > MAX_IN_SET:
        message = f"{num_most} nodes would stand in one zone, and a deployment set holds {MAX_IN_SET} there"
        hint = "make several groups of it, or take `placement: none`"
        yield Finding(path=("node_groups", group.index, "placement"), message=message, hint=hint)
