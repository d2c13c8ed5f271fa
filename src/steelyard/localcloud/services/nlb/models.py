from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.models import ZonalBalancer, Zone, answered_health, answered_zone


@dataclass(frozen=True, kw_only=True)
class LoadBalancer(ZonalBalancer):
    """A network load balancer.

    Attributes:
        is_cross_zone: Whether it serves servers of every zone.
        address_ip_version: `Ipv4`, or the page's `ipv4` where that was sent: the Terraform provider compares the two.
    """

    kind: ClassVar[str] = "nlb_load_balancer"

    is_cross_zone: bool
    address_ip_version: str = "Ipv4"

    def to_answer(self, now: float, dark_zones: Collection[str]) -> dict[str, object]:
        """Give the fields that ListLoadBalancers and GetLoadBalancerAttribute share; tags in both spellings."""
        return {
            **super().to_answer(now, dark_zones),
            "LoadBalancerType": "Network",
            "LoadBalancerBusinessStatus": "Normal",
            "AddressIpVersion": self.address_ip_version,
            "ZoneMappings": [answered_zone(zone, _address(zone, dark_zones)) for zone in self.zones],
            "CrossZoneEnabled": self.is_cross_zone,
            "Cps": 0,
            "OperationLocks": [],
            "CreateTime": str(int(self.created_at * 1000)),
        }


def _address(zone: Zone, dark_zones: Collection[str]) -> dict[str, str | None]:
    return {
        "PrivateIPv4Address": zone["PrivateIPv4Address"],
        "PublicIPv4Address": zone.get("PublicIPv4Address"),
        "PrivateIPv4HcStatus": answered_health(zone, dark_zones),
    }


@dataclass(frozen=True, kw_only=True)
class ServerGroup(models.ServerGroup):
    """A server group of network load balancers."""

    kind: ClassVar[str] = "nlb_server_group"

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of ListServerGroups."""
        return {**super().to_answer(now), "HealthCheck": dict(self.check)}


@dataclass(frozen=True, kw_only=True)
class Listener(models.Listener):
    """A listener of a network load balancer.

    Attributes:
        protocol: `TCP`, `UDP` or `TCPSSL`.
        additional_certificate_ids: Certificates that are found by the server's name; the others stand in its settings.
    """

    kind: ClassVar[str] = "nlb_listener"

    protocol: str = "TCP"
    additional_certificate_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in HAProxy."""
        return f"{self.protocol.lower()}-{self.port}"

    @property
    def certificate_ids(self) -> tuple[str, ...]:
        """The certificates that it answers with, the default one first."""
        ids = self.settings["CertificateIds"]
        assert isinstance(ids, list | tuple)
        return (*map(str, ids), *self.additional_certificate_ids)

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields that ListListeners and GetListenerAttribute share; tags in both spellings."""
        answer = super().to_answer(now)
        return {**answer, "ListenerProtocol": self.protocol, "ServerGroupId": self.server_group_id}


@dataclass(frozen=True, kw_only=True)
class SecurityPolicy(models.SecurityPolicy):
    """A TLS policy of network load balancers."""

    kind: ClassVar[str] = "nlb_security_policy"


@dataclass(frozen=True, kw_only=True)
class Job(models.Job):
    """A change of network load balancers."""

    kind: ClassVar[str] = "nlb_job"
