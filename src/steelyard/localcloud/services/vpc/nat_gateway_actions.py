from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.egress_models import NatGateway
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS

_BIND_MODES = ("MULTI_BINDED", "NAT")


class NatGatewayActions(EgressState):
    """Internet NAT gateways; what they translate is kept, while loopback hosts reach the world without them."""

    @action("CreateNatGateway", optional=("RegionId",))
    def create_nat_gateway(self, request: Request) -> dict[str, object]:
        """Create an enhanced Internet NAT gateway, paid by its use: the one sort that is still sold."""
        _check_sort(request)
        check.check_name("NatGateway", request.text("Name"))
        check.check_description("NatGateway", request.text("Description"))
        vpc = self.available_vpc(request)
        vswitch = self.available_vswitch(request) if request.text("VSwitchId") else None
        if vswitch is None:
            raise missing_parameter("VSwitchId")
        if vswitch.vpc_id != vpc.id:
            raise errors.vswitch_not_found()
        mode = request.text("EipBindMode") or _BIND_MODES[0]
        if mode not in _BIND_MODES:
            raise invalid_parameter("EipBindMode", mode, " or ".join(_BIND_MODES))
        gateway = NatGateway(
            id=self.cloud.new_id("ngw"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=vpc.region_id,
            vpc_id=vpc.id,
            vswitch_id=vswitch.id,
            zone_id=vswitch.zone_id,
            name=request.text("Name"),
            description=request.text("Description"),
            eip_bind_mode=mode,
            snat_table_id=self.cloud.new_id("stb"),
            forward_table_id=self.cloud.new_id("ftb"),
            is_protected=False,
        )
        self.nat_gateways.put(gateway)
        return {
            "NatGatewayId": gateway.id,
            "SnatTableIds": {"SnatTableId": [gateway.snat_table_id]},
            "ForwardTableIds": {"ForwardTableId": [gateway.forward_table_id]},
        }

    @action("DescribeNatGateways", optional=("RegionId",))
    def describe_nat_gateways(self, request: Request) -> dict[str, object]:
        """List NAT gateways by id, VPC, name, zone, state and tags."""
        tags, now = read_tags(request), self.cloud.clock()
        answers = [
            (gateway, gateway.to_answer(now=now, eips=self.eips_of(gateway.id)))
            for gateway in self.nat_gateways.list()
            if gateway.region_id == request.region_id and has_tags(gateway.tags, tags)
        ]
        names = ("NatGatewayId", "VpcId", "Name", "Status", "NatType", "NetworkType", "InstanceChargeType")
        found = [
            answer
            for gateway, answer in answers
            if all(request.text(name) in ("", answer[name]) for name in names)
            and request.text("ZoneId") in ("", gateway.zone_id)
        ]
        page, head = number_page(request, found)
        return {**head, "NatGateways": {"NatGateway": page}}

    @action("ModifyNatGatewayAttribute", optional=("RegionId",))
    def modify_nat_gateway_attribute(self, request: Request) -> dict[str, object]:
        """Change a NAT gateway's name or description."""
        gateway = self.available_nat_gateway(request.text("NatGatewayId"))
        check.check_name("NatGateway", request.text("Name"))
        check.check_description("NatGateway", request.text("Description"))
        self.nat_gateways.put(
            replace(
                gateway,
                name=request.text("Name", gateway.name),
                description=request.text("Description", gateway.description),
            )
        )
        return {}

    @action("DeletionProtection", optional=("RegionId",))
    def deletion_protection(self, request: Request) -> dict[str, object]:
        """Switch the deletion protection of a NAT gateway or an EIP."""
        instance_id, is_on = request.text("InstanceId"), request.flag("ProtectionEnable")
        kind = request.text("Type").upper()
        if kind == "NATGW":
            gateway = self.nat_gateway(instance_id)
            self.nat_gateways.put(replace(gateway, is_protected=is_on))
        elif kind == "EIP":
            eip = self.eips.get(instance_id)
            if eip is None:
                raise errors.eip_not_found()
            self.eips.put(replace(eip, is_protected=is_on))
        else:
            raise invalid_parameter("Type", request.text("Type"), "NATGW or EIP")
        return {}

    @action("DeleteNatGateway", optional=("RegionId",))
    def delete_nat_gateway(self, request: Request) -> dict[str, object]:
        """Delete a NAT gateway; `Force` unbinds its EIPs and deletes its SNAT entries first."""
        gateway = self.available_nat_gateway(request.text("NatGatewayId"))
        if gateway.is_protected:
            raise errors.deletion_protected()
        entries, eips = self.snat_entries_of(gateway.id), self.eips_of(gateway.id)
        if not request.flag("Force"):
            if entries:
                raise errors.nat_gateway_has_snat_entries(gateway.id)
            if eips:
                raise errors.nat_gateway_has_eips()
        for entry in entries:
            self.snat_entries.delete(entry.id)
        for eip in eips:
            self.eips.put(replace(eip, instance_id="", instance_type="", vpc_id=""))
        self.nat_gateways.delete(gateway.id)
        return {}

    @action("ListEnhanhcedNatGatewayAvailableZones")
    def list_enhanced_nat_gateway_available_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones: a NAT gateway may stand in any of them. The action's spelling is the API's own."""
        zones = [{"ZoneId": zone, "LocalName": zone} for zone in REGIONS[request.region_id]]
        return {"Zones": zones}


def _check_sort(request: Request) -> None:
    """Refuse what the real cloud sells no more, and what this one does not make."""
    sort = request.text("NatType") or "Normal"
    if sort != "Enhanced":
        raise invalid_parameter("NatType", sort, "Enhanced, the one that is sold")
    if request.text("NetworkType", "internet") != "internet":
        raise not_served("VPC NAT gateways (NetworkType intranet)")
    if request.text("InstanceChargeType", "PostPaid") != "PostPaid":
        raise not_served("NAT gateways by subscription")
    charge = request.text("InternetChargeType", "PayByLcu")
    if charge != "PayByLcu":
        raise invalid_parameter("InternetChargeType", charge, "PayByLcu, the one that is sold")
