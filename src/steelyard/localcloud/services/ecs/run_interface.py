"""What RunInstances says of the network interfaces of the instances to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import errors, part_errors
from steelyard.localcloud.services.ecs.network_interface import (
    MAX_INTERFACES,
    TRAFFIC_MODES,
    NetworkInterface,
)
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.wire.error import invalid_parameter, not_served
from steelyard.spec.family import has_erdma

Given = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class InterfaceOrder:
    """The interfaces that each instance is to be made with.

    Attributes:
        primary: Parameters of its own interface, beside those of the call itself.
        secondaries: Parameters of the others, in the order of the call.
    """

    primary: Given = field(default_factory=dict)
    secondaries: Sequence[Given] = ()


@dataclass(frozen=True, kw_only=True)
class Secondary:
    """A secondary interface that instances are to be made with.

    Attributes:
        interface: The interface: as it will be but for its address, or one that is there already.
        vswitch: Where its address is claimed; None for one that is there already.
        wanted: The address that is asked for; empty for any.
    """

    interface: NetworkInterface
    vswitch: VSwitch | None = None
    wanted: str = ""


class Primary(TypedDict):
    """What an instance's own interface is made with."""

    traffic_mode: str
    interface_name: str
    interface_description: str
    checks_source: bool
    queue_pair_number: int
    card_index: int


def read_primary(request: Request, given: Given, instance_type: str) -> Primary:
    """Read what a call says of an instance's own interface.

    Raises:
        ApiError: For a traffic mode that there is not, or that the type does not have.
    """
    part = replace(request, params=given)
    return Primary(
        traffic_mode=_traffic_mode(given, instance_type),
        interface_name=part.text("NetworkInterfaceName"),
        interface_description=part.text("Description"),
        checks_source=part.flag("SourceDestCheck"),
        queue_pair_number=part.number("QueuePairNumber", 0),
        card_index=part.number("NetworkCardIndex", 0),
    )


def _traffic_mode(given: Given, instance_type: str) -> str:
    mode = str(given.get("NetworkInterfaceTrafficMode") or "Standard")
    if mode not in TRAFFIC_MODES:
        raise errors.value_not_supported("NetworkInterfaceTrafficMode", mode)
    if mode == "HighPerformance" and not has_erdma(instance_type):
        raise errors.no_erdma(instance_type)
    return mode


def read_interfaces(request: Request) -> InterfaceOrder:
    """Read `NetworkInterface.N`.

    One entry that does not say what it is describes the instance's own interface, as templates of this project write
    it; beside others, such an entry is a secondary interface, as the API's page says.

    Raises:
        ApiError: For a type that an interface cannot have, two primary ones, or more than an instance takes.
    """
    entries = request.records("NetworkInterface")
    kinds = [str(entry.get("InstanceType") or "") for entry in entries]
    for kind in kinds:
        if kind not in ("", "Primary", "Secondary"):
            raise errors.value_not_supported("NetworkInterface.InstanceType", kind)
    if len(entries) == 1 and not kinds[0] and not entries[0].get("NetworkInterfaceId"):
        kinds = ["Primary"]
    primaries = [entry for entry, kind in zip(entries, kinds, strict=True) if kind == "Primary"]
    if len(primaries) > 1:
        raise invalid_parameter(
            "NetworkInterface", f"{len(primaries)} primary ones", "at most one primary one"
        )
    if primaries and primaries[0].get("NetworkInterfaceId"):
        raise not_served("an interface made before as the primary one of an instance (NetworkInterfaceId)")
    secondaries = [entry for entry, kind in zip(entries, kinds, strict=True) if kind != "Primary"]
    if len(secondaries) + 1 > MAX_INTERFACES:
        raise part_errors.too_many_interfaces()
    return InterfaceOrder(primary=primaries[0] if primaries else {}, secondaries=secondaries)
