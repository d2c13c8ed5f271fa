"""Names of instances that one call makes (help page "Specify sequential instance names or hostnames", from memory)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import check
from steelyard.localcloud.wire.error import invalid_parameter

INSTANCE_ID = "${instance_id}"
"""What stands in a host name for the instance's id."""

_ORDER = re.compile(r"\[(\d{0,6})(?:,([1-6]?))?\]")
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one of several instances; empty for those that come from its id."""

    name: str
    host_name: str


def read_names(request: Request, amount: int) -> list[Names]:
    """Read the names of instances that are made together.

    Raises:
        ApiError: `InvalidInstanceName.Malformed`, `InvalidHostName.Malformed`, or `InvalidParameter` for `HostNames`
            beside `HostName`.
    """
    name, host_name = check.read_name(request, "InstanceName", ""), request.text("HostName")
    host_names, has_suffix = request.texts("HostNames"), request.flag("UniqueSuffix") and amount > 1
    if host_name and host_names:
        raise invalid_parameter("HostNames", host_names, "left out beside HostName")
    found = []
    for number in range(1, amount + 1):
        host = sequence_name(host_name, number, has_suffix=has_suffix and bool(host_name))
        host = host_names[number - 1] if number <= len(host_names) else host
        check.check_host_name(host.replace(INSTANCE_ID, "i"))
        named = sequence_name(name, number, has_suffix=has_suffix and bool(name))
        found.append(Names(name=named, host_name=host))
    return found


def sequence_name(name: str, number: int, *, has_suffix: bool) -> str:
    """Give the name of one of the instances.

    Args:
        name: What the call says; in `worker-[8,3]` the brackets say from which number on, and with how many digits.
        number: The instance's number in the call, from 1.
        has_suffix: Whether `001`, `002`, ... are to be added, which is not done to a name that ends in brackets.
    """
    suffix = f"{number:03d}" if has_suffix else ""
    order = _ORDER.search(name)
    if order is None:
        return f"{name}{suffix}"
    ordered = f"{int(order[1] or 0) + number - 1:0{int(order[2] or _DIGITS)}d}"
    rest = name[order.end() :]
    return f"{name[: order.start()]}{ordered}{rest}{suffix if rest else ''}"
