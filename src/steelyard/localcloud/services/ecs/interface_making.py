from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from steelyard.localcloud.hosts.address import AddressExhausted, AddressInUse, is_reserved
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.network_interface import TRAFFIC_MODES, UNSERVED, NetworkInterface
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served


class InterfaceMaking(EcsState):
    """The making of network interfaces, by themselves or with an instance, and the addresses that they hold."""

    def draft_interface(
        self, request: Request, region_id: str, default_vswitch: str = "", default_groups: Sequence[str] = ()
    ) -> tuple[NetworkInterface, VSwitch]:
        """Check what a call says of a secondary interface, and give it without an address, with its VSwitch.

        Args:
            request: The call, or a part of one that has the same parameters.
            region_id: Where it is to be.
            default_vswitch: The VSwitch where the call names none.
            default_groups: The security groups where the call names none.

        Raises:
            ApiError: For an unknown VSwitch, no groups, or a name or a mode that an interface cannot have.
        """
        _refuse_other_kinds(request)
        vswitch = self._vswitch_in(region_id, request.text("VSwitchId") or default_vswitch)
        return NetworkInterface(
            id=self.cloud.new_id("eni"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=region_id,
            zone_id=vswitch.zone_id,
            vpc_id=vswitch.vpc_id,
            vswitch_id=vswitch.id,
            private_address="",
            mac_address=self.new_mac_address(),
            security_group_ids=self._read_groups(request, vswitch, default_groups),
            name=check.read_name(request, "NetworkInterfaceName", ""),
            description=check.read_description(request),
            instance_id="",
            deletes_with_instance=request.flag("DeleteOnRelease", True),
            traffic_mode=check.read_choice(request, "NetworkInterfaceTrafficMode", TRAFFIC_MODES, "Standard"),
            checks_source=request.flag("SourceDestCheck"),
            resource_group_id=request.text("ResourceGroupId"),
            attached_at=0.0,
            queue_number=request.number("QueueNumber", 0),
            queue_pair_number=request.number("QueuePairNumber", 0),
            card_index=request.number("NetworkCardIndex", 0),
        ), vswitch

    def _vswitch_in(self, region_id: str, vswitch_id: str) -> VSwitch:
        vswitch = self.vpc.find_vswitch(vswitch_id)
        if vswitch is None or vswitch.region_id != region_id:
            raise errors.vswitch_not_found()
        return vswitch

    def _read_groups(
        self, request: Request, vswitch: VSwitch, default_groups: Sequence[str]
    ) -> tuple[str, ...]:
        given = [request.text("SecurityGroupId"), *request.texts("SecurityGroupIds")]
        group_ids = [group_id for group_id in given if group_id] or default_groups
        if not group_ids:
            raise missing_parameter("SecurityGroupId")
        return self.member_groups(group_ids, vswitch.vpc_id)

    def claim_addresses(self, vswitch: VSwitch, wanted: str, *, amount: int, vpc_id: str) -> list[str]:
        """Claim addresses of a VSwitch.

        Args:
            vswitch: The VSwitch.
            wanted: The address that is asked for; empty for any.
            amount: How many are wanted.
            vpc_id: The VPC.

        Raises:
            ApiError: Where the address is taken or malformed, or there are not enough.
        """
        if wanted and amount > 1:
            raise invalid_parameter("PrivateIpAddress", wanted, "given for one instance alone")
        return self.claim_each(vswitch, [wanted] * amount, vpc_id=vpc_id)

    def claim_each(self, vswitch: VSwitch, wanted: Sequence[str], *, vpc_id: str) -> list[str]:
        """Claim several addresses of a VSwitch, each the one that is asked for or, where that is empty, any.

        Raises:
            ApiError: Where one is taken or malformed, or there are not enough; then none is held.
        """
        claimed: list[str] = []
        try:
            if any(one and is_reserved(vswitch.network, one) for one in wanted):
                raise errors.address_malformed()
            for one in wanted:
                claimed.append(self.claim_address(vswitch.cidr_block, one or None, vpc_id=vpc_id))
        except (AddressExhausted, AddressInUse, ValueError) as err:
            self.giving_back(claimed, vpc_id)()
            if isinstance(err, AddressExhausted):
                raise errors.addresses_exhausted(vswitch.id) from err
            raise (
                errors.address_duplicated() if isinstance(err, AddressInUse) else errors.address_malformed()
            ) from err
        return claimed

    def giving_back(self, addresses: Sequence[str], vpc_id: str) -> Callable[[], None]:
        """Give the call that gives addresses back, for after a change is kept or where it fails."""

        def give_back() -> None:
            for address in addresses:
                self.host.release_address(address, vpc_id=vpc_id)

        return give_back

    def new_mac_address(self) -> str:
        """Give a network interface a hardware address of the kind that the cloud gives."""
        return "00:16:3e:" + ":".join(f"{secrets.randbelow(256):02x}" for _ in range(3))


def _refuse_other_kinds(request: Request) -> None:
    request.refuse_unserved(*UNSERVED)
    if request.text("InstanceType", "Secondary") != "Secondary":
        raise not_served(f"network interfaces of type {request.text('InstanceType')}")
