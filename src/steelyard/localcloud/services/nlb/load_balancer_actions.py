from __future__ import annotations

import re
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.state import NlbState
from steelyard.localcloud.services.zonal.load_balancer_actions import nested, read_address_type
from steelyard.localcloud.services.zonal.models import ACTIVE, INTERNET
from steelyard.localcloud.services.zonal.shift_actions import ZonalShiftActions
from steelyard.localcloud.services.zonal.zone import claim_zones
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served


class LoadBalancerActions(ZonalShiftActions[LoadBalancer, ServerGroup, Listener], NlbState):
    """Load balancers. They are active when their call is answered."""

    address_name = "PrivateIPv4Address"
    name_pattern = re.compile(r"[A-Za-z\u4e00-\u9fa5][\w.\u4e00-\u9fa5-]{1,127}\Z")
    name_rule = "of 2 to 128 letters, digits and . _ -, a letter first"

    @action("CreateLoadBalancer")
    def create_load_balancer(self, request: Request) -> dict[str, object]:
        """Create a load balancer with an address in each of its zones."""
        address_type = read_address_type(request)
        if request.text("AddressIpVersion", "ipv4").lower() != "ipv4":
            raise not_served("IPv6 load balancers")
        if request.text("BandwidthPackageId"):
            raise not_served("bandwidth packages")
        vpc = self.read_vpc(request)
        places = self.read_places(request, vpc.id)
        draft = LoadBalancer(
            id=self.cloud.new_id("nlb"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=self.read_name(request, "LoadBalancerName", ""),
            address_type=address_type,
            vpc_id=vpc.id,
            zones=(),
            status=ACTIVE,
            is_cross_zone=True,
            address_ip_version=request.text("AddressIpVersion", "Ipv4"),
            deletion_protection={"Enabled": False, "Reason": ""}
            | nested(request, "DeletionProtectionConfig"),
            modification_protection={"Status": "NonProtection", "Reason": ""}
            | nested(request, "ModificationProtectionConfig"),
            security_group_ids=(),
            resource_group_id=request.text("ResourceGroupId"),
        )
        request.stop_if_dry_run()
        zones = claim_zones(self.ecs, places, is_public=address_type == INTERNET)
        balancer = replace(draft, zones=zones, name=draft.name or draft.id)
        self.load_balancers.put(balancer)
        # The API's own spelling.
        return {"LoadbalancerId": balancer.id, "OrderId": 0}

    @action("UpdateLoadBalancerAttribute")
    def update_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Change a load balancer's name, and whether it serves across zones, which here it always does."""
        balancer = self.load_balancer(request)
        if request.number("Cps", 0):
            raise not_served("limits of new connections")
        if not request.flag("CrossZoneEnabled", True):
            raise not_served("load balancers that keep to a zone")
        name = self.read_name(request, "LoadBalancerName", balancer.name)
        return self.put_balancer(request, replace(balancer, name=name))

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
