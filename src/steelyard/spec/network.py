"""Settings of the network, and of who may come in."""

from __future__ import annotations

from typing import Annotated

from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import Flag, Text


class NetworkSpec(Part):
    """The VPC and its VSwitches: new ones, or, where `vpc_id` is given, ones that exist.

    Attributes:
        cidr: The VPC's private range; mask 8 to 28 bits.
        vswitch_cidrs: The VSwitches' ranges in the order of the zones, mask 16 to 29 bits; empty to cut them from
            the VPC's range.
        vpc_id: An existing VPC to stand in; no network is made then, and the ranges above mean nothing.
        vswitch_ids: Its VSwitches, one in each zone, in the zones' order.
        egress: How nodes reach the Internet: `none`, `nat` by a NAT gateway that is made with the network, `public`
            by a public address of each node's own.
    """

    cidr: Annotated[Text, rule.vpc_range] = "10.64.0.0/16"
    vswitch_cidrs: tuple[Annotated[Text, rule.vswitch_range], ...] = ()
    vpc_id: Annotated[Text, rule.matching(r"vpc-[a-z0-9]+", "a VPC's id", "vpc-bp1abcdefgh")] | None = None
    vswitch_ids: tuple[
        Annotated[Text, rule.matching(r"vsw-[a-z0-9]+", "a VSwitch's id", "vsw-bp1abcdefgh")], ...
    ] = ()
    egress: Annotated[Text, rule.one_of("none", "nat", "public")] = "none"


class AccessSpec(Part):
    """Who may reach the nodes from outside the cluster.

    Attributes:
        admin_cidrs: Ranges that may reach SSH and the gateways; none by default.
        egress_cidrs: The only ranges that the nodes may call, besides their VSwitches and the cloud's own services; any
            where there is none.
        open_to_world: Whether a load balancer with an address on the Internet may let everybody in. Its listeners have
            to speak TLS, and the gateways ask for their token as ever.
        key_pair: Name of a key pair of the region whose owner may log in to the nodes by SSH.
        public_key: A public key of SSH, of which a key pair is made for the nodes; not beside `key_pair`. Without
            either nobody can log in.
    """

    admin_cidrs: tuple[Annotated[Text, rule.admin_range], ...] = ()
    egress_cidrs: tuple[Annotated[Text, rule.egress_range], ...] = ()
    open_to_world: Flag = False
    key_pair: (
        Annotated[Text, rule.matching(r"[A-Za-z][A-Za-z0-9:_-]{1,127}", "a key pair's name", "my-laptop")]
        | None
    ) = None
    public_key: (
        Annotated[
            Text,
            rule.matching(
                r"(ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+) [A-Za-z0-9+/=]+( .*)?",
                "a public key of SSH",
                "ssh-ed25519 AAAAC3Nz... me@home",
            ),
        ]
        | None
    ) = None
