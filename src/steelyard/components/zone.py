from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

import pulumi
from pulumi_alicloud import ecs, vpc

from steelyard.components.tag import cluster_tags
from steelyard.errors import DeployError
from steelyard.spec import ClusterSpec, NodeGroupSpec
from steelyard.spec.balancer import ABILITIES
from steelyard.spec.catalogue import REGIONS


def with_zones(spec: ClusterSpec, parent: pulumi.Resource) -> ClusterSpec:
    """Return a cluster's spec with zones that have its instance types in stock, where it names none.

    A cluster that stands keeps its zones, whatever is in stock later: its nodes would have to move. Nor is there a
    choice where the network is one that exists.

    Args:
        spec: The spec.
        parent: Resource whose provider is asked.

    Raises:
        DeployError: Too few zones have everything in stock.
    """
    if "zones" in spec.model_fields_set or spec.network.vpc_id is not None:
        return spec
    num_needed = ABILITIES[spec.load_balancer.kind].num_zones
    options = pulumi.InvokeOptions(parent=parent)
    standing = _standing_zones(spec.name, options)
    if len(standing) >= num_needed:
        return _in_zones(spec, standing)
    stocked = {
        group.name: (group.instance_type, _stocked_zones(group, options)) for group in spec.node_groups
    }
    able = [zone for zone in REGIONS[spec.region] if all(zone in zones for _, zones in stocked.values())]
    zones = [*standing, *(zone for zone in able if zone not in standing)][: len(spec.zones)]
    if len(zones) < max(num_needed, len(spec.network.vswitch_cidrs)):
        places = "; ".join(
            f"node group {name} wants {instance_type}, which {', '.join(zones) or 'no zone'} has"
            for name, (instance_type, zones) in stocked.items()
        )
        raise DeployError(
            f"too few zones of {spec.region} have the cluster's instance types in stock: {places}",
            "choose other instance types or another region, name `zones`, or try again later",
        )
    return _in_zones(spec, zones)


def _in_zones(spec: ClusterSpec, zones: Sequence[str]) -> ClusterSpec:
    return spec.model_copy(update={"zones": tuple(zones)})


def _standing_zones(cluster: str, options: pulumi.InvokeOptions) -> list[str]:
    """Return the zones of a cluster's VSwitches, in the order in which they got their ranges."""
    found = vpc.get_switches(tags=cluster_tags(cluster), opts=options).vswitches
    ordered = sorted(found, key=lambda vswitch: IPv4Network(vswitch.cidr_block))
    return list(dict.fromkeys(vswitch.zone_id for vswitch in ordered))


def _stocked_zones(group: NodeGroupSpec, options: pulumi.InvokeOptions) -> list[str]:
    found = ecs.get_instance_types(
        instance_type=group.instance_type,
        instance_charge_type="PostPaid",
        spot_strategy="SpotAsPriceGo" if group.spot.enabled else None,
        opts=options,
    )
    return [zone for one in found.instance_types for zone in one.availability_zones]
