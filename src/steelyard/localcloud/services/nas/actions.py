from __future__ import annotations

from typing import Any

from steelyard.localcloud.page import number_page
from steelyard.localcloud.record import Records
from steelyard.localcloud.region_actions import region_row
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nas import check
from steelyard.localcloud.services.nas.access_actions import AccessActions
from steelyard.localcloud.services.nas.file_system_actions import MAX_PAGE, FileSystemActions
from steelyard.localcloud.services.nas.mount import Mounting
from steelyard.localcloud.services.nas.mount_target_actions import MountTargetActions
from steelyard.localcloud.tag_actions import TagActions
from steelyard.localcloud.wire.error import ApiError
from steelyard.spec.catalogue import REGIONS


class NasService(FileSystemActions, MountTargetActions, AccessActions, Mounting, TagActions):
    """File systems, their mount targets, who may mount them, where there are such, and tags."""

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions, all of which this cloud's endpoint serves."""
        check.read_file_system_type(request, default="all")
        page, head = number_page(request, list(REGIONS), MAX_PAGE)
        rows = [region_row(region, self.cloud.endpoint) for region in page]
        return {**head, "Regions": {"Region": rows}}

    @action("DescribeZones")
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List a region's zones, each of which has every kind of file system that there is here."""
        kind = check.read_file_system_type(request)
        protocols = check.PROTOCOLS[kind]
        pairs = [
            {"StorageType": storage_type, "ProtocolType": protocol.lower()}
            for storage_type in check.STORAGE_TYPES[kind]
            for protocol in protocols
        ]
        speaks = {"Protocol": [protocol.lower() for protocol in protocols] if kind == "standard" else []}
        zones = [
            {
                "ZoneId": zone_id,
                "Performance": speaks,
                "Capacity": speaks,
                "InstanceTypes": {"InstanceType": pairs},
            }
            for zone_id in REGIONS[request.region_id]
        ]
        return {"Zones": {"Zone": zones}}

    def tagged_records(self, resource_type: str) -> Records[Any] | None:
        """Give the records of a resource type that has tags here."""
        return self.file_systems if resource_type == "filesystem" else None

    def unknown_resource_type(self, resource_type: str) -> ApiError:
        """Tell that tags are not kept for a resource type."""
        return ApiError(
            "InvalidResourceType.NotFound",
            f"The ResourceType provided does not exist: {resource_type!r}.",
            404,
        )
