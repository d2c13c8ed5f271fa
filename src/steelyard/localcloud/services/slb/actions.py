from __future__ import annotations

from dataclasses import replace
from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.region_actions import NestedRegionActions
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.access_list_actions import AccessListActions
from steelyard.localcloud.services.slb.certificate_actions import CertificateActions
from steelyard.localcloud.services.slb.cipher_policy_actions import CipherPolicyActions
from steelyard.localcloud.services.slb.domain_extension_actions import DomainExtensionActions
from steelyard.localcloud.services.slb.load_balancer_actions import LoadBalancerActions
from steelyard.localcloud.services.slb.pair_actions import PairActions
from steelyard.localcloud.services.slb.plan import listener_name, server_name, servers_of
from steelyard.localcloud.services.slb.rule_actions import RuleActions
from steelyard.localcloud.services.slb.server_group_actions import ServerGroupActions
from steelyard.localcloud.tag_actions import TagActions
from steelyard.localcloud.traffic.server_status import Health
from steelyard.localcloud.wire.error import ApiError
from steelyard.spec.catalogue import REGIONS


class SlbService(
    LoadBalancerActions,
    RuleActions,
    CipherPolicyActions,
    DomainExtensionActions,
    PairActions,
    ServerGroupActions,
    CertificateActions,
    AccessListActions,
    NestedRegionActions,
    TagActions,
):
    """Load balancers, listeners, rules, server groups, certificates, access control lists, health, zones and tags."""

    @action("DescribeHealthStatus")
    def describe_health_status(self, request: Request) -> dict[str, object]:
        """Tell the health of every server of every listener, or of one, as HAProxy's checks find it."""
        balancer = self.load_balancer(request)
        listeners = self.listeners_of(balancer.id)
        if request.number("ListenerPort", 0):
            listeners = [self.any_listener(request)]
        groups = self.groups_of(balancer.id)
        statuses = self.statuses(balancer.id)
        rows = []
        for listener in listeners:
            for server, port in servers_of(balancer, listener, groups):
                status = statuses.get((listener_name(listener), server_name(server, port)))
                health = status.health if status is not None else Health.UNAVAILABLE
                rows.append(
                    {
                        "ServerId": server["ServerId"],
                        "ServerIp": self.find_address(str(server["ServerId"])) or "",
                        "Port": port,
                        "ListenerPort": listener.port,
                        "Protocol": listener.protocol,
                        "ServerHealthStatus": health.value,
                    }
                )
        return {"BackendServers": {"BackendServer": rows}}

    @action("MoveResourceGroup")
    def move_resource_group(self, request: Request) -> dict[str, object]:
        """Put a resource into another resource group, whichever: the local cloud keeps no list of them."""
        grouped: dict[str, Records[Any]] = {
            "loadbalancer": self.load_balancers,
            "certificate": self.server_certificates,
            "acl": self.access_lists,
        }
        kind = request.text("ResourceType").lower()
        if kind not in grouped:
            raise errors.unknown_resource_type(request.text("ResourceType"))
        record = grouped[kind].get(request.text("ResourceId"))
        if record is None:
            raise errors.resource_not_found(request.text("ResourceId"))
        grouped[kind].put(replace(record, resource_group_id=request.text("NewResourceGroupId")))
        return {}

    @action("DescribeZones")
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones, each with those that may back it up."""
        zones = REGIONS[request.region_id]
        rows = [
            {
                "ZoneId": zone,
                "LocalName": zone,
                "SlaveZones": {
                    "SlaveZone": [{"ZoneId": z, "LocalName": z} for z in zones if z != zone],
                },
            }
            for zone in zones
        ]
        return {"Zones": {"Zone": rows}}

    @action("DescribeAvailableResource")
    def describe_available_resource(self, request: Request) -> dict[str, object]:
        """List the pairs of zones in which a load balancer can be had."""
        zones = REGIONS[request.region_id]
        wanted = request.text("AddressType")
        kinds = [
            {"AddressType": kind, "AddressIPVersion": "ipv4"}
            for kind in ("vpc", "classic_internet")
            if wanted in ("", kind)
        ]
        rows = [
            {
                "MasterZoneId": master,
                "SlaveZoneId": slave,
                "SupportResources": {"SupportResource": kinds},
            }
            for master in zones
            for slave in zones
            if slave != master or len(zones) == 1
        ]
        return {"AvailableResources": {"AvailableResource": rows}}

    def tagged_records(self, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type that has tags here."""
        records: dict[str, Records[Any]] = {
            "instance": self.load_balancers,
            "vservergroup": self.server_groups,
            "certificate": self.server_certificates,
            "acl": self.access_lists,
        }
        return records.get(resource_type)

    def unknown_resource_type(self, resource_type: str) -> ApiError:
        """Tell that tags are not kept for a resource type."""
        return errors.unknown_resource_type(resource_type)
