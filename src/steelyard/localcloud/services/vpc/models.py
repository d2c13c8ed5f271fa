from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_list
from steelyard.localcloud.text import utc_text

# The real cloud takes a second or two; a waiter meets the state here, too, and a caller that does not wait fails.
PENDING_S = 0.05


def status_at(created_at: float, now: float) -> str:
    """Give `Pending` for a moment after the making, then `Available`."""
    return "Pending" if now < created_at + PENDING_S else "Available"


@dataclass(frozen=True, kw_only=True)
class Vpc(Record):
    """A virtual private cloud with its router and the router's system route table.

    Attributes:
        is_default: Whether it is the one that a region makes by itself for calls that name none.
        secondary_cidrs: Further address ranges.
    """

    kind: ClassVar[str] = "vpc"

    region_id: str
    cidr_block: str
    name: str
    description: str
    router_id: str
    route_table_id: str
    user_cidrs: tuple[str, ...]
    has_dns_hostnames: bool
    resource_group_id: str
    is_default: bool = False
    secondary_cidrs: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[str, ...]:
        """Its address ranges, the first one first."""
        return (self.cidr_block, *self.secondary_cidrs)

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """Its address ranges, the first one first."""
        return tuple(IPv4Network(block) for block in self.blocks)

    def to_answer(
        self,
        *,
        now: float,
        owner_id: int,
        vswitch_ids: Sequence[str],
        nat_gateway_ids: Sequence[str],
        route_table_ids: Sequence[str],
    ) -> dict[str, object]:
        """Give the fields of DescribeVpcs and DescribeVpcAttribute."""
        return {
            "VpcId": self.id,
            "RegionId": self.region_id,
            "Status": status_at(self.created_at, now),
            "CidrBlock": self.cidr_block,
            "VpcName": self.name,
            "Description": self.description,
            "VRouterId": self.router_id,
            "CreationTime": utc_text(self.created_at),
            "IsDefault": self.is_default,
            "OwnerId": owner_id,
            "ResourceGroupId": self.resource_group_id,
            "ClassicLinkEnabled": False,
            "EnabledIpv6": False,
            "DnsHostnameStatus": "ENABLED" if self.has_dns_hostnames else "DISABLED",
            "CenStatus": "Detached",
            "SecondaryCidrBlocks": {"SecondaryCidrBlock": list(self.secondary_cidrs)},
            "UserCidrs": {"UserCidr": list(self.user_cidrs)},
            "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
            "NatGatewayIds": {"NatGatewayIds": nat_gateway_ids},
            "RouterTableIds": {"RouterTableIds": route_table_ids},
            "VSwitchIds": {"VSwitchId": vswitch_ids},
            "Tags": {"Tag": tag_list(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class VSwitch(Record):
    """A subnet of a VPC in one zone.

    Attributes:
        is_default: Whether it is the one that a zone of the default VPC makes by itself.
    """

    kind: ClassVar[str] = "vswitch"

    vpc_id: str
    zone_id: str
    region_id: str
    cidr_block: str
    name: str
    description: str
    route_table_id: str
    resource_group_id: str
    is_default: bool = False

    @property
    def network(self) -> IPv4Network:
        """Its address range; the first and the last three addresses are reserved."""
        return IPv4Network(self.cidr_block)

    def to_answer(
        self, *, now: float, owner_id: int, num_used_addresses: int, has_system_table: bool
    ) -> dict[str, object]:
        """Give the fields of DescribeVSwitches and DescribeVSwitchAttributes."""
        return {
            "VSwitchId": self.id,
            "VpcId": self.vpc_id,
            "ZoneId": self.zone_id,
            "CidrBlock": self.cidr_block,
            "Status": status_at(self.created_at, now),
            "VSwitchName": self.name,
            "Description": self.description,
            "CreationTime": utc_text(self.created_at),
            "IsDefault": self.is_default,
            "OwnerId": owner_id,
            "ResourceGroupId": self.resource_group_id,
            "AvailableIpAddressCount": max(0, self.network.num_addresses - 4 - num_used_addresses),
            "Ipv6CidrBlock": "",
            "EnabledIpv6": False,
            "NetworkAclId": "",
            "RouteTable": {
                "RouteTableId": self.route_table_id,
                "RouteTableType": "System" if has_system_table else "Custom",
            },
            "Tags": {"Tag": tag_list(self.tags)},
        }
