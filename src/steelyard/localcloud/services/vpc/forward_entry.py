"""Forward entries: by them, a NAT gateway lets the world reach an address of its VPC (DNAT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.text import whole_number

ANY = "any"


@dataclass(frozen=True, kw_only=True)
class ForwardEntry(Record):
    """A rule by which an address of a VPC is reached from outside; kept, since nothing here answers at an EIP.

    Attributes:
        external_port: A port, a range such as `10/20`, or `any`.
        internal_port: As many ports as the external one's.
        protocol: `tcp`, `udp` or `any`.
    """

    kind: ClassVar[str] = "forwardentry"

    table_id: str
    gateway_id: str
    name: str
    external_ip: str
    external_port: str
    internal_ip: str
    internal_port: str
    protocol: str

    @property
    def maps_address(self) -> bool:
        """Whether it maps all of an address, which then serves for nothing else."""
        return self.external_port == ANY

    def meets(self, other: ForwardEntry, *, inside: bool) -> bool:
        """Tell whether two entries would take the same packets.

        Args:
            other: The other entry.
            inside: Whether to look at where packets go to, and not at where they come in.
        """
        mine, theirs = self._end(inside), other._end(inside)
        protocols = {self.protocol, other.protocol}
        if mine[0] != theirs[0] or (ANY not in protocols and len(protocols) > 1):
            return False
        return mine[1].start < theirs[1].stop and theirs[1].start < mine[1].stop

    def _end(self, inside: bool) -> tuple[str, range]:
        if inside:
            return self.internal_ip, ports(self.internal_port)
        return self.external_ip, ports(self.external_port)

    def to_answer(self, *, now: float) -> dict[str, object]:
        """Give the fields of DescribeForwardTableEntries."""
        return {
            "ForwardEntryId": self.id,
            "ForwardTableId": self.table_id,
            "NatGatewayId": self.gateway_id,
            "ForwardEntryName": self.name,
            "ExternalIp": self.external_ip,
            "ExternalPort": self.external_port,
            "InternalIp": self.internal_ip,
            "InternalPort": self.internal_port,
            "IpProtocol": self.protocol,
            "Status": status_at(self.created_at, now),
        }


def ports(text: str) -> range:
    """Read what an entry calls its ports: `80`, `10/20` or `any`.

    Raises:
        ValueError: It is none of these, or a port is not from 1 to 65535.
    """
    if text == ANY:
        return range(1, 65535 + 1)
    first, _, last = text.partition("/")
    low, high = whole_number(first), whole_number(last or first)
    if low is None or high is None or not 1 <= low <= high <= 65535:
        raise ValueError(f"{text!r} is no port, no range of ports and not {ANY!r}")
    return range(low, high + 1)
