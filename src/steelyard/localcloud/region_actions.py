from __future__ import annotations

from steelyard.localcloud.service import Request, Service, action
from steelyard.spec.catalogue import REGIONS


def region_row(region_id: str, endpoint: str) -> dict[str, object]:
    """Give what is told of a region; its endpoint is the cloud's, which serves all of them."""
    return {"RegionId": region_id, "LocalName": region_id, "RegionEndpoint": endpoint}


class RegionActions(Service):
    """Where a product is, as the products with a plain list of regions answer."""

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions."""
        return {"Regions": [region_row(region, self.cloud.endpoint) for region in REGIONS]}


class NestedRegionActions(Service):
    """Where a product is, as the products answer whose lists are within an object."""

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions."""
        return {"Regions": {"Region": [region_row(region, self.cloud.endpoint) for region in REGIONS]}}
