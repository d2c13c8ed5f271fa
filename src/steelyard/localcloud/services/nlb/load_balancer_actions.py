from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb import errors
from steelyard.localcloud.services.nlb.models import (
    ACTIVE,
    INTERNET,
    INTRANET,
    LoadBalancer,
    Zone,
    addresses_of,
)
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.services.nlb.zone import Place, claim_zones, read_places, release
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import ApiError, invalid_parameter, not_served

_NAME = re.compile(r"[A-Za-z\u4e00-\u9fa5][\w.\u4e00-\u9fa5-]{1,127}\Z")


class LoadBalancerActions(NlbState):
    """Load balancers. They are active, and gone, when their call is answered."""

    @action("CreateLoadBalancer")
    def create_load_balancer(self, request: Request) -> dict[str, object]:
        """Create a load balancer with an address in each of its zones."""
        address_type = _address_type(request)
        if request.text("AddressIpVersion", "ipv4").lower() != "ipv4":
            raise not_served("IPv6 load balancers")
        if request.text("BandwidthPackageId"):
            raise not_served("bandwidth packages")
        vpc = self.vpc.find_vpc(request.text("VpcId"))
        if vpc is None or vpc.region_id != request.region_id:
            raise errors.not_found("vpc")
        places = read_places(request, vpc.id, self.vpc)
        draft = LoadBalancer(
            id=self.cloud.new_id("nlb"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=read_name(request, "LoadBalancerName", ""),
            address_type=address_type,
            vpc_id=vpc.id,
            zones=(),
            status=ACTIVE,
            is_cross_zone=True,
            deletion_protection={"Enabled": False, "Reason": ""}
            | _nested(request, "DeletionProtectionConfig"),
            modification_protection={"Status": "NonProtection", "Reason": ""}
            | _nested(request, "ModificationProtectionConfig"),
            security_group_ids=(),
            resource_group_id=request.text("ResourceGroupId"),
        )
        request.stop_if_dry_run()
        zones = claim_zones(self.ecs.host, places, is_public=address_type == INTERNET)
        balancer = replace(draft, zones=zones, name=draft.name or draft.id)
        self.load_balancers.put(balancer)
        # The API's own spelling.
        return {"LoadbalancerId": balancer.id, "OrderId": 0}

    @action("GetLoadBalancerAttribute")
    def get_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Give one load balancer."""
        return self.load_balancer(request).to_answer()

    @action("ListLoadBalancers")
    def list_load_balancers(self, request: Request) -> dict[str, object]:
        """List load balancers by ids, names, VPCs, zone, kind of address, state and tags."""
        ids, names, vpc_ids = (
            request.texts(f"{name}s") for name in ("LoadBalancerId", "LoadBalancerName", "VpcId")
        )
        tags, zone_id = read_tags(request), request.text("ZoneId")
        filters = ("AddressType", "DNSName", "LoadBalancerStatus")
        found = [
            balancer
            for balancer in self.load_balancers.list()
            if balancer.region_id == request.region_id
            and (not ids or balancer.id in ids)
            and (not names or balancer.name in names)
            and (not vpc_ids or balancer.vpc_id in vpc_ids)
            and zone_id in ("", *(zone["ZoneId"] for zone in balancer.zones))
            and has_tags(balancer.tags, tags)
            and all(request.text(name) in ("", balancer.to_answer()[name]) for name in filters)
        ]
        page, token = token_page(request, found, default=20)
        return {
            "LoadBalancers": [balancer.to_answer() for balancer in page],
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 20),
            "TotalCount": len(found),
        }

    @action("UpdateLoadBalancerAttribute")
    def update_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Change a load balancer's name, and whether it serves across zones, which here it always does."""
        balancer = self.load_balancer(request)
        if request.number("Cps", 0):
            raise not_served("limits of new connections")
        if not request.flag("CrossZoneEnabled", True):
            raise not_served("load balancers that keep to a zone")
        name = read_name(request, "LoadBalancerName", balancer.name)
        self.load_balancers.put(replace(balancer, name=name))
        return self.done()

    @action("UpdateLoadBalancerZones", optional=("ZoneMappings.EipType",))
    def update_load_balancer_zones(self, request: Request) -> dict[str, object]:
        """Let a load balancer stand in just the zones that are named; where it stood, it keeps its address."""
        balancer = self.load_balancer(request)
        places = read_places(request, balancer.vpc_id, self.vpc)
        request.stop_if_dry_run()
        is_public = balancer.address_type == INTERNET
        zones = claim_zones(self.ecs.host, places, is_public=is_public, kept=balancer.zones)
        return self._move(request, balancer, zones)

    @action("UpdateLoadBalancerAddressTypeConfig", optional=("ZoneMappings.EipType",))
    def update_load_balancer_address_type_config(self, request: Request) -> dict[str, object]:
        """Give a load balancer public addresses, or take them away."""
        balancer = self.load_balancer(request)
        address_type = _address_type(request)
        if any(mapping.get("AllocationId") for mapping in request.records("ZoneMappings")):
            raise not_served("load balancers on given EIPs")
        vswitches = [self.vpc.find_vswitch(zone["VSwitchId"]) for zone in balancer.zones]
        places = [Place(vswitch=vswitch, wanted="") for vswitch in vswitches if vswitch is not None]
        request.stop_if_dry_run()
        is_public = address_type == INTERNET
        zones = claim_zones(self.ecs.host, places, is_public=is_public, kept=balancer.zones)
        return self._move(request, replace(balancer, address_type=address_type), zones)

    @action("UpdateLoadBalancerProtection")
    def update_load_balancer_protection(self, request: Request) -> dict[str, object]:
        """Protect a load balancer from being deleted, and from changes in the console, which is not here."""
        balancer = self.load_balancer(request)
        status = request.text("ModificationProtectionStatus")
        if status not in ("", "NonProtection", "ConsoleProtection"):
            choices = "NonProtection or ConsoleProtection"
            raise invalid_parameter("ModificationProtectionStatus", status, choices)
        deletion, modification = balancer.deletion_protection, balancer.modification_protection
        if "DeletionProtectionEnabled" in request.params:
            deletion = {
                "Enabled": request.flag("DeletionProtectionEnabled"),
                "Reason": request.text("DeletionProtectionReason"),
            }
        if status:
            modification = {"Status": status, "Reason": request.text("ModificationProtectionReason")}
        self.load_balancers.put(
            replace(balancer, deletion_protection=deletion, modification_protection=modification)
        )
        return {}

    @action("LoadBalancerJoinSecurityGroup")
    def join_security_group(self, request: Request) -> dict[str, object]:
        """Put a load balancer into security groups of its VPC; they are kept, and filter nothing on this machine."""
        balancer = self.load_balancer(request)
        joined = self.ecs.groups_in_vpc(request.texts("SecurityGroupIds"), balancer.vpc_id)
        ids = tuple(dict.fromkeys([*balancer.security_group_ids, *joined]))
        self.load_balancers.put(replace(balancer, security_group_ids=ids))
        return self.done()

    @action("LoadBalancerLeaveSecurityGroup")
    def leave_security_group(self, request: Request) -> dict[str, object]:
        """Take a load balancer out of security groups."""
        balancer, left = self.load_balancer(request), request.texts("SecurityGroupIds")
        ids = tuple(group_id for group_id in balancer.security_group_ids if group_id not in left)
        self.load_balancers.put(replace(balancer, security_group_ids=ids))
        return self.done()

    @action("DeleteLoadBalancer")
    def delete_load_balancer(self, request: Request) -> dict[str, object]:
        """Delete a load balancer with its listeners; its server groups stay."""
        balancer = self.load_balancer(request)
        if balancer.deletion_protection["Enabled"]:
            raise errors.delete_protected()
        for listener in self.listeners_of(balancer.id):
            self.listeners.delete(listener.id)
        self.load_balancers.delete(balancer.id)
        self.discard(balancer.id, balancer.addresses)
        return self.done()

    def _move(self, request: Request, balancer: LoadBalancer, zones: tuple[Zone, ...]) -> dict[str, object]:
        """Let a load balancer stand in other zones; the addresses that it leaves are given back."""
        host, old, new = self.ecs.host, set(balancer.addresses), set(addresses_of(zones))
        job = self.done()
        self.load_balancers.put(replace(balancer, zones=zones))
        try:
            self.apply(request, balancer.id)
        except ApiError:
            release(host, new - old)
            raise
        self.cloud.after_commit(lambda: release(host, old - new))
        return job


def read_name(request: Request, parameter: str, default: str) -> str:
    """Read a name: 2 to 128 characters, a letter first.

    Raises:
        ApiError: `InvalidParameter`.
    """
    name = request.text(parameter) or default
    if name and not _NAME.match(name):
        raise invalid_parameter(parameter, name, "of 2 to 128 letters, digits and . _ -, a letter first")
    return name


def _address_type(request: Request) -> str:
    address_type = request.text("AddressType")
    if address_type not in (INTERNET, INTRANET):
        raise invalid_parameter("AddressType", address_type, f"{INTERNET} or {INTRANET}")
    return address_type


def _nested(request: Request, name: str) -> dict[str, object]:
    value = request.params.get(name) or {}
    assert isinstance(value, Mapping)
    return {key: item for key, item in value.items() if item is not None}
