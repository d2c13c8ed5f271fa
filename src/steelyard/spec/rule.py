"""Rules for one value of a spec, as pydantic annotations: each gives its reason and the nearest valid choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Annotated

from pydantic import AfterValidator, Strict
from pydantic_core import PydanticCustomError

from steelyard.spec.nearest import listed, nearest
from steelyard.spec.subnet import VPC_PREFIXES, VSWITCH_PREFIXES

Text = Annotated[str, Strict()]
WholeNumber = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]

PRIVATE_NETWORKS = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
LOAD_BALANCER_NETWORK = IPv4Network("100.64.0.0/10")
"""Where a classic load balancer talks to its backends from; Alibaba Cloud keeps it to itself."""

TAKEN_PORTS: Mapping[int, str] = {
    6379: "Ray's head listens on it",
    61999: "the local cloud marks its addresses with it",
}

WIDEST_ADMIN_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Rule(AfterValidator):
    """A check of one value, and what it lets through, in words.

    Attributes:
        limits: What is right.
    """

    limits: str = ""


def refusal(reason: str, hint: str) -> PydanticCustomError:
    """Return the error that a validator raises.

    Args:
        reason: What is wrong, with the value.
        hint: The mend, with the nearest valid choice where there is one.
    """
    return PydanticCustomError("refused", "{reason}", {"reason": reason, "hint": hint})


def within(low: int, high: int, unit: str = "") -> Rule:
    """Accept whole numbers of a range, both ends included."""

    def check(value: int) -> int:
        if low <= value <= high:
            return value
        bound = max(low, min(high, value))
        raise refusal(f"{value}{unit} is outside {low} to {high}{unit}", f"the nearest is {bound}")

    return Rule(check, f"{low} to {high}{unit}")


def at_least(low: int) -> Rule:
    """Accept whole numbers from a bound on."""

    def check(value: int) -> int:
        if value < low:
            raise refusal(f"{value} is less than {low}", f"the nearest is {low}")
        return value

    return Rule(check, f"at least {low}")


def above(low: float) -> Rule:
    """Accept numbers greater than a bound."""

    def check(value: float) -> float:
        if not value > low or value == float("inf"):
            raise refusal(f"{value:g} is not a number above {low:g}", "leave it out where there is no limit")
        return value

    return Rule(check, f"above {low:g}")


def one_of(*choices: str, unserved: Mapping[str, str] | None = None) -> Rule:
    """Accept some words.

    Args:
        choices: The words.
        unserved: Words that are right elsewhere, and why they are refused here.
    """

    def check(value: str) -> str:
        if value in choices:
            return value
        if unserved and value in unserved:
            raise refusal(f"`{value}` is not served: {unserved[value]}", f"use {listed(choices)}")
        hint = f"the nearest is `{nearest(value, choices)}`"
        raise refusal(f"`{value}` is not one of {listed(choices)}", hint)

    return Rule(check, ", ".join(f"`{choice}`" for choice in choices))


def name_of(longest: int, example: str) -> Rule:
    """Accept names that stay valid in every name made from them: host names, RAM roles, load balancers."""

    def check(value: str) -> str:
        if not 2 <= len(value) <= longest:
            length = "short" if len(value) < 2 else "long"
            reason = f"`{value}` is too {length}: a name has 2 to {longest} characters"
        elif not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", value):
            reason = (
                f"`{value}` is no name: a letter first, then lower-case letters, digits and single hyphens"
            )
        else:
            return value
        raise refusal(reason, f"try `{_mended_name(value, longest) or example}`")

    return Rule(check, f"2 to {longest} lower-case letters, digits and single hyphens, a letter first")


def _mended_name(value: str, longest: int) -> str:
    words = re.findall(r"[a-z0-9]+", value.lower())
    mended = "-".join(words).lstrip("0123456789-")[:longest].rstrip("-")
    return mended if len(mended) >= 2 else ""


def matching(pattern: str, what: str, example: str) -> Rule:
    """Accept text that matches a regular expression as a whole."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value):
            return value
        raise refusal(f"`{value}` is not {what}", f"such as `{example}`")

    return Rule(check, f"{what}, such as `{example}`")


def port(low: int = 1) -> Rule:
    """Accept TCP ports from a bound on that nothing else on a node takes."""

    def check(value: int) -> int:
        if not low <= value <= 65535:
            bound = max(low, min(65535, value))
            raise refusal(f"{value} is no port from {low} to 65535", f"the nearest is {bound}")
        if value in TAKEN_PORTS:
            raise refusal(f"port {value} is taken: {TAKEN_PORTS[value]}", f"the nearest is {value + 1}")
        return value

    return Rule(check, f"{low} to 65535, without {' and '.join(map(str, TAKEN_PORTS))}")


def _network_from(value: str) -> IPv4Network:
    """Read a range in CIDR form.

    Raises:
        PydanticCustomError: If it is none, or has bits set behind the mask.
    """
    address, slash, mask = value.partition("/")
    if ":" in address:
        raise refusal(f"`{value}` is an IPv6 range, and only IPv4 is served", "give an IPv4 range")
    if not slash:
        raise refusal(f"`{value}` has no mask", f"write `{value}/32` for one address")
    try:
        network = IPv4Network((address, int(mask)), strict=False)
    except (AddressValueError, NetmaskValueError, ValueError) as err:
        raise refusal(f"`{value}` is no IPv4 range: {err}", "such as `10.64.0.0/16`") from err
    if str(network) != value:
        raise refusal(f"`{value}` has bits set behind its mask", f"the nearest is `{network}`")
    return network


def _private_range(prefixes: tuple[int, int], what: str) -> Callable[[str], str]:
    low, high = prefixes

    def check(value: str) -> str:
        network = _network_from(value)
        if not low <= network.prefixlen <= high:
            bound = max(low, min(high, network.prefixlen))
            reason = f"`{value}`: the mask of a {what} is /{low} to /{high}"
            mended = IPv4Network((int(network.network_address), bound), strict=False)
            raise refusal(reason, f"the nearest is `{mended}`")
        if not any(network.subnet_of(private) for private in PRIVATE_NETWORKS):
            ranges = listed(str(private) for private in PRIVATE_NETWORKS)
            raise refusal(f"`{value}` is not private", f"take a part of {ranges}")
        return value

    return check


def _range_limits(prefixes: tuple[int, int]) -> str:
    return "a private IPv4 range, mask /{} to /{}".format(*prefixes)


def _admin_range(value: str) -> str:
    network = _network_from(value)
    if network.prefixlen < WIDEST_ADMIN_PREFIX:
        hint = "give the range that you connect from, such as `203.0.113.7/32`"
        raise refusal(f"`{value}` opens the cluster to the world", hint)
    if network.overlaps(LOAD_BALANCER_NETWORK):
        reason = f"`{value}` overlaps {LOAD_BALANCER_NETWORK}, which the cloud keeps to itself"
        raise refusal(reason, "give the range that you connect from")
    return value


vpc_range = Rule(_private_range(VPC_PREFIXES, "VPC"), _range_limits(VPC_PREFIXES))
"""Accept the private range of a VPC."""

vswitch_range = Rule(_private_range(VSWITCH_PREFIXES, "VSwitch"), _range_limits(VSWITCH_PREFIXES))
"""Accept the private range of a VSwitch."""

egress_range = Rule(lambda value: str(_network_from(value)), "an IPv4 range")
"""Accept the range of what nodes may call."""

admin_range = Rule(_admin_range, f"an IPv4 range, mask /{WIDEST_ADMIN_PREFIX} to /32")
"""Accept the range of an administrator's network, and no range that opens the cluster to the world."""
