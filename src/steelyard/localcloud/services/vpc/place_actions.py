from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.region_actions import NestedRegionActions
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import errors
from steelyard.localcloud.services.vpc.egress_state import EgressState
from steelyard.localcloud.wire.error import invalid_parameter
from steelyard.spec.catalogue import REGIONS


class PlaceActions(NestedRegionActions, EgressState):
    """Where the product is, and which resource groups its resources are in."""

    @action("DescribeZones", optional=("RegionId",))
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones."""
        rows = [
            {"ZoneId": zone, "LocalName": zone, "ZoneType": "AvailabilityZone"}
            for zone in REGIONS[request.region_id]
        ]
        return {"Zones": {"Zone": rows}}

    @action("MoveResourceGroup", optional=("RegionId",))
    def move_resource_group(self, request: Request) -> dict[str, object]:
        """Put a VPC, with its VSwitches, or an EIP into another resource group."""
        resource_id, group_id = request.text("ResourceId"), request.text("NewResourceGroupId")
        kind = request.text("ResourceType").lower()
        if kind == "vpc":
            vpc = self.vpcs.get(resource_id)
            if vpc is None:
                raise errors.resource_not_found(resource_id)
            self.vpcs.put(replace(vpc, resource_group_id=group_id))
            for vswitch in self.vswitches_of(vpc.id):
                self.vswitches.put(replace(vswitch, resource_group_id=group_id))
        elif kind == "eip":
            eip = self.eips.get(resource_id)
            if eip is None:
                raise errors.resource_not_found(resource_id)
            self.eips.put(replace(eip, resource_group_id=group_id))
        else:
            raise invalid_parameter("ResourceType", request.text("ResourceType"), "vpc or eip")
        return {}
