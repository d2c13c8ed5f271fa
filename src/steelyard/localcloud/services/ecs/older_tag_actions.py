from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, errors
from steelyard.localcloud.tag import has_tags, merged_tags, read_tags
from steelyard.localcloud.tag_actions import TagActions
from steelyard.localcloud.wire.error import missing_parameter

# What the answer calls the number of tagged resources of each type.
_COUNTED = {
    "instance": "Instance",
    "disk": "Disk",
    "image": "Image",
    "snapshot": "Snapshot",
    "securitygroup": "Securitygroup",
    "eni": "Eni",
    "keypair": "KeyPair",
    "launchtemplate": "LaunchTemplate",
}


class OlderTagActions(TagActions):
    """Tags by the actions that older clients call."""

    @action("AddTags", optional=("RegionId",))
    def add_tags(self, request: Request) -> dict[str, object]:
        """Set tags on one resource."""
        tags = read_tags(request)
        if not tags:
            raise missing_parameter("Tag.1.Key")
        self._retag(request, tags, removed=())
        return {}

    @action("RemoveTags", optional=("RegionId",))
    def remove_tags(self, request: Request) -> dict[str, object]:
        """Remove tags from one resource: those that the call names, by their keys, or all."""
        keys = [str(tag.get("Key") or "") for tag in request.records("Tag")]
        self._retag(request, {}, removed=keys or None)
        return {}

    @action("DescribeTags", optional=("RegionId",))
    def describe_tags(self, request: Request) -> dict[str, object]:
        """List tags by resource type, resource and tag, with how many resources of each type have each."""
        wanted, kind, resource_id = (
            read_tags(request),
            request.text("ResourceType"),
            request.text("ResourceId"),
        )
        if kind and kind.lower() not in _COUNTED:
            raise errors.unknown_resource_type(kind)
        counts: dict[tuple[str, str], Counter[str]] = {}
        for name in _COUNTED if not kind else (kind.lower(),):
            records = self.tagged_records_in(request.region_id, name)
            for record in records.list() if records is not None else []:
                if record.region_id != request.region_id or resource_id not in ("", record.id):
                    continue
                for key, value in record.tags.items() if has_tags(record.tags, wanted) else ():
                    if not wanted or key in wanted:
                        counts.setdefault((key, value), Counter())[_COUNTED[name]] += 1
        rows = [
            {"TagKey": key, "TagValue": value, "ResourceTypeCount": dict(numbers)}
            for (key, value), numbers in sorted(counts.items())
        ]
        page, head = number_page(request, rows, max_size=100)
        return {**head, "Tags": {"Tag": list(page)}}

    def _retag(self, request: Request, added: dict[str, str], removed: Collection[str] | None) -> None:
        """Change one resource's tags.

        Args:
            request: The call, which names the resource.
            added: Tags to set.
            removed: Keys to remove; all where it is None.
        """
        kind, resource_id = request.text("ResourceType"), request.text("ResourceId")
        records = self.tagged_records_in(request.region_id, kind.lower())
        if records is None:
            raise errors.unknown_resource_type(kind)
        record = records.get(resource_id)
        if record is None:
            raise change_errors.resource_not_found(resource_id)
        kept = {
            key: value for key, value in record.tags.items() if removed is not None and key not in removed
        }
        records.put(replace(record, tags=merged_tags(kept, added)))
