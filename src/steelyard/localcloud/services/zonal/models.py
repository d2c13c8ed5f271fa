from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from steelyard.localcloud.proxy.tls_policy import TlsPolicy
from steelyard.localcloud.record import Record
from steelyard.localcloud.services.balancing import Balancer

ACTIVE, INACTIVE, SHIFTED = "Active", "Inactive", "Shifted"
INTERNET, INTRANET = "Internet", "Intranet"

Zone = Mapping[str, str]
"""Where a load balancer stands: `ZoneId`, `VSwitchId`, `PrivateIPv4Address`, and `PublicIPv4Address` or none.

`Status` is there where it is not `Active`."""

Server = Mapping[str, object]
"""A backend server by the API's names: `ServerId`, `ServerType`, `Port`, `Weight`, `Description`."""


@dataclass(frozen=True, kw_only=True)
class Settling(Record):
    """A record that takes a moment to take a change in.

    Attributes:
        settled_at: Unix time from which on it has taken in the last change.
        settling_as: The product's word for its state until then.
    """

    settled_at: float = 0.0
    settling_as: str = ""

    def status_at(self, now: float, settled: str) -> str:
        """Give its state at a time.

        Args:
            now: Unix time.
            settled: The state once the last change is taken in.
        """
        return self.settling_as if now < self.settled_at else settled


@dataclass(frozen=True, kw_only=True)
class ZonalBalancer(Balancer, Settling):
    """A load balancer over several zones.

    Attributes:
        zones: Where it stands, and its address in each of them.
        deletion_protection: `Enabled`, and what else the product tells of it.
        modification_protection: `Status` and `Reason`.
    """

    region_id: str
    name: str
    address_type: str
    zones: tuple[Zone, ...]
    deletion_protection: Mapping[str, object]
    modification_protection: Mapping[str, object]
    security_group_ids: tuple[str, ...]
    resource_group_id: str

    def lit_addresses(self, dark_zones: Collection[str]) -> tuple[str, ...]:
        """Give its addresses in the zones that have power."""
        return addresses_of(zone for zone in self.zones if zone["ZoneId"] not in dark_zones)

    def fails_over(self, dark_zone: str) -> bool:
        """Tell that no other zone takes a zone's addresses over."""
        return False

    def dns_name(self, dark_zones: Collection[str]) -> str:
        """Give what clients are to call.

        On the cloud it is a name for the addresses of all zones but for those that are shifted or without power. No
        resolver of this machine would know such a name, and answers carry only what can be reached, so here it is the
        address in the first of these zones; that of the public side where there is one.
        """
        named = [
            zone for zone in self.zones if zone_status(zone) == ACTIVE and zone["ZoneId"] not in dark_zones
        ]
        return addresses_of(named or self.zones)[0]

    def to_answer(self, now: float, dark_zones: Collection[str]) -> dict[str, object]:
        """Give the fields that ListLoadBalancers and GetLoadBalancerAttribute share; tags in both spellings.

        Args:
            now: Unix time.
            dark_zones: The zones that are without power.
        """
        return {
            "LoadBalancerId": self.id,
            "LoadBalancerName": self.name,
            "LoadBalancerStatus": self.status_at(now, self.status),
            "AddressType": self.address_type,
            "DNSName": self.dns_name(dark_zones),
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "DeletionProtectionConfig": dict(self.deletion_protection),
            "ModificationProtectionConfig": dict(self.modification_protection),
            "LoadBalancerBillingConfig": {"PayType": "PostPay"},
            "SecurityGroupIds": list(self.security_group_ids),
            "ResourceGroupId": self.resource_group_id,
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class ServerGroup(Settling):
    """A server group; listeners of any load balancer of its VPC may use it.

    Attributes:
        settings: Its settings by the API's names, defaults filled in.
        check: Those of its health check.
        servers: Its servers.
    """

    region_id: str
    vpc_id: str
    name: str
    settings: Mapping[str, object]
    check: Mapping[str, object]
    servers: tuple[Server, ...] = ()

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of ListServerGroups."""
        return {
            **self.settings,
            "ServerGroupId": self.id,
            "ServerGroupName": self.name,
            "ServerGroupStatus": self.status_at(now, "Available"),
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "ServerCount": len(self.servers),
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class Listener(Settling):
    """A listener.

    Attributes:
        server_group_id: Where its traffic goes.
        settings: Its settings by the API's names, defaults filled in.
    """

    region_id: str
    load_balancer_id: str
    server_group_id: str
    port: int
    is_running: bool
    settings: Mapping[str, object]

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields that ListListeners and GetListenerAttribute share; tags in both spellings."""
        return {
            **self.settings,
            "ListenerId": self.id,
            "ListenerPort": self.port,
            "ListenerStatus": self.status_at(now, "Running" if self.is_running else "Stopped"),
            "LoadBalancerId": self.load_balancer_id,
            "RegionId": self.region_id,
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class SecurityPolicy(Settling):
    """A TLS policy of the user's own; listeners of any load balancer of its region may use it.

    Attributes:
        versions: The versions of TLS that clients may speak.
        ciphers: The ciphers that they may use.
    """

    region_id: str
    name: str
    resource_group_id: str
    versions: tuple[str, ...]
    ciphers: tuple[str, ...]

    @property
    def policy(self) -> TlsPolicy:
        """What it lets clients speak."""
        return TlsPolicy(versions=self.versions, ciphers=self.ciphers)


@dataclass(frozen=True, kw_only=True)
class Job(Settling):
    """A change that is carried out while its call is answered, and told as done a moment later.

    Attributes:
        action: The call.
        resource_id: What it changed.
        resource_type: Which sort of thing that is.
    """

    action: str
    resource_id: str
    resource_type: str


def zone_status(zone: Zone) -> str:
    """Give the state of a zone: `Active`, or `Shifted` where it was taken out of the name of its load balancer."""
    return zone.get("Status", ACTIVE)


def answered_zone(zone: Zone, address: Mapping[str, str | None]) -> dict[str, object]:
    """Give a zone as answers hold it.

    Args:
        zone: The zone.
        address: Its addresses by the product's names; None is left out.
    """
    return {
        "ZoneId": zone["ZoneId"],
        "VSwitchId": zone["VSwitchId"],
        "Status": zone_status(zone),
        "LoadBalancerAddresses": [{name: value for name, value in address.items() if value is not None}],
    }


def answered_health(zone: Zone, dark_zones: Collection[str]) -> str | None:
    """Give the health of a zone's addresses, which is told of zones that are active alone."""
    if zone_status(zone) != ACTIVE:
        return None
    return "Unhealthy" if zone["ZoneId"] in dark_zones else "Healthy"


def addresses_of(zones: Iterable[Zone]) -> tuple[str, ...]:
    """Give all addresses of zones, in each zone the public one first."""
    found = [zone.get(name) for zone in zones for name in ("PublicIPv4Address", "PrivateIPv4Address")]
    return tuple(address for address in found if address)


def answered_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags in both spellings, of which each action's answer has one."""
    return [{"Key": k, "Value": v, "TagKey": k, "TagValue": v} for k, v in tags.items()]
