"""Route tables, and what is routed by them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import ClassVar, Self

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch, status_at
from steelyard.localcloud.tag import tag_list
from steelyard.localcloud.text import utc_text

SERVICE_BLOCK = "100.64.0.0/10"
"""Where the cloud's own services are; every route table leads there (help page of CreateRouteEntry)."""


@dataclass(frozen=True, kw_only=True)
class RouteTable(Record):
    """A route table. That of a VPC's router is there from the beginning, and is kept from its first change on.

    Attributes:
        is_system: Whether it is the router's own, which VSwitches have that are associated with no other.
        propagates: Whether routes that are learned come in; kept and answered, since nothing is learned here.
    """

    kind: ClassVar[str] = "route_table"

    region_id: str
    vpc_id: str
    name: str
    description: str
    is_system: bool
    propagates: bool

    @classmethod
    def of_router(cls, vpc: Vpc) -> Self:
        """Give the system route table of a VPC as it is in the beginning."""
        return cls(
            id=vpc.route_table_id,
            created_at=vpc.created_at,
            region_id=vpc.region_id,
            vpc_id=vpc.id,
            name="",
            description="",
            is_system=True,
            propagates=True,
        )

    @property
    def type(self) -> str:
        """`System` or `Custom`."""
        return "System" if self.is_system else "Custom"

    def to_answer(self, *, vpc: Vpc, now: float, owner_id: int, vswitch_ids: list[str]) -> dict[str, object]:
        """Give the fields of DescribeRouteTableList."""
        return {
            "RouteTableId": self.id,
            "RouteTableName": self.name,
            "Description": self.description,
            "RouteTableType": self.type,
            "RouterId": vpc.router_id,
            "RouterType": "VRouter",
            "VpcId": self.vpc_id,
            "Status": status_at(self.created_at, now),
            "AssociateType": "VSwitch",
            "RoutePropagationEnable": self.propagates,
            "CreationTime": utc_text(self.created_at),
            "OwnerId": owner_id,
            "ResourceGroupId": vpc.resource_group_id,
            "VSwitchIds": {"VSwitchId": vswitch_ids},
            "GatewayIds": {"GatewayIds": []},
            "Tags": {"Tag": tag_list(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class RouteEntry(Record):
    """A way to a range, by a table. It is kept and answered; packets here go by the host's own routes.

    Attributes:
        is_system: Whether the router has it by itself, and not from a call.
        next_hop_type: `local`, `Instance`, `NetworkInterface` or `NatGateway`.
    """

    kind: ClassVar[str] = "route_entry"

    table_id: str
    destination: str
    next_hop_type: str
    next_hop_id: str
    name: str
    description: str
    is_system: bool = False

    @property
    def network(self) -> IPv4Network:
        """The range that it leads to."""
        return IPv4Network(self.destination)

    @property
    def type(self) -> str:
        """`System` or `Custom`."""
        return "System" if self.is_system else "Custom"

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of DescribeRouteEntryList."""
        hop = {
            "NextHopId": self.next_hop_id,
            "NextHopType": self.next_hop_type,
            "Enabled": 1,
            "Weight": 0,
        }
        return {
            "RouteEntryId": self.id,
            "RouteEntryName": self.name,
            "Description": self.description,
            "RouteTableId": self.table_id,
            "DestinationCidrBlock": self.destination,
            "IpVersion": "IPv4",
            "Type": self.type,
            "Status": status_at(self.created_at, now),
            "Origin": "",
            "ServiceType": "",
            "GmtModified": utc_text(self.created_at),
            "NextHops": {"NextHop": [hop]},
        }

    def to_old_answer(self, now: float) -> dict[str, object]:
        """Give the fields of DescribeRouteTables."""
        return {**self.to_answer(now), "NextHopType": self.next_hop_type, "InstanceId": self.next_hop_id}


def system_entries(table: RouteTable, vswitches: Sequence[VSwitch]) -> list[RouteEntry]:
    """Give the ways that a table has by itself: to each VSwitch of its VPC, and to the cloud's services."""
    return [
        *(_system_entry(table, one.cidr_block, one.created_at) for one in vswitches),
        _system_entry(table, SERVICE_BLOCK, table.created_at),
    ]


def _system_entry(table: RouteTable, destination: str, created_at: float) -> RouteEntry:
    # It is not kept, so its id is made from what it is, and comes out the same each time.
    digest = hashlib.sha256(f"{table.id} {destination}".encode()).hexdigest()
    return RouteEntry(
        id=f"rte-{digest[:20]}",
        created_at=created_at,
        table_id=table.id,
        destination=destination,
        next_hop_type="local",
        next_hop_id="",
        name="",
        description="",
        is_system=True,
    )
