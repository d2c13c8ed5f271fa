from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.balancing import Balancer
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

ACTIVE, INACTIVE = "active", "inactive"
SPEC = "slb.lcu.elastic"
"""What a load balancer that is paid by its use has in place of a specification."""

Server = Mapping[str, object]
"""A backend server by the API's names: `ServerId`, `Weight`, `Type`, `Description`, in a server group `Port`."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancer(Balancer):
    """A classic load balancer; `servers` are its default ones, on the port that each listener names."""

    kind: ClassVar[str] = "load_balancer"

    region_id: str
    name: str
    address: str
    address_type: str
    vswitch_id: str
    master_zone_id: str
    slave_zone_id: str
    bandwidth: int
    internet_charge_type: str
    delete_protection: str
    modification_protection_status: str
    modification_protection_reason: str
    resource_group_id: str
    servers: tuple[Server, ...] = ()

    def lit_addresses(self, dark_zones: Collection[str]) -> tuple[str, ...]:
        """Give its address, which is served from the secondary zone while the primary one is without power."""
        zones = {self.master_zone_id, self.slave_zone_id} - {""}
        return () if zones and zones <= set(dark_zones) else (self.address,)

    def fails_over(self, dark_zone: str) -> bool:
        """Tell whether the zone is the primary one."""
        return dark_zone == self.master_zone_id

    def to_answer(self) -> dict[str, object]:
        """Give the fields that DescribeLoadBalancers and DescribeLoadBalancerAttribute share."""
        return {
            "LoadBalancerId": self.id,
            "LoadBalancerName": self.name,
            "LoadBalancerStatus": self.status,
            "LoadBalancerSpec": SPEC,
            "Address": self.address,
            "AddressType": self.address_type,
            "AddressIPVersion": "ipv4",
            "NetworkType": "vpc" if self.vpc_id else "classic",
            "VpcId": self.vpc_id,
            "VSwitchId": self.vswitch_id,
            "RegionId": self.region_id,
            "RegionIdAlias": self.region_id,
            "MasterZoneId": self.master_zone_id,
            "SlaveZoneId": self.slave_zone_id,
            "Bandwidth": self.bandwidth,
            "InternetChargeType": self.internet_charge_type,
            "InternetChargeTypeAlias": self.internet_charge_type,
            "InstanceChargeType": "PayByCLCU",
            "PayType": "PayOnDemand",
            "DeleteProtection": self.delete_protection,
            "ModificationProtectionStatus": self.modification_protection_status,
            "ModificationProtectionReason": self.modification_protection_reason,
            "ResourceGroupId": self.resource_group_id,
            "CreateTime": utc_text(self.created_at)[:16] + "Z",
            "CreateTimeStamp": int(self.created_at * 1000),
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class ServerGroup(Record):
    """A vServer group, or a primary/secondary one: two servers, of which the second stands in for the first.

    Attributes:
        is_pair: Whether it is of the second sort; then each server has a `ServerType`, `Master` or `Slave`.
    """

    kind: ClassVar[str] = "server_group"

    load_balancer_id: str
    name: str
    servers: tuple[Server, ...] = ()
    is_pair: bool = False


@dataclass(frozen=True, kw_only=True)
class Listener(Record):
    """A listener; its id is `<load balancer>:<protocol>:<port>`.

    Attributes:
        protocol: `http`, `https`, `tcp` or `udp`.
        is_running: Whether it was started.
        settings: All of its settings by the API's names, defaults filled in.
    """

    kind: ClassVar[str] = "listener"

    load_balancer_id: str
    protocol: str
    port: int
    is_running: bool
    settings: Mapping[str, object]

    @property
    def server_group_id(self) -> str:
        """The server group that takes its traffic; empty where the load balancer's default servers do."""
        return str(self.settings.get("MasterSlaveServerGroupId") or self.settings["VServerGroupId"])

    @property
    def is_redirect(self) -> bool:
        """Whether it sends its clients to an HTTPS listener, and has no servers."""
        return self.settings.get("ListenerForward") == "on"

    @property
    def access_list_ids(self) -> tuple[str, ...]:
        """The access control lists that it names; none while their use is off."""
        if self.settings["AclStatus"] != "on":
            return ()
        return tuple(str(self.settings["AclId"]).split(","))

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeLoadBalancer…ListenerAttribute."""
        return {
            **self.settings,
            "LoadBalancerId": self.load_balancer_id,
            "ListenerPort": self.port,
            "Status": "running" if self.is_running else "stopped",
            "SecurityStatus": "on",
            "AclIds": {"AclId": list(self.access_list_ids)},
            "Tags": {"Tag": []},
        }

    def to_row(self) -> dict[str, object]:
        """Give the fields of DescribeLoadBalancerListeners, which nests those of the protocol."""
        settings = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in self.settings.items()
        }
        return {
            **settings,
            "LoadBalancerId": self.load_balancer_id,
            "ListenerPort": self.port,
            "ListenerProtocol": self.protocol,
            "Status": "running" if self.is_running else "stopped",
            "AclIds": list(self.access_list_ids),
            "Tags": [],
            f"{self.protocol.upper()}ListenerConfig": settings,
        }


def listener_id(load_balancer_id: str, protocol: str, port: int) -> str:
    """Give a listener's id."""
    return f"{load_balancer_id}:{protocol}:{port}"
