from __future__ import annotations

import re
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.alb.state import AlbState
from steelyard.localcloud.services.zonal.load_balancer_actions import nested, read_address_type
from steelyard.localcloud.services.zonal.models import ACTIVE, INTERNET
from steelyard.localcloud.services.zonal.shift_actions import ZonalShiftActions
from steelyard.localcloud.services.zonal.zone import claim_zones
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import ApiError, invalid_parameter, not_served

_EDITIONS = ("Basic", "Standard", "StandardWithWaf")
_MODES = ("Fixed", "Dynamic")
_PROTECTIONS = ("NonProtection", "ConsoleProtection")


class LoadBalancerActions(ZonalShiftActions[LoadBalancer, ServerGroup, Listener], AlbState):
    """Load balancers. They are `Provisioning` for a moment, and `Configuring` for one after each change."""

    address_name = "IntranetAddress"
    name_pattern = re.compile(r"[A-Za-z0-9\u4e00-\u9fa5][\w. \u4e00-\u9fa5-]{1,127}\Z")
    name_rule = "of 2 to 128 letters, digits, blanks and . _ -, a letter or digit first"

    @action("CreateLoadBalancer")
    def create_load_balancer(self, request: Request) -> dict[str, object]:
        """Create a load balancer with an address in each of its zones."""
        address_type = read_address_type(request)
        _check_unserved(request)
        vpc = self.read_vpc(request)
        places = self.read_places(request, vpc.id)
        wanted_groups = [str(item.get("SecurityGroupId")) for item in request.records("SecurityGroupIds")]
        draft = LoadBalancer(
            id=self.cloud.new_id("alb"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=self.read_name(request, "LoadBalancerName", ""),
            address_type=address_type,
            vpc_id=vpc.id,
            zones=(),
            status=ACTIVE,
            edition=_one_of(request, "LoadBalancerEdition", _EDITIONS, ""),
            address_allocated_mode=_one_of(request, "AddressAllocatedMode", _MODES, "Fixed"),
            deletion_protection=self._protection(request.flag("DeletionProtectionEnabled")),
            modification_protection={"Status": "NonProtection", "Reason": ""}
            | _modification_protection(request),
            security_group_ids=self.read_groups(wanted_groups, vpc.id),
            resource_group_id=request.text("ResourceGroupId"),
        )
        request.stop_if_dry_run()
        zones = claim_zones(self.ecs, places, is_public=address_type == INTERNET)
        balancer = replace(draft, zones=zones, name=draft.name or draft.id)
        self.load_balancers.put(self.settling(balancer, "Provisioning"))
        return {"LoadBalancerId": balancer.id}

    @action("UpdateLoadBalancerAttribute")
    def update_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Change a load balancer's name and its protection from changes in the console, which is not here."""
        balancer = self.settled_load_balancer(request)
        protection = {**balancer.modification_protection, **_modification_protection(request)}
        name = self.read_name(request, "LoadBalancerName", balancer.name)
        return self.put_balancer(request, replace(balancer, name=name, modification_protection=protection))

    @action("UpdateLoadBalancerEdition")
    def update_load_balancer_edition(self, request: Request) -> dict[str, object]:
        """Let a load balancer be of a higher edition; all of them serve the same here."""
        balancer = self.settled_load_balancer(request)
        edition = _one_of(request, "LoadBalancerEdition", _EDITIONS, "")
        if _EDITIONS.index(edition) < _EDITIONS.index(balancer.edition):
            raise invalid_parameter("LoadBalancerEdition", edition, f"the same or above {balancer.edition}")
        self.put_balancer(request, replace(balancer, edition=edition))
        return {}

    @action("EnableDeletionProtection")
    def enable_deletion_protection(self, request: Request) -> dict[str, object]:
        """Protect a load balancer from being deleted."""
        return self._protect(request, is_on=True)

    @action("DisableDeletionProtection")
    def disable_deletion_protection(self, request: Request) -> dict[str, object]:
        """Let a load balancer be deleted."""
        return self._protect(request, is_on=False)

    def check_shift(self, balancer: LoadBalancer) -> None:
        """Check that a load balancer's addresses are static ones: others have no zone to take out of their name.

        Raises:
            ApiError: `InvalidParameter`.
        """
        if balancer.address_allocated_mode != "Fixed":
            raise invalid_parameter("LoadBalancerId", balancer.id, "of the AddressAllocatedMode Fixed")

    def drop_listener(self, listener: Listener) -> None:
        """Delete a listener's record and those of its rules."""
        for rule in self.rules_of(listener.id):
            self.rules.delete(rule.id)
        super().drop_listener(listener)

    def _protect(self, request: Request, *, is_on: bool) -> dict[str, object]:
        balancer = self.load_balancers.get(request.text("ResourceId"))
        if balancer is None:
            raise self.not_found("loadBalancer")
        balancer = self.settled(balancer, "LoadBalancer")
        self.put_balancer(request, replace(balancer, deletion_protection=self._protection(is_on)))
        return {}

    def _protection(self, is_on: bool) -> dict[str, object]:
        since = {"EnabledTime": utc_text(self.cloud.clock())} if is_on else {}
        return {"Enabled": is_on, **since}


def _check_unserved(request: Request) -> None:
    """Refuse what the local cloud does not serve.

    Raises:
        ApiError: `UnsupportedOperation`, or `InvalidParameter` for another way of paying.
    """
    billing = nested(request, "LoadBalancerBillingConfig")
    if billing.get("PayType") != "PostPay":
        raise invalid_parameter("LoadBalancerBillingConfig.PayType", billing.get("PayType"), "PostPay")
    if billing.get("BandwidthPackageId"):
        raise not_served("bandwidth packages")
    if request.text("AddressIpVersion", "IPv4").lower() != "ipv4":
        raise not_served("IPv6 load balancers")


def _modification_protection(request: Request) -> dict[str, object]:
    protection = nested(request, "ModificationProtectionConfig")
    status = protection.get("Status", "NonProtection")
    if status not in _PROTECTIONS:
        raise invalid_parameter("ModificationProtectionConfig.Status", status, " or ".join(_PROTECTIONS))
    return protection


def _one_of(request: Request, name: str, choices: tuple[str, ...], default: str) -> str:
    value = request.text(name, default)
    if value not in choices:
        raise _not_one_of(name, value, choices)
    return value


def _not_one_of(name: str, value: str, choices: tuple[str, ...]) -> ApiError:
    return invalid_parameter(name, value, f"one of {', '.join(choices)}")
