from __future__ import annotations

from abc import abstractmethod
from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.tag import list_tags, set_tags, tag_entries, unset_tags
from steelyard.localcloud.wire.error import ApiError


class TagActions(Service):
    """The tag actions of ECS and SLB, which have the same parameters, answers and codes."""

    @abstractmethod
    def tagged_records(self, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type, in lower case; None where it has no tags here."""

    def tagged_records_in(self, region_id: str, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type whose ids each region has for itself, or of any other."""
        return self.tagged_records(resource_type)

    @abstractmethod
    def unknown_resource_type(self, resource_type: str) -> ApiError:
        """Tell that tags are not kept for a resource type, in the product's own words."""

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on resources of one type."""
        set_tags(request, self._tagged(request), ids_name="ResourceId", not_found=_not_found)
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        records = self._tagged(request)
        unset_tags(request, records, ids_name="ResourceId", keys_name="TagKey", not_found=_not_found)
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(request, self._tagged(request), ids_name="ResourceId")
        entries = tag_entries(page, request.text("ResourceType").lower())
        return {"TagResources": {"TagResource": entries}, "NextToken": token}

    def _tagged(self, request: Request) -> Records[Any]:
        resource_type = request.text("ResourceType")
        records = self.tagged_records_in(request.region_id, resource_type.lower())
        if records is None:
            raise self.unknown_resource_type(resource_type)
        return records


def _not_found(resource_id: str) -> ApiError:
    return ApiError(
        "InvalidResourceId.NotFound", f"The specified ResourceIds are not found: {resource_id!r}.", 404
    )
