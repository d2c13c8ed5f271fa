"""Network interfaces beside the one that each instance has from the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

MAX_INTERFACES = 8
"""Interfaces of an instance, its primary one included; the real limit depends on the type."""
MAX_ADDRESSES = 10
"""Private addresses of an interface; the real limit depends on the type."""
TRAFFIC_MODES = ("Standard", "HighPerformance")
"""`HighPerformance` is elastic RDMA."""
UNSERVED = (
    "Ipv6Address",
    "Ipv6AddressCount",
    "Ipv6Prefix",
    "Ipv6PrefixCount",
    "Ipv4Prefix",
    "Ipv4PrefixCount",
    "EnablePrimaryIPv6",
    "ConnectionTrackingConfiguration",
)
"""Parameters of what no interface has here: addresses of IPv6, prefixes, and time limits of connections."""

_WITHOUT_IPV6: Mapping[str, object] = {
    "Ipv6Sets": {"Ipv6Set": []},
    "Ipv6PrefixSets": {"Ipv6PrefixSet": []},
    "Ipv4PrefixSets": {"Ipv4PrefixSet": []},
}
"""Lists that are empty here; the vendor's provider breaks off where one is missing."""


@dataclass(frozen=True, kw_only=True)
class NetworkInterface(Record):
    """A secondary network interface: it holds an address of its VSwitch and can go from instance to instance.

    On the loopback host a process of the instance can serve on its addresses. In network namespaces it is a device of
    the instance while that runs; what comes in by it meets the filter of the instance's security groups, while its own
    groups say whose rules its addresses are meant by.

    Attributes:
        instance_id: The instance that has it; empty where none has.
        deletes_with_instance: Whether it goes with its instance.
        traffic_mode: `Standard`, or `HighPerformance` for elastic RDMA.
        queue_number: Kept and answered; 0 for what its type has.
        queue_pair_number: Of elastic RDMA, kept and answered likewise.
        card_index: The network card of the instance that it is on; kept and answered.
    """

    kind: ClassVar[str] = "network_interface"

    region_id: str
    zone_id: str
    vpc_id: str
    vswitch_id: str
    private_address: str
    mac_address: str
    security_group_ids: tuple[str, ...]
    name: str
    description: str
    instance_id: str
    deletes_with_instance: bool
    traffic_mode: str
    checks_source: bool
    resource_group_id: str
    attached_at: float
    secondary_addresses: tuple[str, ...] = ()
    queue_number: int = 0
    queue_pair_number: int = 0
    card_index: int = 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its private addresses, the first one first."""
        return (self.private_address, *self.secondary_addresses)

    @property
    def status(self) -> str:
        """`InUse` or `Available`."""
        return "InUse" if self.instance_id else "Available"

    def to_answer(self, owner_id: str) -> dict[str, object]:
        """Give the fields of DescribeNetworkInterfaces."""
        attachment: dict[str, object] = {}
        if self.instance_id:
            attachment = {
                "InstanceId": self.instance_id,
                "DeviceIndex": 1,
                "NetworkCardIndex": self.card_index,
            }
        return {
            **self.to_short_answer(),
            "NetworkInterfaceName": self.name,
            "Description": self.description,
            "InstanceId": self.instance_id,
            "Status": self.status,
            "PrivateIpAddress": self.private_address,
            "SecurityGroupIds": {"SecurityGroupId": list(self.security_group_ids)},
            "VpcId": self.vpc_id,
            "VSwitchId": self.vswitch_id,
            "ZoneId": self.zone_id,
            "OwnerId": owner_id,
            "CreationTime": utc_text(self.created_at),
            "DeleteOnRelease": self.deletes_with_instance,
            "NetworkInterfaceTrafficMode": self.traffic_mode,
            "SourceDestCheck": self.checks_source,
            "QueueNumber": self.queue_number or None,
            "QueuePairNumber": self.queue_pair_number or None,
            "ResourceGroupId": self.resource_group_id,
            "Attachment": attachment,
            "Tags": {"Tag": tag_rows(self.tags)},
        }

    def to_short_answer(self) -> dict[str, object]:
        """Give the fields that DescribeInstances shows."""
        return {
            "NetworkInterfaceId": self.id,
            "MacAddress": self.mac_address,
            "PrimaryIpAddress": self.private_address,
            "Type": "Secondary",
            **address_sets(self.addresses),
        }


def address_sets(addresses: Sequence[str]) -> dict[str, object]:
    """Give an interface's addresses, the first one first, as answers hold them."""
    rows = [{"PrivateIpAddress": address, "Primary": number == 0} for number, address in enumerate(addresses)]
    return {"PrivateIpSets": {"PrivateIpSet": rows}, **_WITHOUT_IPV6}
