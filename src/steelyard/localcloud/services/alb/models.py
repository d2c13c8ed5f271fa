from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.models import (
    Settling,
    ZonalBalancer,
    Zone,
    answered_health,
    answered_tags,
    answered_zone,
)
from steelyard.localcloud.text import utc_text

Condition = Mapping[str, Any]
"""A condition of a rule by the API's names: `Type`, and the settings of that type, e.g. `PathConfig`."""

Action = Mapping[str, Any]
"""An action of a rule by the API's names: `Type`, `Order`, and the settings of that type."""

AclEntry = Mapping[str, str]
"""One range of an access control list by the API's names: `Entry` and `Description`."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancer(ZonalBalancer):
    """An application load balancer."""

    kind: ClassVar[str] = "alb_load_balancer"

    edition: str
    address_allocated_mode: str

    def to_answer(self, now: float, dark_zones: Collection[str]) -> dict[str, object]:
        """Give the fields that ListLoadBalancers and GetLoadBalancerAttribute share."""
        return {
            **super().to_answer(now, dark_zones),
            # The API's own spelling.
            "LoadBalancerBussinessStatus": "Normal",
            "LoadBalancerEdition": self.edition,
            "AddressAllocatedMode": self.address_allocated_mode,
            "AddressIpVersion": "IPv4",
            "ZoneMappings": [answered_zone(zone, _address(zone, dark_zones)) for zone in self.zones],
            "LoadBalancerOperationLocks": [],
            "CreateTime": utc_text(self.created_at),
        }


def _address(zone: Zone, dark_zones: Collection[str]) -> dict[str, str | None]:
    return {
        "IntranetAddress": zone["PrivateIPv4Address"],
        "IntranetAddressHcStatus": answered_health(zone, dark_zones),
        "Address": zone.get("PublicIPv4Address") or zone["PrivateIPv4Address"],
    }


@dataclass(frozen=True, kw_only=True)
class ServerGroup(models.ServerGroup):
    """A server group of application load balancers."""

    kind: ClassVar[str] = "alb_server_group"

    @property
    def protocol(self) -> str:
        """What its servers speak."""
        return str(self.settings["Protocol"])

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of ListServerGroups."""
        uch = self.settings["UchConfig"]
        assert isinstance(uch, Mapping)
        return {
            **super().to_answer(now),
            "UchConfig": dict(uch) if uch["Value"] else {},
            "HealthCheckConfig": dict(self.check),
            "CreateTime": utc_text(self.created_at),
        }


@dataclass(frozen=True, kw_only=True)
class Listener(models.Listener):
    """A listener of an application load balancer.

    Attributes:
        protocol: `HTTP` or `HTTPS`.
        certificate_ids: Its certificates, the default one first; the others are found by the server's name.
        acl_type: `White` or `Black`; empty where it has no list.
        acl_ids: Its access control lists.
    """

    kind: ClassVar[str] = "alb_listener"

    protocol: str
    certificate_ids: tuple[str, ...] = ()
    acl_type: str = ""
    acl_ids: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in HAProxy."""
        return f"{self.protocol.lower()}-{self.port}"

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields that ListListeners and GetListenerAttribute share."""
        return {
            **super().to_answer(now),
            "ListenerProtocol": self.protocol,
            "DefaultActions": [default_action(self.server_group_id)],
            "Certificates": [{"CertificateId": one} for one in self.certificate_ids[:1]],
            "CaCertificates": [],
            "LogConfig": {"AccessLogRecordCustomizedHeadersEnabled": False},
            "AclConfig": self._acl_config(),
        }

    def _acl_config(self) -> dict[str, object]:
        relations = [{"AclId": acl_id, "Status": "Associated"} for acl_id in self.acl_ids]
        return {"AclType": self.acl_type, "AclRelations": relations} if relations else {}


@dataclass(frozen=True, kw_only=True)
class Rule(Settling):
    """A forwarding rule of a listener; of those that fit, the one of the lowest priority's number decides."""

    kind: ClassVar[str] = "alb_rule"

    region_id: str
    load_balancer_id: str
    listener_id: str
    name: str
    priority: int
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]

    @property
    def server_group_ids(self) -> list[str]:
        """The server groups that it sends requests to."""
        return [target["ServerGroupId"] for target in self.targets]

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        """The server groups that it sends requests to, with their weights, by the API's names."""
        last = self.actions[-1]
        return list(last["ForwardGroupConfig"]["ServerGroupTuples"]) if last["Type"] == "ForwardGroup" else []

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of ListRules."""
        return {
            "RuleId": self.id,
            "RuleName": self.name,
            "RuleStatus": self.status_at(now, "Available"),
            "Direction": "Request",
            "Priority": self.priority,
            "ListenerId": self.listener_id,
            "LoadBalancerId": self.load_balancer_id,
            "RuleConditions": list(self.conditions),
            "RuleActions": list(self.actions),
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class Acl(Settling):
    """A list of IPv4 ranges; whether they are let in or kept out is the listener's say."""

    kind: ClassVar[str] = "alb_acl"

    region_id: str
    name: str
    resource_group_id: str
    entries: tuple[AclEntry, ...] = ()

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The ranges."""
        return tuple(entry["Entry"] for entry in self.entries)

    def to_answer(self, now: float) -> dict[str, object]:
        """Give the fields of ListAcls."""
        return {
            "AclId": self.id,
            "AclName": self.name,
            "AclStatus": self.status_at(now, "Available"),
            "AddressIPVersion": "IPv4",
            "ResourceGroupId": self.resource_group_id,
            "CreateTime": utc_text(self.created_at),
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class HealthCheckTemplate(Settling):
    """Settings of a health check under a name.

    Attributes:
        check: The settings by the API's names, defaults filled in.
    """

    kind: ClassVar[str] = "alb_health_check_template"

    region_id: str
    name: str
    resource_group_id: str
    check: Mapping[str, object]

    def to_answer(self) -> dict[str, object]:
        """Give the fields of ListHealthCheckTemplates."""
        return {
            **self.check,
            "HealthCheckTemplateId": self.id,
            "HealthCheckTemplateName": self.name,
            "ResourceGroupId": self.resource_group_id,
            "Tags": answered_tags(self.tags),
        }


@dataclass(frozen=True, kw_only=True)
class SecurityPolicy(models.SecurityPolicy):
    """A TLS policy of application load balancers."""

    kind: ClassVar[str] = "alb_security_policy"


@dataclass(frozen=True, kw_only=True)
class Job(models.Job):
    """A change of application load balancers."""

    kind: ClassVar[str] = "alb_job"


def answered_job(job: models.Job, now: float) -> dict[str, object]:
    """Give the fields of ListAsynJobs."""
    verbs = ("Create", "Delete")
    return {
        "Id": job.id,
        "ApiName": job.action,
        "OperateType": next((verb for verb in verbs if job.action.startswith(verb)), "Update"),
        "ResourceId": job.resource_id,
        "ResourceType": job.resource_type,
        "Status": job.status_at(now, "Succeeded"),
        "CreateTime": int(job.created_at * 1000),
        "ModifyTime": int(job.settled_at * 1000),
    }


def default_action(server_group_id: str) -> dict[str, object]:
    """Give the action of a listener for what no rule fits."""
    tuples = [{"ServerGroupId": server_group_id}]
    return {"Type": "ForwardGroup", "ForwardGroupConfig": {"ServerGroupTuples": tuples}}
