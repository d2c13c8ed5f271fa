from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.balancing import Balancer
from steelyard.localcloud.record import Record

ACTIVE, INACTIVE = "Active", "Inactive"
INTERNET, INTRANET = "Internet", "Intranet"

Zone = Mapping[str, str]
"""Where a load balancer stands: `ZoneId`, `VSwitchId`, `PrivateIPv4Address`, and `PublicIPv4Address` or none."""

Server = Mapping[str, object]
"""A backend server by the API's names: `ServerId`, `ServerType`, `Port`, `Weight`, `Description`."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancer(Balancer):
    """A network load balancer.

    Attributes:
        zones: Where it stands, and its address in each of them.
        deletion_protection: `Enabled` and `Reason`.
        modification_protection: `Status` and `Reason`.
    """

    kind: ClassVar[str] = "nlb_load_balancer"

    region_id: str
    name: str
    address_type: str
    zones: tuple[Zone, ...]
    is_cross_zone: bool
    deletion_protection: Mapping[str, object]
    modification_protection: Mapping[str, object]
    security_group_ids: tuple[str, ...]
    resource_group_id: str

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that it serves on."""
        return addresses_of(self.zones)

    @property
    def dns_name(self) -> str:
        """What clients are to call.

        On the cloud it is a name for the addresses of all zones. No resolver of this machine would know such a name,
        and answers carry only what can be reached, so here it is the address in the first zone; that of the public
        side where there is one.
        """
        return self.addresses[0]

    def to_answer(self) -> dict[str, object]:
        """Give the fields that ListLoadBalancers and GetLoadBalancerAttribute share; tags in both spellings."""
        return {
            "LoadBalancerId": self.id,
            "LoadBalancerName": self.name,
            "LoadBalancerType": "network",
            "LoadBalancerStatus": self.status,
            "LoadBalancerBusinessStatus": "Normal",
            "AddressType": self.address_type,
            "AddressIpVersion": "ipv4",
            "DNSName": self.dns_name,
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "ZoneMappings": [self._zone(zone) for zone in self.zones],
            "CrossZoneEnabled": self.is_cross_zone,
            "Cps": 0,
            "DeletionProtectionConfig": dict(self.deletion_protection),
            "ModificationProtectionConfig": dict(self.modification_protection),
            "LoadBalancerBillingConfig": {"PayType": "PostPay"},
            "SecurityGroupIds": list(self.security_group_ids),
            "OperationLocks": [],
            "ResourceGroupId": self.resource_group_id,
            "CreateTime": str(int(self.created_at * 1000)),
            "Tags": answered_tags(self.tags),
        }

    def _zone(self, zone: Zone) -> dict[str, object]:
        address = {
            "PrivateIPv4Address": zone["PrivateIPv4Address"],
            "PublicIPv4Address": zone.get("PublicIPv4Address") or None,
            "PrivateIPv4HcStatus": "Healthy",
        }
        return {
            "ZoneId": zone["ZoneId"],
            "VSwitchId": zone["VSwitchId"],
            "Status": "Active",
            "LoadBalancerAddresses": [{key: value for key, value in address.items() if value}],
        }


@dataclass(frozen=True, kw_only=True)
class ServerGroup(Record):
    """A server group; listeners of any load balancer of its VPC may use it.

    Attributes:
        settings: Its settings by the API's names, defaults filled in.
        check: Those of its health check.
        servers: Its servers.
    """

    kind: ClassVar[str] = "nlb_server_group"

    region_id: str
    vpc_id: str
    name: str
    settings: Mapping[str, object]
    check: Mapping[str, object]
    servers: tuple[Server, ...] = ()

    def to_answer(self) -> dict[str, object]:
        """Give the fields of ListServerGroups."""
        return {
            **self.settings,
            "ServerGroupId": self.id,
            "ServerGroupName": self.name,
            "ServerGroupStatus": "Available",
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "ServerCount": len(self.servers),
            "HealthCheck": dict(self.check),
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class Listener(Record):
    """A listener.

    Attributes:
        settings: Its settings by the API's names, defaults filled in.
    """

    kind: ClassVar[str] = "nlb_listener"

    region_id: str
    load_balancer_id: str
    server_group_id: str
    port: int
    is_running: bool
    settings: Mapping[str, object]

    @property
    def name(self) -> str:
        """Its name in HAProxy."""
        return f"tcp-{self.port}"

    def to_answer(self) -> dict[str, object]:
        """Give the fields that ListListeners and GetListenerAttribute share; tags in both spellings."""
        return {
            **self.settings,
            "ListenerId": self.id,
            "ListenerPort": self.port,
            "ListenerProtocol": "TCP",
            "ListenerStatus": "Running" if self.is_running else "Stopped",
            "LoadBalancerId": self.load_balancer_id,
            "ServerGroupId": self.server_group_id,
            "RegionId": self.region_id,
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class Job(Record):
    """A change that was carried out; every one is, when its call is answered."""

    kind: ClassVar[str] = "nlb_job"


def addresses_of(zones: Iterable[Zone]) -> tuple[str, ...]:
    """Give all addresses of zones, in each zone the public one first."""
    found = [zone.get(name) for zone in zones for name in ("PublicIPv4Address", "PrivateIPv4Address")]
    return tuple(address for address in found if address)


def answered_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags in both spellings, of which each action's answer has one."""
    return [{"Key": k, "Value": v, "TagKey": k, "TagValue": v} for k, v in tags.items()]
