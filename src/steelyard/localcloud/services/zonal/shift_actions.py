from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.load_balancer_actions import ZonalBalancerActions
from steelyard.localcloud.services.zonal.models import ACTIVE, SHIFTED, Zone, zone_status
from steelyard.localcloud.services.zonal.state import B, G, L
from steelyard.localcloud.wire.error import invalid_parameter


class ZonalShiftActions(ZonalBalancerActions[B, G, L]):
    """Zones that are taken out of the name of their load balancer, and put back.

    The address of such a zone serves on, as on the cloud, where clients that know it go on calling it.
    """

    @action("StartShiftLoadBalancerZones")
    def start_shift(self, request: Request) -> dict[str, object]:
        """Take a zone out of a load balancer's name; one zone has to stay in it."""
        balancer = self.settled_load_balancer(request)
        self.check_shift(balancer)
        zone = _named_zone(request, balancer)
        if zone_status(zone) != ACTIVE:
            raise errors.incorrect_status("ZoneMapping", zone_status(zone))
        if sum(zone_status(one) == ACTIVE for one in balancer.zones) == 1:
            raise errors.last_zone(zone["ZoneId"])
        return self._replace_zone(request, balancer, {**zone, "Status": SHIFTED})

    @action("CancelShiftLoadBalancerZones")
    def cancel_shift(self, request: Request) -> dict[str, object]:
        """Put a zone back into a load balancer's name."""
        balancer = self.settled_load_balancer(request)
        self.check_shift(balancer)
        zone = _named_zone(request, balancer)
        if zone_status(zone) != SHIFTED:
            raise errors.incorrect_status("ZoneMapping", zone_status(zone))
        return self._replace_zone(request, balancer, {k: v for k, v in zone.items() if k != "Status"})

    def check_shift(self, balancer: B) -> None:
        """Check that the zones of a load balancer may be shifted at all: they may, unless a product says otherwise.

        Raises:
            ApiError: They may not.
        """

    def _replace_zone(self, request: Request, balancer: B, changed: Zone) -> dict[str, object]:
        zones = tuple(changed if one["ZoneId"] == changed["ZoneId"] else one for one in balancer.zones)
        return self.put_balancer(request, replace(balancer, zones=zones))


def _named_zone(request: Request, balancer: B) -> Zone:
    """Give the zone of a load balancer that a call names.

    Raises:
        ApiError: `InvalidParameter` for more than one zone, and for one that it does not stand in.
    """
    mappings = request.records("ZoneMappings")
    if len(mappings) != 1:
        raise invalid_parameter("ZoneMappings", f"{len(mappings)} zones", "one zone a call")
    wanted = mappings[0].get("ZoneId"), mappings[0].get("VSwitchId")
    for zone in balancer.zones:
        if (zone["ZoneId"], zone["VSwitchId"]) == wanted:
            return zone
    raise invalid_parameter("ZoneMappings", wanted, f"a zone of {balancer.id} with its VSwitch")
