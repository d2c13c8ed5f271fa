from __future__ import annotations

from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.vpc import egress_errors
from steelyard.localcloud.services.vpc.egress_models import Eip, EipHolder, NatGateway, SnatEntry
from steelyard.localcloud.services.vpc.forward_entry import ForwardEntry
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.services.vpc.state import VpcState


@runtime_checkable
class EipHolderDirectory(Protocol):
    """A service with things that elastic addresses can be bound to (ecs)."""

    def eip_holder(self, instance_type: str, instance_id: str) -> EipHolder | None:
        """Tell of an instance or an interface; None where the service has no such thing."""


class EgressState(VpcState):
    """What NAT gateways, elastic addresses and their entries share; a gateway stands in a VPC and a VSwitch."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.nat_gateways = Records(cloud.store, NatGateway)
        self.eips = Records(cloud.store, Eip)
        self.snat_entries = Records(cloud.store, SnatEntry)
        self.forward_entries = Records(cloud.store, ForwardEntry)

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what of the egress stands in a VPC."""
        return "NatGateway" if any(one.vpc_id == vpc_id for one in self.nat_gateways.list()) else None

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what of the egress stands in a VSwitch, in the words that the vendor's provider tries again on."""
        if any(one.vswitch_id == vswitch_id for one in self.nat_gateways.list()):
            return "EnhancedNatgw"
        is_source = any(one.source_vswitch_id == vswitch_id for one in self.snat_entries.list())
        return "SnatEntry" if is_source else None

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that gateways hold: one each."""
        return sum(one.vswitch_id == vswitch_id for one in self.nat_gateways.list())

    def nat_gateway(self, request: Request, name: str = "NatGatewayId") -> NatGateway:
        """Give the NAT gateway that a call names, by `NatGatewayId` or another parameter.

        Raises:
            ApiError: `InvalidNatGatewayId.NotFound`.
        """
        gateway = self.nat_gateways.get(request.text(name))
        if gateway is None or not request.may_mean(gateway.region_id):
            raise egress_errors.nat_gateway_not_found()
        return gateway

    def available_nat_gateway(self, request: Request, name: str = "NatGatewayId") -> NatGateway:
        """Give the NAT gateway that a call names, if it can be worked on.

        Raises:
            ApiError: `InvalidNatGatewayId.NotFound` or `IncorrectStatus.NatGateway`.
        """
        gateway = self.nat_gateway(request, name)
        if status_at(gateway.created_at, self.cloud.clock()) != "Available":
            raise egress_errors.incorrect_nat_gateway_status()
        return gateway

    def gateway_ids_of(self, region_id: str) -> frozenset[str]:
        """Give the ids of a region's NAT gateways."""
        return frozenset(one.id for one in self.nat_gateways.where("region_id", region_id))

    def eip(self, request: Request) -> Eip:
        """Give the elastic address that a call names.

        Raises:
            ApiError: `InvalidAllocationId.NotFound`.
        """
        eip = self.eips.get(request.text("AllocationId"))
        if eip is None or not request.may_mean(eip.region_id):
            raise egress_errors.eip_not_found()
        return eip

    def eips_of(self, instance_id: str) -> list[Eip]:
        """Give the elastic addresses that are bound to an instance."""
        return list(self.eips.where("instance_id", instance_id))

    def gateway_of_table(self, table_id: str) -> NatGateway:
        """Give the NAT gateway that a SNAT table belongs to.

        Raises:
            ApiError: `InvalidSnatTableId.NotFound`.
        """
        found = [one for one in self.nat_gateways.list() if one.snat_table_id == table_id]
        if not found:
            raise egress_errors.snat_table_not_found()
        return found[0]

    def snat_entries_of(self, gateway_id: str) -> list[SnatEntry]:
        """Give a NAT gateway's SNAT entries."""
        return [entry for entry in self.snat_entries.list() if entry.gateway_id == gateway_id]

    def is_used_by_snat(self, address: str, gateway_id: str) -> bool:
        """Tell whether a SNAT entry of a gateway sends by an address."""
        return any(address in entry.addresses for entry in self.snat_entries_of(gateway_id))

    def gateway_of_forward_table(self, table_id: str) -> NatGateway:
        """Give the NAT gateway that a forward table belongs to.

        Raises:
            ApiError: `InvalidForwardTableId.NotFound`.
        """
        found = [one for one in self.nat_gateways.list() if one.forward_table_id == table_id]
        if not found:
            raise egress_errors.forward_table_not_found()
        return found[0]

    def forward_entries_of(self, gateway_id: str) -> list[ForwardEntry]:
        """Give a NAT gateway's forward entries."""
        return [entry for entry in self.forward_entries.list() if entry.gateway_id == gateway_id]

    def eip_holder(self, instance_type: str, instance_id: str) -> EipHolder | None:
        """Tell of an instance or an interface of another service; None where there is none."""
        directories = [one for one in self.cloud.services.values() if isinstance(one, EipHolderDirectory)]
        holders = (one.eip_holder(instance_type, instance_id) for one in directories if one is not self)
        return next((holder for holder in holders if holder is not None), None)
