from __future__ import annotations

from steelyard.localcloud.service import Request, Service, action
from steelyard.spec.catalogue import REGIONS


class RegionActions(Service):
    """Where a product is, as the products with a plain list of regions answer."""

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions, all of which this cloud's endpoint serves."""
        return {
            "Regions": [
                {"RegionId": region, "LocalName": region, "RegionEndpoint": self.cloud.endpoint}
                for region in REGIONS
            ]
        }
