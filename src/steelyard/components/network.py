from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import vpc

from steelyard.components.tag import cluster_tags


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a `Network` is made from.

    Attributes:
        cluster: The cluster's name.
        cidr: The VPC's range.
        zones: Zone ids; a VSwitch stands in each.
        vswitch_cidrs: The VSwitches' ranges, in the order of the zones.
    """

    cluster: str
    cidr: pulumi.Input[str]
    zones: Sequence[str]
    vswitch_cidrs: Sequence[pulumi.Input[str]]


class Network(pulumi.ComponentResource):
    """A VPC with a VSwitch in each zone.

    Attributes:
        vpc_id: Id of the VPC.
        vswitch_ids: Ids of the VSwitches, in the order of the zones.
    """

    vpc_id: pulumi.Output[str]
    vswitch_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:Network", name, None, opts)
        network = vpc.Network(
            f"{name}-vpc",
            vpc_name=f"{args.cluster}-vpc",
            cidr_block=args.cidr,
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.vpc_id = network.id
        self.vswitch_ids = [
            self._create_vswitch(name, args, zone, cidr)
            for zone, cidr in zip(args.zones, args.vswitch_cidrs, strict=True)
        ]
        self.register_outputs({"vpc_id": self.vpc_id, "vswitch_ids": self.vswitch_ids})

    def _create_vswitch(
        self, name: str, args: NetworkArgs, zone: str, cidr: pulumi.Input[str]
    ) -> pulumi.Output[str]:
        vswitch = vpc.Switch(
            f"{name}-vswitch-{zone}",
            vswitch_name=f"{args.cluster}-{zone}",
            vpc_id=self.vpc_id,
            zone_id=zone,
            cidr_block=cidr,
            tags=cluster_tags(args.cluster),
            # Two VSwitches of a VPC may not overlap, not even while one takes the other's place.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        return vswitch.id
