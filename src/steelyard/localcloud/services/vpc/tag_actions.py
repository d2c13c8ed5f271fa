from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import errors
from steelyard.localcloud.services.vpc.route_state import RouteState
from steelyard.localcloud.tag import list_tags, set_tags, tag_entries, unset_tags


class TagActions(RouteState):
    """Tags of the product's resources."""

    @action("TagResources", optional=("RegionId",))
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on VPCs, VSwitches, route tables, NAT gateways or EIPs."""
        records = self._tagged_records(request)
        if records is self.route_tables:
            self._keep_system_tables(request.texts("ResourceId"))
        set_tags(request, records, ids_name="ResourceId", not_found=errors.resource_not_found)
        return {}

    @action("UnTagResources", optional=("RegionId",))
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        records = self._tagged_records(request)
        unset_tags(
            request, records, ids_name="ResourceId", keys_name="TagKey", not_found=errors.resource_not_found
        )
        return {}

    @action("ListTagResources", optional=("RegionId",))
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(request, self._tagged_records(request), ids_name="ResourceId", most=50)
        entries = tag_entries(page, request.text("ResourceType").upper())
        return {"TagResources": {"TagResource": entries}, "NextToken": token}

    def _tagged_records(self, request: Request) -> Records[Any]:
        resource_type = request.text("ResourceType")
        kinds: dict[str, Records[Any]] = {
            "VPC": self.vpcs,
            "VSWITCH": self.vswitches,
            "ROUTETABLE": self.route_tables,
            "NATGATEWAY": self.nat_gateways,
            "EIP": self.eips,
        }
        if resource_type.upper() in kinds:
            return kinds[resource_type.upper()]
        raise errors.unknown_resource_type(resource_type)

    def _keep_system_tables(self, table_ids: Sequence[str]) -> None:
        """Keep the routers' own tables that a call names, which are kept from their first change on."""
        for table_id in table_ids:
            table = self.find_route_table(table_id)
            if table is not None:
                self.route_tables.put(table)
