from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, egress_errors, errors
from steelyard.localcloud.services.vpc.egress_models import Eip, EipHolder
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.time_filter import made_within
from steelyard.localcloud.wire.error import invalid_parameter, not_served

# TEST-NET-3 of RFC 5737, kept for documentation: no packet for it leaves a machine by mistake to somebody's host.
EIP_NETWORK = IPv4Network("203.0.113.0/24")

_DEFAULT_MBIT_PER_S = "5"
_MAX_MBIT_PER_S = {"PayByBandwidth": 500, "PayByTraffic": 200}
"""By how they are charged, the default first (help page of AllocateEipAddress)."""
_UNSERVED = ("SecurityProtectionTypes", "PublicIpAddressPoolId", "Zone")
_MODES = ("NAT", "BINDED", "MULTI_BINDED")


class EipActions(EgressState):
    """Elastic addresses, which NAT gateways, instances and secondary network interfaces can hold here.

    Nothing on this machine answers at one: what holds it is kept, checked and told, as the API does.
    """

    @action("AllocateEipAddress", optional=("RegionId", "AutoPay", "Period", "PricingCycle"))
    def allocate_eip_address(self, request: Request) -> dict[str, object]:
        """Allocate an elastic address, paid by its use."""
        request.refuse_unserved(*_UNSERVED)
        if request.text("InstanceChargeType", "PostPaid") != "PostPaid":
            raise not_served("EIPs by subscription")
        if request.text("Netmode", "public") != "public":
            raise invalid_parameter("Netmode", request.text("Netmode"), "public")
        charge = request.text("InternetChargeType") or next(iter(_MAX_MBIT_PER_S))
        if charge not in _MAX_MBIT_PER_S:
            raise invalid_parameter("InternetChargeType", charge, " or ".join(_MAX_MBIT_PER_S))
        check.check_name("Eip", request.text("Name"))
        check.check_description("Eip", request.text("Description"))
        eip = Eip(
            id=self.cloud.new_id("eip"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            address=self._free_address(request.text("IpAddress")),
            bandwidth=_bandwidth(request, _DEFAULT_MBIT_PER_S, charge),
            internet_charge_type=charge,
            name=request.text("Name"),
            description=request.text("Description"),
            isp=request.text("ISP") or "BGP",
            resource_group_id=request.text("ResourceGroupId"),
            instance_id="",
            instance_type="",
            vpc_id="",
            is_protected=False,
        )
        self.eips.put(eip)
        return {
            "AllocationId": eip.id,
            "EipAddress": eip.address,
            "OrderId": 0,
            "ResourceGroupId": eip.resource_group_id,
        }

    @action("DescribeEipAddresses", optional=("RegionId",))
    def describe_eip_addresses(self, request: Request) -> dict[str, object]:
        """List elastic addresses by id, address, state, what they are bound to, name, age and tags."""
        tags, is_of_then = read_tags(request), made_within(request)
        # None is ever locked, protected against attacks, or managed by a service.
        has_none = request.text("LockReason") or any(
            request.flag(name) for name in ("SecurityProtectionEnabled", "ServiceManaged")
        )
        filters = {
            "AllocationId": "AllocationId",
            "EipAddress": "IpAddress",
            "Status": "Status",
            "AssociatedInstanceId": "InstanceId",
            "AssociatedInstanceType": "InstanceType",
            "EipName": "Name",
            "ISP": "ISP",
            "ResourceGroupId": "ResourceGroupId",
            "ChargeType": "ChargeType",
            "PublicIpAddressPoolId": "PublicIpAddressPoolId",
            "SegmentInstanceId": "SegmentInstanceId",
        }
        wanted = {field: request.texts(name) for name, field in filters.items()}
        found = [
            answer
            for eip in self.eips.list()
            if eip.region_id == request.region_id and has_tags(eip.tags, tags)
            for answer in (eip.to_answer(),)
            if not has_none
            and all(not values or answer[field] in values for field, values in wanted.items())
            and is_of_then(answer["AllocationTime"])
        ]
        page, head = number_page(request, found, max_size=100)
        return {**head, "EipAddresses": {"EipAddress": page}}

    @action("ModifyEipAddressAttribute", optional=("RegionId",))
    def modify_eip_address_attribute(self, request: Request) -> dict[str, object]:
        """Change an elastic address's bandwidth, name or description."""
        eip = self.eip(request)
        check.check_name("Eip", request.text("Name"))
        check.check_description("Eip", request.text("Description"))
        self.eips.put(
            replace(
                eip,
                bandwidth=_bandwidth(request, eip.bandwidth, eip.internet_charge_type),
                name=request.text("Name", eip.name),
                description=request.text("Description", eip.description),
            )
        )
        return {}

    # The vendor's own provider sends none of these, and neither `AutoPay` nor a period above.
    @action("AssociateEipAddress", optional=("RegionId", "InstanceRegionId", "Mode", "VpcId"))
    def associate_eip_address(self, request: Request) -> dict[str, object]:
        """Bind a free elastic address to a NAT gateway, an instance or a secondary network interface."""
        eip = self.eip(request)
        instance_id, instance_type = request.text("InstanceId"), request.text("InstanceType") or "EcsInstance"
        if instance_type == "Nat":
            vpc_id, address, mode = self.available_nat_gateway(request, "InstanceId").vpc_id, "", "NAT"
        elif instance_type in ("EcsInstance", "NetworkInterface"):
            holder = self._free_holder(instance_type, instance_id)
            vpc_id, address = holder.vpc_id, holder.private_address
            if request.text("PrivateIpAddress") not in ("", address):
                raise not_served("EIPs of further private addresses (PrivateIpAddress)")
            mode = _mode(request, holder)
        else:
            raise not_served(
                f"EIPs of {instance_type}: NAT gateways, instances and interfaces hold them here"
            )
        if eip.is_bound:
            raise egress_errors.incorrect_eip_status()
        self.eips.put(
            replace(
                eip,
                instance_id=instance_id,
                instance_type=instance_type,
                vpc_id=vpc_id,
                private_address=address,
                mode=mode,
            )
        )
        return {}

    @action("UnassociateEipAddress", optional=("RegionId",))
    def unassociate_eip_address(self, request: Request) -> dict[str, object]:
        """Take an elastic address off what holds it; with `Force` the entries of a NAT gateway that use it go, too."""
        eip = self.eip(request)
        if not eip.is_bound or request.text("InstanceId") not in ("", eip.instance_id):
            raise egress_errors.incorrect_eip_status()
        if request.flag("Force"):
            self._drop_entries_of(eip)
        if self.is_used_by_snat(eip.address, eip.instance_id):
            raise egress_errors.eip_used_by_snat()
        if any(entry.external_ip == eip.address for entry in self.forward_entries_of(eip.instance_id)):
            raise egress_errors.eip_used_by_forward_entry()
        self.eips.put(eip.released())
        return {}

    def _drop_entries_of(self, eip: Eip) -> None:
        """Delete what a NAT gateway does with an address: entries, and its part in those of several addresses."""
        for entry in self.snat_entries_of(eip.instance_id):
            kept = [address for address in entry.addresses if address != eip.address]
            if not kept:
                self.snat_entries.delete(entry.id)
            elif len(kept) < len(entry.addresses):
                self.snat_entries.put(replace(entry, snat_ip=",".join(kept)))
        for forward in self.forward_entries_of(eip.instance_id):
            if forward.external_ip == eip.address:
                self.forward_entries.delete(forward.id)

    @action("ModifyEipForwardMode", optional=("RegionId",))
    def modify_eip_forward_mode(self, request: Request) -> dict[str, object]:
        """Change how a secondary network interface sees its elastic address."""
        eip = self.eips.get(request.text("InstanceId"))
        if eip is None:
            raise egress_errors.eip_not_found()
        holder = self.eip_holder(eip.instance_type, eip.instance_id) if eip.is_bound else None
        if holder is None:
            raise egress_errors.incorrect_eip_status()
        self.eips.put(replace(eip, mode=_mode(request, holder)))
        return {}

    @action("ReleaseEipAddress", optional=("RegionId",))
    def release_eip_address(self, request: Request) -> dict[str, object]:
        """Give a free elastic address back."""
        eip = self.eip(request)
        if eip.is_protected:
            raise egress_errors.deletion_protected()
        if eip.is_bound:
            raise egress_errors.incorrect_eip_status()
        self.eips.delete(eip.id)
        return {}

    @action("DescribeHighDefinitionMonitorLogAttribute", optional=("RegionId",))
    def describe_high_definition_monitor_log_attribute(self, request: Request) -> dict[str, object]:
        """Tell where the fine-grained monitoring of an elastic address is logged: nowhere, since none is kept here."""
        eip = self.eips.get(request.text("InstanceId"))
        if eip is None:
            raise egress_errors.eip_not_found()
        return {
            "InstanceId": eip.id,
            "InstanceType": "EIP",
            "LogProject": "",
            "LogStore": "",
            "Success": "true",
        }

    # Only with `ON` does the API need a project and a store.
    @action("SetHighDefinitionMonitorLogStatus", optional=("RegionId", "LogProject", "LogStore"))
    def set_high_definition_monitor_log_status(self, request: Request) -> dict[str, object]:
        """Leave the fine-grained monitoring of an elastic address off; what it would log to is not here."""
        if self.eips.get(request.text("InstanceId")) is None:
            raise egress_errors.eip_not_found()
        status = request.text("Status").upper()
        if status == "ON":
            raise not_served("fine-grained monitoring of EIPs, which is logged to Simple Log Service")
        if status != "OFF":
            raise invalid_parameter("Status", request.text("Status"), "ON or OFF")
        return {"Success": "true"}

    def _free_holder(self, instance_type: str, instance_id: str) -> EipHolder:
        """Check that an elastic address can come to an instance or an interface, and tell of it."""
        holder = self.eip_holder(instance_type, instance_id)
        if holder is None:
            raise egress_errors.eip_holder_not_found()
        if holder.status:
            raise egress_errors.eip_holder_status(holder.status)
        if holder.has_bandwidth:
            raise egress_errors.eip_holder_has_bandwidth()
        if self.eips_of(instance_id):
            raise egress_errors.eip_holder_has_one()
        return holder

    def _free_address(self, wanted: str) -> str:
        held = {eip.address for eip in self.eips.list()}
        free = (str(address) for address in EIP_NETWORK.hosts() if str(address) not in held)
        address = next((one for one in free if wanted in ("", one)), None)
        if address is None:
            raise errors.quota_exceeded("Eip")
        return address


def _bandwidth(request: Request, default: str, charge: str) -> str:
    text, most = request.text("Bandwidth") or default, _MAX_MBIT_PER_S[charge]
    if (whole_number(text) or 0) not in range(1, most + 1):
        raise invalid_parameter("Bandwidth", text, f"from 1 to {most} with {charge}")
    return text


def _mode(request: Request, holder: EipHolder) -> str:
    mode = request.text("Mode") or "NAT"
    if mode not in _MODES:
        raise invalid_parameter("Mode", mode, " or ".join(_MODES))
    if mode != "NAT" and not holder.is_secondary:
        raise egress_errors.eip_mode_not_supported()
    return mode
