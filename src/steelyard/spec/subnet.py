"""How a VPC's address range is shared out to VSwitches. Pure functions.

Masks and reserved addresses are those of Alibaba Cloud: a VPC's mask is 8 to 28 bits, a VSwitch's 16 to 29 bits
(CreateVSwitch), and of a VSwitch the first address and the last three are the cloud's own.
"""

from __future__ import annotations

from ipaddress import IPv4Network

VPC_PREFIXES = (8, 28)
VSWITCH_PREFIXES = (16, 29)
NUM_RESERVED = 4

# The range is cut into 16 equal parts where the masks allow it, whatever the number of zones: a part keeps its place
# when a zone is added.
_SLOT_BITS = 4


def vswitch_prefix(vpc_prefix: int) -> int:
    """Return the mask length, in bits, of the VSwitches that a VPC of a mask length is cut into."""
    low, high = VSWITCH_PREFIXES
    return min(high, max(low, vpc_prefix + _SLOT_BITS))


def num_slots(vpc_prefix: int) -> int:
    """Return how many VSwitches a VPC of a mask length is cut into; at least 2."""
    return 2 ** (vswitch_prefix(vpc_prefix) - vpc_prefix)


def split(network: IPv4Network, num: int) -> tuple[IPv4Network, ...]:
    """Return the ranges of the first VSwitches of a VPC, without overlap, in order.

    The ranges of n VSwitches are the first n of those of n + 1, so that a zone added at the end of the list moves
    no VSwitch.

    Args:
        network: The VPC's range, mask 8 to 28 bits.
        num: Number of VSwitches, 0 to `num_slots(network.prefixlen)`.

    Raises:
        ValueError: If the range has no room for so many VSwitches.
    """
    slots = num_slots(network.prefixlen)
    if num > slots:
        raise ValueError(f"{network} has room for {slots} VSwitches, not for {num}")
    parts = network.subnets(new_prefix=vswitch_prefix(network.prefixlen))
    return tuple(part for part, _ in zip(parts, range(num), strict=False))


def num_usable(network: IPv4Network) -> int:
    """Return how many addresses of a VSwitch's range the cloud hands out."""
    return network.num_addresses - NUM_RESERVED


def longest_prefix_for(num_addresses: int, num_zones: int) -> int | None:
    """Return the longest VPC mask, in bits, whose VSwitches are enough and large enough.

    Args:
        num_addresses: Addresses wanted of each VSwitch.
        num_zones: Number of VSwitches wanted.

    Returns:
        The mask length, 8 to 28; None where no mask is short enough.
    """
    low, high = VPC_PREFIXES
    for prefix in range(high, low - 1, -1):
        holds = 2 ** (32 - vswitch_prefix(prefix)) - NUM_RESERVED
        if holds >= num_addresses and num_slots(prefix) >= num_zones:
            return prefix
    return None
