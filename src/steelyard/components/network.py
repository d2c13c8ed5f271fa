from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import vpc

from steelyard.components.egress import Egress, EgressArgs
from steelyard.components.tag import cluster_tags


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a `Network` is made from: ranges for a new one, or the ids of one that exists.

    Attributes:
        cluster: The cluster's name.
        zones: Zone ids; a VSwitch stands in each.
        cidr: The VPC's range; None where it exists.
        vswitch_cidrs: The VSwitches' ranges, in the order of the zones.
        has_nat: Whether a NAT gateway lets the VSwitches reach the Internet.
        vpc_id: An existing VPC; nothing is made then.
        vswitch_ids: Its VSwitches, in the order of the zones.
    """

    cluster: str
    zones: Sequence[str]
    cidr: pulumi.Input[str] | None = None
    vswitch_cidrs: Sequence[pulumi.Input[str]] = ()
    has_nat: bool = False
    vpc_id: pulumi.Input[str] | None = None
    vswitch_ids: Sequence[pulumi.Input[str]] = ()


class Network(pulumi.ComponentResource):
    """A VPC with a VSwitch in each zone and, where it is asked for, a way to the Internet.

    Attributes:
        vpc_id: Id of the VPC.
        vswitch_ids: Ids of the VSwitches, in the order of the zones.
        egress: The way to the Internet; None where there is none of the network's own.
    """

    vpc_id: pulumi.Output[str]
    vswitch_ids: list[pulumi.Output[str]]
    egress: Egress | None

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:Network", name, None, opts)
        self.egress = None
        if args.vpc_id is not None:
            self.vpc_id = pulumi.Output.from_input(args.vpc_id)
            self.vswitch_ids = [pulumi.Output.from_input(vswitch_id) for vswitch_id in args.vswitch_ids]
        else:
            self._create(name, args)
        self.register_outputs({"vpc_id": self.vpc_id, "vswitch_ids": self.vswitch_ids})

    @property
    def ways_out(self) -> list[pulumi.Resource]:
        """What a node that needs the Internet to boot depends on."""
        return self.egress.entries if self.egress else []

    def _create(self, name: str, args: NetworkArgs) -> None:
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
        if args.has_nat:
            vswitch_ids = dict(zip(args.zones, self.vswitch_ids, strict=True))
            self.egress = Egress(
                f"{name}-egress",
                EgressArgs(cluster=args.cluster, vpc_id=self.vpc_id, vswitch_ids=vswitch_ids),
                pulumi.ResourceOptions(parent=self),
            )

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
