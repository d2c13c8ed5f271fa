from __future__ import annotations

from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.vpc import route_errors
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch, status_at
from steelyard.localcloud.services.vpc.route_models import RouteEntry, RouteTable, system_entries

DEFAULT_ROUTE = "0.0.0.0/0"


@runtime_checkable
class NextHopDirectory(Protocol):
    """A service with things that routes can lead to (ecs)."""

    def vpc_of_next_hop(self, next_hop_type: str, next_hop_id: str) -> str | None:
        """Give the VPC of what a route would lead to; None where the service has no such thing."""


class RouteState(EgressState):
    """What route tables and route entries share."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.route_tables = Records(cloud.store, RouteTable)
        self.route_entries = Records(cloud.store, RouteEntry)

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what of the egress or the routes stands in a VPC."""
        tables = self.route_tables.where("vpc_id", vpc_id)
        return super().in_vpc(vpc_id) or ("RouteTable" if any(not one.is_system for one in tables) else None)

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what of the egress or the routes a VSwitch has; the vendor's provider tries again on each word."""
        vswitch = self.find_vswitch(vswitch_id)
        vpc = self.find_vpc(vswitch.vpc_id) if vswitch is not None else None
        is_custom = vswitch is not None and vpc is not None and vswitch.route_table_id != vpc.route_table_id
        return super().in_vswitch(vswitch_id) or ("RouteTable" if is_custom else None)

    def find_route_table(self, table_id: str) -> RouteTable | None:
        """Give a route table, or None where there is none of this id."""
        kept = self.route_tables.get(table_id)
        if kept is not None:
            return kept
        routers = (vpc for vpc in self.vpcs.list() if vpc.route_table_id == table_id)
        return next((RouteTable.of_router(vpc) for vpc in routers), None)

    def route_table(self, request: Request) -> RouteTable:
        """Give the route table that a call names.

        Raises:
            ApiError: `InvalidRouteTable.NotFound`.
        """
        table = self.find_route_table(request.text("RouteTableId"))
        if table is None or not request.may_mean(table.region_id):
            raise route_errors.route_table_not_found()
        return table

    def available_route_table(self, request: Request) -> RouteTable:
        """Give the route table that a call names, if it can be worked on.

        Raises:
            ApiError: `InvalidRouteTable.NotFound` or `IncorrectStatus.RouteTableStatus`.
        """
        table = self.route_table(request)
        if status_at(table.created_at, self.cloud.clock()) != "Available":
            raise route_errors.incorrect_route_table_status()
        return table

    def route_tables_of(self, vpc: Vpc) -> list[RouteTable]:
        """Give a VPC's route tables, that of its router first."""
        kept = self.route_tables.where("vpc_id", vpc.id)
        system = next((table for table in kept if table.is_system), None) or RouteTable.of_router(vpc)
        return [system, *(table for table in kept if not table.is_system)]

    def vswitches_of_table(self, table: RouteTable) -> list[VSwitch]:
        """Give the VSwitches that a route table is associated with."""
        return [one for one in self.vswitches_of(table.vpc_id) if one.route_table_id == table.id]

    def custom_entries_of(self, table_id: str) -> list[RouteEntry]:
        """Give the entries that calls made in a route table."""
        return [entry for entry in self.route_entries.list() if entry.table_id == table_id]

    def entries_of(self, table: RouteTable) -> list[RouteEntry]:
        """Give all entries of a route table, those that it has by itself last."""
        return [
            *self.custom_entries_of(table.id),
            *system_entries(table, self.vswitches_of(table.vpc_id)),
        ]

    def has_route_to(self, next_hop_id: str) -> bool:
        """Tell whether a route entry leads to something; other services ask before they delete it."""
        return any(entry.next_hop_id == next_hop_id for entry in self.route_entries.list())

    def drop_routes_to(self, next_hop_id: str) -> None:
        """Delete the route entries that lead to something that goes away."""
        for entry in self.route_entries.list():
            if entry.next_hop_id == next_hop_id:
                self.route_entries.delete(entry.id)

    def forget_server(self, instance_id: str) -> None:
        """Take elastic addresses off what goes away, and delete the routes to it.

        Instances are told of by `ServerDirectory`, their network interfaces by the service itself.
        """
        for eip in self.eips_of(instance_id):
            self.eips.put(eip.released())
        self.drop_routes_to(instance_id)

    def check_next_hop(self, next_hop_type: str, next_hop_id: str, vpc_id: str) -> None:
        """Check that what a route is to lead to stands in the route table's VPC.

        Raises:
            ApiError: `InvalidNextHop.NotFound`.
        """
        if next_hop_type == "NatGateway":
            gateway = self.nat_gateways.get(next_hop_id)
            found = [gateway.vpc_id] if gateway is not None else []
        else:
            directories = [one for one in self.cloud.services.values() if isinstance(one, NextHopDirectory)]
            found = [
                there
                for one in directories
                if (there := one.vpc_of_next_hop(next_hop_type, next_hop_id)) is not None
            ]
        if vpc_id not in found:
            raise route_errors.next_hop_not_found(next_hop_type)
