"""Checks of VPC and VSwitch parameters, by the rules of the API's parameter descriptions."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network

from steelyard.localcloud.services.vpc import errors
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import ApiError

VPC_PREFIXES = range(8, 29)
VSWITCH_PREFIXES = range(16, 30)
_FORBIDDEN = tuple(
    IPv4Network(cidr) for cidr in ("100.64.0.0/10", "224.0.0.0/4", "127.0.0.0/8", "169.254.0.0/16")
)
_FORBIDDEN_SPANS = tuple((int(network[0]), int(network[-1])) for network in _FORBIDDEN)


def read_cidr(text: str) -> IPv4Network | None:
    """Parse an address range, e.g. `10.0.0.0/16`.

    Returns:
        None where it is malformed, has host bits set, or touches a range that the cloud keeps for itself.
    """
    address, _, bits = text.partition("/")
    length = whole_number(bits)
    if length is None:
        return None
    try:
        network = IPv4Network((address, length))
    except ValueError:
        return None
    # Each `overlaps` would take twenty calls.
    first = int(network.network_address)
    last = first | ~(-1 << 32 - network.prefixlen)
    return None if any(first <= end and start <= last for start, end in _FORBIDDEN_SPANS) else network


def read_vpc_cidr(text: str, malformed: Callable[[], ApiError]) -> IPv4Network:
    """Parse the range of a VPC.

    Args:
        text: The range.
        malformed: Makes the error of the action.

    Raises:
        ApiError: The range is malformed or its mask is not from /8 to /28.
    """
    network = read_cidr(text)
    if network is None or network.prefixlen not in VPC_PREFIXES:
        raise malformed()
    return network


def read_vswitch_cidr(text: str) -> IPv4Network:
    """Parse the range of a VSwitch.

    Raises:
        ApiError: `InvalidCidrBlock.Malformed`, or `InvalidCirdrBlock.MaskLength` for a mask not from /16 to /29.
    """
    network = read_cidr(text)
    if network is None:
        raise errors.malformed_cidr()
    if network.prefixlen not in VSWITCH_PREFIXES:
        raise errors.bad_mask()
    return network


def check_name(kind: str, name: str) -> None:
    """Check a name: at most 128 characters, not an address of the web.

    Raises:
        ApiError: `InvalidVpcName.Malformed` or `InvalidVSwitchName.Malformed`.
    """
    if len(name) > 128 or name.startswith(("http://", "https://")):
        raise errors.malformed_name(kind)


def check_description(kind: str, description: str) -> None:
    """Check a description: at most 256 characters, not an address of the web.

    Raises:
        ApiError: `InvalidVpcDiscription.Malformed` or `InvalidVSwitchDiscription.Malformed`.
    """
    if len(description) > 256 or description.startswith(("http://", "https://")):
        raise errors.malformed_description(kind)


def read_user_cidrs(text: str) -> tuple[str, ...]:
    """Parse `UserCidr`: up to three ranges, comma text.

    Raises:
        ApiError: `InvalidUserCidr.Quota`, `InvalidUserCidr.Malformed` or `InvalidParameter`.
    """
    cidrs = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(cidrs) > 3:
        raise ApiError("InvalidUserCidr.Quota", "Specified UserCidr number is greater than 3.")
    for cidr in cidrs:
        try:
            network = IPv4Network(cidr)
        except ValueError:
            raise ApiError("InvalidParameter", "Specified UserCidr invalid format.") from None
        if network.overlaps(_FORBIDDEN[0]):
            raise ApiError("InvalidUserCidr.Malformed", "Specified UserCidr overlapping in of 100.64.0.0/10.")
    return cidrs
