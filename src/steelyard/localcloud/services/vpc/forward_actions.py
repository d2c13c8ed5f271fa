from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, egress_errors, errors
from steelyard.localcloud.services.vpc.egress_models import NatGateway
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.services.vpc.forward_entry import ANY, ForwardEntry, ports
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.wire.error import ApiError

MAX_ENTRIES = 100
"""Entries of a forward table (help page of CreateForwardEntry, 2024)."""

_PROTOCOLS = ("tcp", "udp", ANY)
_LOOPBACK = IPv4Network("127.0.0.0/8")
"""Where the loopback host has its instances, whatever the VPC's range."""


class ForwardActions(EgressState):
    """Forward entries (DNAT)."""

    @action("CreateForwardEntry", optional=("RegionId",))
    def create_forward_entry(self, request: Request) -> dict[str, object]:
        """Let the world reach an address of the VPC by an elastic address of the gateway."""
        gateway = self.gateway_of_forward_table(request.text("ForwardTableId"))
        if len(self.forward_entries_of(gateway.id)) >= MAX_ENTRIES and self.cloud.terms.has_quotas:
            raise errors.quota_exceeded("ForwardEntry")
        entry = ForwardEntry(
            id=self.cloud.new_id("fwd"),
            created_at=self.cloud.clock(),
            table_id=gateway.forward_table_id,
            gateway_id=gateway.id,
            name="",
            external_ip="",
            external_port="",
            internal_ip="",
            internal_port="",
            protocol="",
        )
        entry = self._changed(entry, request, gateway)
        self.forward_entries.put(entry)
        return {"ForwardEntryId": entry.id}

    @action("DescribeForwardTableEntries", optional=("RegionId",))
    def describe_forward_table_entries(self, request: Request) -> dict[str, object]:
        """List forward entries by table, gateway, id, name, addresses, ports and protocol."""
        if request.text("ForwardTableId"):
            self.gateway_of_forward_table(request.text("ForwardTableId"))
        names = (
            "ForwardTableId",
            "NatGatewayId",
            "ForwardEntryId",
            "ForwardEntryName",
            "ExternalIp",
            "ExternalPort",
            "InternalIp",
            "InternalPort",
            "IpProtocol",
        )
        now, gateways = self.cloud.clock(), self.gateway_ids_of(request.region_id)
        answers = [
            entry.to_answer(now=now) for entry in self.forward_entries.list() if entry.gateway_id in gateways
        ]
        found = [
            answer for answer in answers if all(request.text(name) in ("", answer[name]) for name in names)
        ]
        page, head = number_page(request, found)
        return {**head, "ForwardTableEntries": {"ForwardTableEntry": page}}

    @action("ModifyForwardEntry", optional=("RegionId",))
    def modify_forward_entry(self, request: Request) -> dict[str, object]:
        """Change a forward entry's name, addresses, ports or protocol."""
        gateway, entry = self._forward_entry(request)
        self.forward_entries.put(self._changed(entry, request, gateway))
        return {}

    @action("DeleteForwardEntry", optional=("RegionId",))
    def delete_forward_entry(self, request: Request) -> dict[str, object]:
        """Delete a forward entry."""
        _, entry = self._forward_entry(request)
        self.forward_entries.delete(entry.id)
        return {}

    def _forward_entry(self, request: Request) -> tuple[NatGateway, ForwardEntry]:
        gateway = self.gateway_of_forward_table(request.text("ForwardTableId"))
        entry = self.forward_entries.get(request.text("ForwardEntryId"))
        if entry is None or entry.table_id != gateway.forward_table_id:
            raise egress_errors.forward_entry_not_found()
        if status_at(entry.created_at, self.cloud.clock()) != "Available":
            raise egress_errors.incorrect_forward_entry_status()
        return gateway, entry

    def _changed(self, entry: ForwardEntry, request: Request, gateway: NatGateway) -> ForwardEntry:
        """Give an entry with what a call says of it, checked."""
        check.check_name("ForwardEntry", request.text("ForwardEntryName"))
        changed = replace(
            entry,
            name=request.text("ForwardEntryName", entry.name),
            external_ip=request.text("ExternalIp", entry.external_ip),
            external_port=request.text("ExternalPort", entry.external_port).lower(),
            internal_ip=request.text("InternalIp", entry.internal_ip),
            internal_port=request.text("InternalPort", entry.internal_port).lower(),
            protocol=request.text("IpProtocol", entry.protocol).lower(),
        )
        _check_ports(changed)
        self._check_addresses(changed, gateway)
        self._check_meetings(changed)
        return changed

    def _check_addresses(self, entry: ForwardEntry, gateway: NatGateway) -> None:
        _read_address(entry.external_ip, egress_errors.malformed_external_ip)
        if entry.external_ip not in {eip.address for eip in self.eips_of(gateway.id)}:
            raise egress_errors.external_ip_not_in_gateway()
        internal = _read_address(entry.internal_ip, egress_errors.malformed_internal_ip)
        vpc = self.find_vpc(gateway.vpc_id)
        networks = (*(vpc.networks if vpc is not None else ()), _LOOPBACK)
        if not any(internal in network for network in networks):
            raise egress_errors.internal_ip_outside_vpc()

    def _check_meetings(self, entry: ForwardEntry) -> None:
        """Check that no other entry of the gateway takes the same packets."""
        for other in self.forward_entries_of(entry.gateway_id):
            if other.id == entry.id:
                continue
            if entry.meets(other, inside=False):
                raise egress_errors.external_port_in_use()
            if entry.meets(other, inside=True):
                raise egress_errors.internal_port_in_use()
        if entry.maps_address and self.is_used_by_snat(entry.external_ip, entry.gateway_id):
            raise egress_errors.external_ip_used_by_snat()


def _check_ports(entry: ForwardEntry) -> None:
    if entry.protocol not in _PROTOCOLS:
        raise egress_errors.forward_protocol_not_supported()
    try:
        external = ports(entry.external_port)
    except ValueError:
        raise egress_errors.malformed_external_port() from None
    try:
        internal = ports(entry.internal_port)
    except ValueError:
        raise egress_errors.malformed_internal_port() from None
    # All of an address is mapped, for every protocol, or some ports for one.
    are_any = [text == ANY for text in (entry.protocol, entry.external_port, entry.internal_port)]
    if len(external) != len(internal) or (any(are_any) and not all(are_any)):
        raise egress_errors.malformed_internal_port()


def _read_address(text: str, malformed: Callable[[], ApiError]) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise malformed() from None
