"""The zones that a load balancer stands in, and its address in each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from steelyard.localcloud.hosts.address import AddressExhausted, AddressInUse, served_address
from steelyard.localcloud.hosts.host import Host
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.balancing import INTERNET_CIDR
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.models import Zone
from steelyard.localcloud.wire.error import ApiError, invalid_parameter, not_served
from steelyard.spec.catalogue import REGIONS

_MAX_ZONES = 10


@dataclass(frozen=True, kw_only=True)
class Place:
    """A zone as a call asks for it.

    Attributes:
        vswitch: The VSwitch there.
        wanted: The address that is asked for; empty for any.
    """

    vswitch: VSwitch
    wanted: str


def read_places(
    request: Request,
    vpc_id: str,
    vpc: VpcState,
    *,
    address_name: str,
    not_found: Callable[[str], ApiError],
) -> list[Place]:
    """Read and check the zones that a call names.

    Args:
        request: The call.
        vpc_id: The load balancer's VPC.
        vpc: The VPC service.
        address_name: The product's word for the address that is asked for.
        not_found: Makes the product's error for a thing that is not there.

    Raises:
        ApiError: `InvalidParameter`, `ResourceNotFound.vSwitch`, `ResourceNotInVpc` or `UnsupportedOperation`.
    """
    mappings = request.records("ZoneMappings")
    num_needed = min(2, len(REGIONS[request.region_id]))
    if not num_needed <= len(mappings) <= _MAX_ZONES:
        raise invalid_parameter(
            "ZoneMappings", f"{len(mappings)} zones", f"from {num_needed} to {_MAX_ZONES} zones"
        )
    places: list[Place] = []
    for mapping in mappings:
        vswitch = vpc.find_vswitch(str(mapping.get("VSwitchId") or ""))
        if vswitch is None:
            raise not_found("vSwitch")
        _check_place(mapping, vswitch, vpc_id, {place.vswitch.zone_id for place in places})
        places.append(Place(vswitch=vswitch, wanted=str(mapping.get(address_name) or "")))
    return places


def _check_place(
    mapping: Mapping[str, object], vswitch: VSwitch, vpc_id: str, taken: Collection[str]
) -> None:
    if vswitch.vpc_id != vpc_id:
        raise errors.different_vpc("vSwitch")
    if mapping.get("ZoneId") != vswitch.zone_id:
        raise invalid_parameter(
            "ZoneMappings.ZoneId", mapping.get("ZoneId"), f"the VSwitch's, {vswitch.zone_id}"
        )
    if vswitch.zone_id in taken:
        raise invalid_parameter("ZoneMappings.ZoneId", vswitch.zone_id, "a zone that is named once")
    if mapping.get("AllocationId"):
        raise not_served("load balancers on given EIPs")


def claim_zones(
    ecs: EcsState, places: Iterable[Place], *, is_public: bool, kept: Sequence[Zone] = ()
) -> tuple[Zone, ...]:
    """Claim the addresses of all zones, or none of them.

    Args:
        ecs: Has the addresses.
        places: The zones.
        is_public: Whether each zone gets a public address, too.
        kept: The zones so far: one that fits its place keeps its addresses.

    Raises:
        ApiError: `OperationDenied.AddressNotAvailable`.
    """
    old = {zone["VSwitchId"]: zone for zone in kept}
    claimed: list[str] = []
    zones: list[Zone] = []
    wanted = ""
    try:
        for place in places:
            wanted = place.wanted
            zone = dict(old.get(place.vswitch.id, {}))
            if not zone or (wanted and served_address(wanted) != zone["PrivateIPv4Address"]):
                claimed.append(ecs.claim_address(place.vswitch.cidr_block, wanted or None))
                private = {"VSwitchId": place.vswitch.id, "PrivateIPv4Address": claimed[-1]}
                zone = {**zone, "ZoneId": place.vswitch.zone_id, **private}
            if is_public and "PublicIPv4Address" not in zone:
                claimed.append(ecs.claim_address(INTERNET_CIDR))
                zone["PublicIPv4Address"] = claimed[-1]
            if not is_public:
                zone.pop("PublicIPv4Address", None)
            zones.append(zone)
    except (AddressExhausted, AddressInUse, ValueError) as err:
        release(ecs.host, claimed)
        raise errors.address_not_available(wanted) from err
    return tuple(zones)


def release(host: Host, addresses: Iterable[str]) -> None:
    """Give addresses back."""
    for address in addresses:
        host.release_address(address)
