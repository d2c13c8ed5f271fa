from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors, route_errors
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.services.vpc.route_models import SERVICE_BLOCK, RouteEntry, RouteTable
from steelyard.localcloud.services.vpc.route_state import RouteState
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

MAX_ENTRIES = 200
"""Custom entries of a route table (help page of CreateRouteEntry, 2024)."""

_NEXT_HOP_TYPES = ("Instance", "NetworkInterface", "NatGateway")
_OTHER_NEXT_HOP_TYPES = (
    "HaVip",
    "RouterInterface",
    "VpnGateway",
    "IPv6Gateway",
    "Attachment",
    "VpcPeer",
    "Ipv4Gateway",
    "GatewayEndpoint",
    "ECR",
    "GatewayLoadBalancerEndpoint",
)


class RouteEntryActions(RouteState):
    """Route entries: they are kept, checked and answered; packets here go by the host's own routes."""

    @action("CreateRouteEntry")
    def create_route_entry(self, request: Request) -> dict[str, object]:
        """Add a custom entry to a route table."""
        if request.records("NextHopList"):
            raise not_served("route entries of several next hops (NextHopList)")
        table = self.available_route_table(request)
        check.check_name("RouteEntry", request.text("RouteEntryName"))
        check.check_description("RouteEntry", request.text("Description"))
        destination = self._destination(request, table)
        next_hop_type, next_hop_id = self._next_hop(request, table)
        others = self.custom_entries_of(table.id)
        if any(other.destination == destination for other in others):
            raise route_errors.destination_duplicated()
        if self.cloud.terms.has_quotas and len(others) >= MAX_ENTRIES:
            raise errors.quota_exceeded("RouteEntry")
        entry = RouteEntry(
            id=self.cloud.new_id("rte"),
            created_at=self.cloud.clock(),
            table_id=table.id,
            destination=destination,
            next_hop_type=next_hop_type,
            next_hop_id=next_hop_id,
            name=request.text("RouteEntryName"),
            description=request.text("Description"),
        )
        self.route_entries.put(entry)
        return {"RouteEntryId": entry.id}

    @action("DescribeRouteEntryList", optional=("RegionId",))
    def describe_route_entry_list(self, request: Request) -> dict[str, object]:
        """List a table's entries by id, range, name, type and next hop."""
        now, entries = self.cloud.clock(), self.entries_of(self.route_table(request))
        ranges = request.texts("DestCidrBlockList")
        found = [
            entry.to_answer(now)
            for entry in entries
            if (not ranges or entry.destination in ranges) and _is_wanted(request, entry)
        ]
        page, token = token_page(request, found, size_name="MaxResult", default=10, most=100)
        return {"TotalCount": len(found), "NextToken": token, "RouteEntrys": {"RouteEntry": list(page)}}

    @action("ModifyRouteEntry", optional=("RegionId",))
    def modify_route_entry(self, request: Request) -> dict[str, object]:
        """Change a custom entry's name, description or next hop."""
        entry, table = self._route_entry(request)
        check.check_name("RouteEntry", request.text("RouteEntryName"))
        check.check_description("RouteEntry", request.text("Description"))
        hop = (entry.next_hop_type, entry.next_hop_id)
        if request.text("NewNextHopId"):
            wanted = {"NextHopId": request.params.get("NewNextHopId")}
            wanted["NextHopType"] = request.params.get("NewNextHopType") or entry.next_hop_type
            hop = self._next_hop(request.with_params(wanted), table)
        self.route_entries.put(
            replace(
                entry,
                name=request.text("RouteEntryName", entry.name),
                description=request.text("Description", entry.description),
                next_hop_type=hop[0],
                next_hop_id=hop[1],
            )
        )
        return {}

    @action("DeleteRouteEntry")
    def delete_route_entry(self, request: Request) -> dict[str, object]:
        """Delete a custom entry, named by its id or by its table and range."""
        entry, _ = self._route_entry(request)
        if request.text("NextHopId") not in ("", entry.next_hop_id):
            raise route_errors.route_entry_not_found()
        self.route_entries.delete(entry.id)
        return {}

    def _route_entry(self, request: Request) -> tuple[RouteEntry, RouteTable]:
        """Give the custom entry that a call names, and its table."""
        entry_id = request.text("RouteEntryId")
        if not entry_id and not request.text("RouteTableId"):
            raise missing_parameter("RouteEntryId")
        tables = [self.route_table(request)] if request.text("RouteTableId") else self._all_tables()
        wanted = {"id": entry_id} if entry_id else {"destination": _with_mask(request)}
        for table in tables:
            for entry in self.entries_of(table):
                if all(getattr(entry, name) == value for name, value in wanted.items()):
                    return self._changeable_entry(entry), table
        raise route_errors.route_entry_not_found()

    def _changeable_entry(self, entry: RouteEntry) -> RouteEntry:
        if entry.is_system:
            raise route_errors.route_entry_is_system()
        if status_at(entry.created_at, self.cloud.clock()) != "Available":
            raise route_errors.incorrect_route_entry_status()
        return entry

    def _all_tables(self) -> list[RouteTable]:
        return [table for vpc in self.vpcs.list() for table in self.route_tables_of(vpc)]

    def _destination(self, request: Request, table: RouteTable) -> str:
        """Read the range that an entry is to lead to; a plain address is a range of its own."""
        text = _with_mask(request)
        try:
            network = IPv4Network(text)
        except ValueError:
            raise errors.malformed_cidr() from None
        reserved = IPv4Network(SERVICE_BLOCK)
        inner = [vswitch.network for vswitch in self.vswitches_of(table.vpc_id)]
        if network.subnet_of(reserved) or any(network.subnet_of(one) for one in inner):
            raise route_errors.destination_not_allowed(str(network))
        return str(network)

    def _next_hop(self, request: Request, table: RouteTable) -> tuple[str, str]:
        next_hop_type, next_hop_id = request.text("NextHopType") or "Instance", request.text("NextHopId")
        if next_hop_type in _OTHER_NEXT_HOP_TYPES:
            raise not_served(f"routes to {next_hop_type}")
        if next_hop_type not in _NEXT_HOP_TYPES:
            raise invalid_parameter("NextHopType", next_hop_type, " or ".join(_NEXT_HOP_TYPES))
        if not next_hop_id:
            raise missing_parameter("NextHopId")
        self.check_next_hop(next_hop_type, next_hop_id, table.vpc_id)
        return next_hop_type, next_hop_id


def _with_mask(request: Request) -> str:
    text = request.text("DestinationCidrBlock")
    return text if "/" in text else f"{text}/32"


def _is_wanted(request: Request, entry: RouteEntry) -> bool:
    wanted: Mapping[str, str] = {
        "RouteEntryId": entry.id,
        "DestinationCidrBlock": entry.destination,
        "RouteEntryName": entry.name,
        "RouteEntryType": entry.type,
        "NextHopId": entry.next_hop_id,
        "NextHopType": entry.next_hop_type,
    }
    return all(request.text(name) in ("", value) for name, value in wanted.items())
