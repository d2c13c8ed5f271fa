from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, errors, part_errors
from steelyard.localcloud.services.ecs.interface_making import InterfaceMaking
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.network_interface import MAX_ADDRESSES, NetworkInterface
from steelyard.localcloud.wire.error import missing_parameter


class PrivateAddressActions(InterfaceMaking):
    """Further private addresses of network interfaces."""

    @action("AssignPrivateIpAddresses", optional=("RegionId",))
    def assign_private_ip_addresses(self, request: Request) -> dict[str, object]:
        """Give an interface further addresses of its VSwitch: those that the call names, or as many as it says."""
        request.refuse_unserved("Ipv4Prefix", "Ipv4PrefixCount")
        holder = self._holder(request)
        vswitch = self.vpc.find_vswitch(holder.vswitch_id)
        if vswitch is None:
            raise errors.vswitch_not_found()
        named, number = request.texts("PrivateIpAddress"), request.number("SecondaryPrivateIpAddressCount", 0)
        if not named and number < 1:
            raise missing_parameter("PrivateIpAddress")
        wanted = list(dict.fromkeys(named)) or [""] * number
        if 1 + len(holder.secondary_addresses) + len(wanted) > MAX_ADDRESSES:
            raise change_errors.too_many_addresses(MAX_ADDRESSES)
        claimed = self.claim_each(vswitch, wanted, vpc_id=holder.vpc_id)
        self._put_holder(holder, (*holder.secondary_addresses, *claimed))
        answer = {
            "NetworkInterfaceId": request.text("NetworkInterfaceId"),
            "PrivateIpSet": {"PrivateIpAddress": claimed},
        }
        return {"AssignedPrivateIpAddressesSet": answer}

    @action("UnassignPrivateIpAddresses", optional=("RegionId",))
    def unassign_private_ip_addresses(self, request: Request) -> dict[str, object]:
        """Take further addresses from an interface; its first one stays."""
        holder, addresses = self._holder(request), request.texts("PrivateIpAddress")
        if not addresses:
            raise missing_parameter("PrivateIpAddress")
        for address in addresses:
            if address == holder.private_address:
                raise change_errors.primary_address_stays()
            if address not in holder.secondary_addresses:
                raise change_errors.interface_has_no_such_address(address)
        kept = tuple(one for one in holder.secondary_addresses if one not in addresses)
        self._put_holder(holder, kept)
        self.cloud.after_commit(self.giving_back(addresses, holder.vpc_id))
        return {}

    def _holder(self, request: Request) -> Instance | NetworkInterface:
        interface_id = request.text("NetworkInterfaceId")
        holder = self.interfaces.get(interface_id) or self.instance_of_interface(interface_id)
        if holder is None or holder.region_id != request.region_id:
            raise part_errors.interface_not_found()
        if isinstance(holder, Instance) and holder.is_released:
            raise part_errors.interface_owner_state(holder.status)
        return holder

    def _put_holder(self, holder: Instance | NetworkInterface, addresses: tuple[str, ...]) -> None:
        if isinstance(holder, Instance):
            self.instances.put(replace(holder, secondary_addresses=addresses))
            self.rewire(holder.id)
            return
        self.interfaces.put(replace(holder, secondary_addresses=addresses))
        if holder.instance_id:
            self.rewire(holder.instance_id)
