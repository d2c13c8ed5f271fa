from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from steelyard.localcloud.record import Records
from steelyard.localcloud.region_actions import RegionActions
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.zonal.models import ServerGroup
from steelyard.localcloud.services.zonal.state import B, G, L, ZonalState
from steelyard.localcloud.tag import list_tags, set_tags, tag_entries, unset_tags
from steelyard.localcloud.wire.error import ApiError, invalid_parameter
from steelyard.spec.catalogue import REGIONS


class ZonalDirectoryActions(RegionActions, ZonalState[B, G, L]):
    """Where the product is, and the tags and resource groups of its resources.

    Attributes:
        grouped_types: The product's words for the types of what a resource group may hold.
    """

    grouped_types: ClassVar[tuple[str, ...]]

    @abstractmethod
    def tagged_records(self) -> Mapping[str, Records[Any]]:
        """Give what may be tagged, by the product's word for its type."""

    @action("DescribeZones")
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones."""
        return {"Zones": [{"ZoneId": zone, "LocalName": zone} for zone in REGIONS[request.region_id]]}

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on resources of one type."""
        set_tags(request, self.tagged(request), ids_name="ResourceId", not_found=self._not_found)
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(request, self.tagged(request), ids_name="ResourceId")
        entries = tag_entries(page, request.text("ResourceType").lower())
        return {
            "TagResources": entries,
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 50),
            "TotalCount": len(entries),
        }

    @action("MoveResourceGroup")
    def move_resource_group(self, request: Request) -> dict[str, object]:
        """Put a resource into another resource group, whichever: the local cloud keeps no list of them."""
        kind, resource_id = request.text("ResourceType").lower(), request.text("ResourceId")
        if kind not in self.grouped_types:
            raise invalid_parameter("ResourceType", kind, f"one of {', '.join(self.grouped_types)}")
        records = self.tagged_records()[kind]
        record = records.get(resource_id)
        if record is None:
            raise self._not_found(resource_id)
        records.put(_moved(record, request.text("NewResourceGroupId")))
        return {"Data": {"ResourceId": resource_id}, "Success": True, "HttpStatusCode": 200}

    def untag(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all; the products spell the action differently."""
        unset_tags(
            request,
            self.tagged(request),
            ids_name="ResourceId",
            keys_name="TagKey",
            not_found=self._not_found,
        )
        return {}

    def tagged(self, request: Request) -> Records[Any]:
        """Give the records of the type that a call names.

        Raises:
            ApiError: `InvalidParameter`.
        """
        kinds, kind = self.tagged_records(), request.text("ResourceType")
        if kind.lower() not in kinds:
            raise invalid_parameter("ResourceType", kind, f"one of {', '.join(kinds)}")
        return kinds[kind.lower()]

    def _not_found(self, resource_id: str) -> ApiError:
        return self.not_found(f"resource {resource_id}")


def _moved(record: Any, group_id: str) -> Any:
    if isinstance(record, ServerGroup):
        return replace(record, settings={**record.settings, "ResourceGroupId": group_id})
    return replace(record, resource_group_id=group_id)
