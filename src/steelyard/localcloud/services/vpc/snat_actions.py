from __future__ import annotations

from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, egress_errors, errors
from steelyard.localcloud.services.vpc.egress_models import NatGateway, SnatEntry
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter


class SnatActions(EgressState):
    """SNAT entries."""

    @action("CreateSnatEntry", optional=("RegionId",))
    def create_snat_entry(self, request: Request) -> dict[str, object]:
        """Let a VSwitch, or a range, reach the Internet by elastic addresses of the gateway."""
        request.refuse_unserved("NetworkInterfaceId")
        gateway = self.gateway_of_table(request.text("SnatTableId"))
        check.check_name("Snat", request.text("SnatEntryName"))
        snat_ip = self._addresses(request, gateway)
        vswitch_id, cidr = self._source(request, gateway)
        sources = {entry.source_cidr for entry in self.snat_entries_of(gateway.id)}
        if cidr in sources:
            raise egress_errors.source_duplicated()
        entry = SnatEntry(
            id=self.cloud.new_id("snat"),
            created_at=self.cloud.clock(),
            table_id=gateway.snat_table_id,
            gateway_id=gateway.id,
            name=request.text("SnatEntryName"),
            snat_ip=snat_ip,
            source_vswitch_id=vswitch_id,
            source_cidr=cidr,
            is_sticky=_is_sticky(request, False),
        )
        self.snat_entries.put(entry)
        return {"SnatEntryId": entry.id}

    @action("DescribeSnatTableEntries", optional=("RegionId",))
    def describe_snat_table_entries(self, request: Request) -> dict[str, object]:
        """List SNAT entries by table, gateway, id, name, address and source."""
        if request.text("SnatTableId"):
            self.gateway_of_table(request.text("SnatTableId"))
        names = (
            "SnatTableId",
            "NatGatewayId",
            "SnatEntryId",
            "SnatEntryName",
            "SnatIp",
            "SourceVSwitchId",
            "SourceCIDR",
        )
        now, gateways = self.cloud.clock(), self.gateway_ids_of(request.region_id)
        answers = [
            entry.to_answer(now=now) for entry in self.snat_entries.list() if entry.gateway_id in gateways
        ]
        found = [
            answer for answer in answers if all(request.text(name) in ("", answer[name]) for name in names)
        ]
        page, head = number_page(request, found)
        return {**head, "SnatTableEntries": {"SnatTableEntry": page}}

    @action("ModifySnatEntry", optional=("RegionId",))
    def modify_snat_entry(self, request: Request) -> dict[str, object]:
        """Change a SNAT entry's name, addresses or whether clients keep to one of them."""
        request.refuse_unserved("NetworkInterfaceId")
        gateway, entry = self._entry(request)
        check.check_name("Snat", request.text("SnatEntryName"))
        snat_ip = self._addresses(request, gateway) if request.text("SnatIp") else entry.snat_ip
        name = request.text("SnatEntryName", entry.name)
        is_sticky = _is_sticky(request, entry.is_sticky)
        self.snat_entries.put(replace(entry, name=name, snat_ip=snat_ip, is_sticky=is_sticky))
        return {}

    @action("DeleteSnatEntry", optional=("RegionId",))
    def delete_snat_entry(self, request: Request) -> dict[str, object]:
        """Delete a SNAT entry."""
        _, entry = self._entry(request)
        self.snat_entries.delete(entry.id)
        return {}

    def _entry(self, request: Request) -> tuple[NatGateway, SnatEntry]:
        gateway = self.gateway_of_table(request.text("SnatTableId"))
        entry = self.snat_entries.get(request.text("SnatEntryId"))
        if entry is None or entry.table_id != gateway.snat_table_id:
            raise egress_errors.snat_entry_not_found()
        if status_at(entry.created_at, self.cloud.clock()) != "Available":
            raise egress_errors.incorrect_snat_entry_status()
        return gateway, entry

    def _addresses(self, request: Request, gateway: NatGateway) -> str:
        bound = {eip.address for eip in self.eips_of(gateway.id)}
        mapped = {entry.external_ip for entry in self.forward_entries_of(gateway.id) if entry.maps_address}
        addresses = request.texts("SnatIp")
        if not addresses:
            raise missing_parameter("SnatIp")
        for address in addresses:
            try:
                IPv4Address(address)
            except AddressValueError:
                raise egress_errors.malformed_snat_ip() from None
            if address not in bound:
                raise egress_errors.snat_ip_not_in_gateway()
            if address in mapped:
                raise egress_errors.eip_is_mapped()
        return ",".join(addresses)

    def _source(self, request: Request, gateway: NatGateway) -> tuple[str, str]:
        """Give the VSwitch that is named, if any, and the range that may go out."""
        cidr, vswitch_id = request.text("SourceCIDR"), request.text("SourceVSwitchId")
        if cidr:
            try:
                return "", str(IPv4Network(cidr))
            except ValueError:
                raise errors.malformed_cidr() from None
        if not vswitch_id:
            raise missing_parameter("SourceVSwitchId")
        vswitch = self.find_vswitch(vswitch_id)
        if vswitch is None or vswitch.vpc_id != gateway.vpc_id:
            raise errors.vswitch_not_found()
        return vswitch.id, vswitch.cidr_block


def _is_sticky(request: Request, default: bool) -> bool:
    affinity = request.number("EipAffinity", int(default))
    if affinity not in (0, 1):
        raise invalid_parameter("EipAffinity", affinity, "0 or 1")
    return affinity == 1
