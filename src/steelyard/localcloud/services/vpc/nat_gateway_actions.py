from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, egress_errors, errors
from steelyard.localcloud.services.vpc.egress_models import NatGateway
from steelyard.localcloud.services.vpc.route_models import RouteEntry
from steelyard.localcloud.services.vpc.route_state import DEFAULT_ROUTE, RouteState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS

_SPECS = ("Small", "Middle", "Large", "XLarge.1")
_BIND_MODES = ("MULTI_BINDED", "NAT")
_UNSERVED = ("PrivateLinkEnabled", "AccessMode", "SecurityProtectionEnabled", "NatIp", "Ipv4Prefix")


class NatGatewayActions(RouteState):
    """Internet NAT gateways; what they translate is kept, while loopback hosts reach the world without them."""

    @action("CreateNatGateway", optional=("RegionId",))
    def create_nat_gateway(self, request: Request) -> dict[str, object]:
        """Create an enhanced Internet NAT gateway, paid by its use: the one sort that is still sold."""
        request.refuse_unserved(*_UNSERVED)
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
            replies_to_pings=request.flag("IcmpReplyEnabled", True),
        )
        self.nat_gateways.put(gateway)
        self._route_out(gateway, vpc.route_table_id)
        return {
            "NatGatewayId": gateway.id,
            "SnatTableIds": {"SnatTableId": [gateway.snat_table_id]},
            "ForwardTableIds": {"ForwardTableId": [gateway.forward_table_id]},
        }

    def _route_out(self, gateway: NatGateway, table_id: str) -> None:
        """Lead everything to a new gateway, where the router has no such way yet (help page of CreateNatGateway)."""
        if any(entry.destination == DEFAULT_ROUTE for entry in self.custom_entries_of(table_id)):
            return
        self.route_entries.put(
            RouteEntry(
                id=self.cloud.new_id("rte"),
                created_at=gateway.created_at,
                table_id=table_id,
                destination=DEFAULT_ROUTE,
                next_hop_type="NatGateway",
                next_hop_id=gateway.id,
                name="",
                description="",
            )
        )

    @action("GetNatGatewayAttribute", optional=("RegionId",))
    def get_nat_gateway_attribute(self, request: Request) -> dict[str, object]:
        """Give one NAT gateway."""
        gateway = self.nat_gateway(request)
        return gateway.to_attribute_answer(
            now=self.cloud.clock(),
            eips=self.eips_of(gateway.id),
            num_snat_entries=len(self.snat_entries_of(gateway.id)),
            num_forward_entries=len(self.forward_entries_of(gateway.id)),
        )

    @action("ModifyNatGatewaySpec", optional=("RegionId",))
    def modify_nat_gateway_spec(self, request: Request) -> dict[str, object]:
        """Refuse another size: the gateways that are sold have none, and are paid by their use."""
        self.available_nat_gateway(request)
        if request.text("Spec") not in _SPECS:
            raise invalid_parameter("Spec", request.text("Spec"), " or ".join(_SPECS))
        raise egress_errors.nat_gateway_has_no_spec()

    @action("UpdateNatGatewayNatType", optional=("RegionId",))
    def update_nat_gateway_nat_type(self, request: Request) -> dict[str, object]:
        """Refuse to make an enhanced gateway of one: the gateways that are sold are such."""
        self.available_nat_gateway(request)
        if request.text("NatType") != "Enhanced":
            raise invalid_parameter("NatType", request.text("NatType"), "Enhanced")
        raise egress_errors.nat_gateway_is_enhanced()

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
        """Change a NAT gateway's name, description, replies to pings or, to `NAT` alone, how its EIPs are bound."""
        request.refuse_unserved("EnableSessionLog", "LogDelivery")
        gateway = self.available_nat_gateway(request)
        check.check_name("NatGateway", request.text("Name"))
        check.check_description("NatGateway", request.text("Description"))
        mode = request.text("EipBindMode") or gateway.eip_bind_mode
        if mode not in (gateway.eip_bind_mode, "NAT"):
            raise invalid_parameter("EipBindMode", mode, "NAT, the one that it can be changed to")
        self.nat_gateways.put(
            replace(
                gateway,
                eip_bind_mode=mode,
                replies_to_pings=request.flag("IcmpReplyEnabled", gateway.replies_to_pings),
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
            gateway = self.nat_gateway(request, "InstanceId")
            self.nat_gateways.put(replace(gateway, is_protected=is_on))
        elif kind == "EIP":
            eip = self.eips.get(instance_id)
            if eip is None:
                raise egress_errors.eip_not_found()
            self.eips.put(replace(eip, is_protected=is_on))
        else:
            raise invalid_parameter("Type", request.text("Type"), "NATGW or EIP")
        return {}

    @action("DeleteNatGateway", optional=("RegionId",))
    def delete_nat_gateway(self, request: Request) -> dict[str, object]:
        """Delete a NAT gateway and the routes to it; `Force` unbinds its EIPs and deletes its entries first."""
        gateway = self.available_nat_gateway(request)
        if gateway.is_protected:
            raise egress_errors.deletion_protected()
        entries, eips = self.snat_entries_of(gateway.id), self.eips_of(gateway.id)
        forwards = self.forward_entries_of(gateway.id)
        if not request.flag("Force"):
            if forwards:
                raise egress_errors.nat_gateway_has_forward_entries(gateway.id)
            if entries:
                raise egress_errors.nat_gateway_has_snat_entries(gateway.id)
            if eips:
                raise egress_errors.nat_gateway_has_eips()
        for entry in entries:
            self.snat_entries.delete(entry.id)
        for forward in forwards:
            self.forward_entries.delete(forward.id)
        for eip in eips:
            self.eips.put(eip.released())
        self.drop_routes_to(gateway.id)
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
