from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import ecs, vpc

from steelyard.components.tag import cluster_tags

BANDWIDTH_MBIT_PER_S = 100
"""Peak of what goes out through one elastic or public address; traffic is what is paid for."""


@dataclass(frozen=True, kw_only=True)
class EgressArgs:
    """What an `Egress` is made from.

    Attributes:
        cluster: The cluster's name.
        vpc_id: VPC that is to reach the Internet.
        vswitch_ids: VSwitch of each zone, by zone id; the NAT gateway stands in the first.
    """

    cluster: str
    vpc_id: pulumi.Input[str]
    vswitch_ids: Mapping[str, pulumi.Input[str]]


class Egress(pulumi.ComponentResource):
    """A way from a VPC to the Internet, and none back: a NAT gateway with one elastic address.

    Attributes:
        address: The public IPv4 address that everything goes out by.
        entries: What lets each VSwitch out; a node that needs the Internet to boot depends on them.
    """

    address: pulumi.Output[str]
    entries: list[pulumi.Resource]

    def __init__(self, name: str, args: EgressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("steelyard:index:Egress", name, None, opts)
        gateway = self._create_gateway(name, args)
        address = ecs.EipAddress(
            f"{name}-address",
            address_name=f"{args.cluster}-egress",
            bandwidth=str(BANDWIDTH_MBIT_PER_S),
            internet_charge_type="PayByTraffic",
            payment_type="PayAsYouGo",
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.address = address.ip_address
        association = ecs.EipAssociation(
            f"{name}-association",
            allocation_id=address.id,
            instance_id=gateway.id,
            instance_type="Nat",
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.entries = [
            vpc.SnatEntry(
                f"{name}-snat-{zone}",
                snat_entry_name=f"{args.cluster}-{zone}",
                snat_table_id=gateway.snat_table_ids,
                snat_ip=self.address,
                source_vswitch_id=vswitch_id,
                # The address must be the gateway's; a source has one entry at a time.
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[association], delete_before_replace=True
                ),
            )
            for zone, vswitch_id in args.vswitch_ids.items()
        ]
        self.register_outputs({"address": self.address})

    def _create_gateway(self, name: str, args: EgressArgs) -> vpc.NatGateway:
        # Enhanced and paid by use is the one sort that is still sold.
        return vpc.NatGateway(
            f"{name}-gateway",
            nat_gateway_name=f"{args.cluster}-nat",
            vpc_id=args.vpc_id,
            vswitch_id=next(iter(args.vswitch_ids.values())),
            nat_type="Enhanced",
            network_type="internet",
            payment_type="PayAsYouGo",
            internet_charge_type="PayByLcu",
            tags=cluster_tags(args.cluster),
            opts=pulumi.ResourceOptions(parent=self),
        )
