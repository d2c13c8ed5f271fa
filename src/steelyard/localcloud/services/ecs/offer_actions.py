from __future__ import annotations

from collections.abc import Mapping

from steelyard.localcloud.page import token_page
from steelyard.localcloud.region_actions import region_row
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.image_state import ImageState
from steelyard.localcloud.services.ecs.type_row import is_wanted_type, type_row
from steelyard.spec.catalogue import INSTANCE_TYPES, REGIONS
from steelyard.spec.family import family_of

_IMAGE_FILTERS = {"instanceTypeId": "InstanceTypeId", "instanceTypeFamily": "InstanceTypeFamily"}
_CREATIONS = ("VSwitch", "IoOptimized", "Instance", "DedicatedHost", "Disk")
_SYSTEM_DISKS = ("cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_efficiency", "cloud_ssd")

_MAX_TYPES = 1600
"""Instance types on a page (help page of DescribeInstanceTypes)."""
_LAST_SERIES = 6


class OfferActions(ImageState):
    """What can be had where: every zone offers every type of the catalogue, until its stock is limited."""

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions."""
        rows = [
            {**region_row(region_id, self.cloud.endpoint), "Status": "available"} for region_id in REGIONS
        ]
        return {"Regions": {"Region": rows}}

    @action("DescribeZones")
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones with what they offer."""
        types = list(INSTANCE_TYPES)
        rows = [
            {
                "ZoneId": zone_id,
                "LocalName": zone_id,
                "ZoneType": "AvailabilityZone",
                "AvailableInstanceTypes": {"InstanceTypes": types},
                "AvailableDiskCategories": {"DiskCategories": list(check.DISK_CATEGORIES)},
                "AvailableResourceCreation": {"ResourceTypes": list(_CREATIONS)},
                "AvailableVolumeCategories": {"VolumeCategories": []},
                "AvailableDedicatedHostTypes": {"DedicatedHostType": []},
                "AvailableResources": {"ResourcesInfo": [_resources(types)]},
            }
            for zone_id in REGIONS[request.region_id]
        ]
        return {"Zones": {"Zone": rows}}

    @action("DescribeAvailableResource")
    def describe_available_resource(self, request: Request) -> dict[str, object]:
        """List what the zones offer of one sort: zones, instance types or disks."""
        destination = request.text("DestinationResource")
        values = self._offered(request, destination)
        zone_id = request.text("ZoneId")
        if zone_id and zone_id not in REGIONS[request.region_id]:
            raise errors.zone_not_found()
        wanted = request.text("InstanceType")
        limited = self._sold_out()
        rows = []
        for zone in REGIONS[request.region_id]:
            if zone_id not in ("", zone):
                continue
            is_sold_out = (wanted, zone) in limited if wanted else False
            sold_out = {name for name, where in limited if where == zone}
            supported = [
                _supported(value, is_sold_out or (destination == "InstanceType" and value in sold_out))
                for value in values
            ]
            rows.append(_zone_row(request.region_id, zone, destination, supported, is_sold_out))
        return {"AvailableZones": {"AvailableZone": rows}}

    @action("DescribeInstanceTypes")
    def describe_instance_types(self, request: Request) -> dict[str, object]:
        """List instance types by name, family, category, GPU, and bounds of cores, memory, GPUs and interfaces."""
        rows = [type_row(instance_type) for instance_type in INSTANCE_TYPES.values()]
        found = [row for row in rows if is_wanted_type(request, row)]
        page, token = token_page(request, found, default=_MAX_TYPES, most=_MAX_TYPES)
        return {"InstanceTypes": {"InstanceType": list(page)}, "NextToken": token}

    @action("DescribeInstanceTypeFamilies", optional=("RegionId",))
    def describe_instance_type_families(self, request: Request) -> dict[str, object]:
        """List the families of the instance types."""
        families = sorted({family_of(name) for name in INSTANCE_TYPES})
        rows = [
            {"InstanceTypeFamilyId": family, "Generation": generation}
            for family in families
            for generation in (_generation(family),)
            if request.text("Generation") in ("", generation)
        ]
        return {"InstanceTypeFamilies": {"InstanceTypeFamily": rows}}

    @action("DescribeImageSupportInstanceTypes", optional=("RegionId",))
    def describe_image_support_instance_types(self, request: Request) -> dict[str, object]:
        """List the instance types that can boot an image: all."""
        image = self.read_image(request)
        rows = []
        for instance_type in INSTANCE_TYPES.values():
            row = type_row(instance_type)
            known = {name: str(row[key]) for name, key in _IMAGE_FILTERS.items()}
            if all(_has(known, one) for one in request.records("Filter")):
                rows.append(row)
        return {
            "ImageId": image.image_id,
            "RegionId": request.region_id,
            "InstanceTypes": {"InstanceType": rows},
        }

    def _sold_out(self) -> set[tuple[str, str]]:
        """Give the pairs of type and zone of which nothing is left."""
        instances = self.instances.list()
        return {pair for pair in self.stock.limits() if self.stock.left(*pair, instances) == 0}

    def _offered(self, request: Request, destination: str) -> list[str]:
        wanted = request.text("InstanceType")
        if wanted and wanted not in INSTANCE_TYPES:
            return []
        if destination == "InstanceType":
            cores, memory_gib = request.number("Cores", 0), request.params.get("Memory")
            return [
                one.name
                for one in INSTANCE_TYPES.values()
                if wanted in ("", one.name)
                and cores in (0, one.vcpus)
                and memory_gib in (None, one.memory_gib)
            ]
        if destination in ("SystemDisk", "DataDisk"):
            return list(_SYSTEM_DISKS if destination == "SystemDisk" else check.DISK_CATEGORIES)
        if destination == "Zone":
            return list(REGIONS[request.region_id])
        if destination == "Network":
            return ["vpc"]
        if destination == "IoOptimized":
            return ["optimized"]
        raise errors.value_not_supported("DestinationResource", destination)


def _generation(family: str) -> str:
    """Name a family's series, e.g. `ecs-5` of `ecs.g6`, one less than its number; those above the sixth have no name.

    Source: parameter description of `Generation` of DescribeInstanceTypeFamilies.
    """
    number = next((int(letter) for letter in family if letter.isdigit()), 1)
    return f"ecs-{min(max(number - 1, 1), _LAST_SERIES)}"


def _has(known: Mapping[str, str], wanted: Mapping[str, object]) -> bool:
    """Tell whether a type is what a filter asks for, whose keys are from memory; others ask for nothing."""
    key, value = str(wanted.get("Key") or ""), str(wanted.get("Value") or "")
    return known.get(key, value) == value


def _supported(value: str, is_sold_out: bool) -> dict[str, object]:
    return {"Value": value, **_status(is_sold_out)}


def _status(is_sold_out: bool) -> dict[str, object]:
    return {
        "Status": "SoldOut" if is_sold_out else "Available",
        "StatusCategory": "WithoutStock" if is_sold_out else "WithStock",
    }


def _zone_row(
    region_id: str, zone: str, destination: str, supported: list[dict[str, object]], is_sold_out: bool
) -> dict[str, object]:
    resource = {"Type": destination, "SupportedResources": {"SupportedResource": supported}}
    return {
        "ZoneId": zone,
        "RegionId": region_id,
        **_status(is_sold_out or not supported),
        "AvailableResources": {"AvailableResource": [resource] if supported else []},
    }


def _resources(types: list[str]) -> dict[str, object]:
    return {
        "IoOptimized": True,
        "NetworkTypes": {"supportedNetworkCategory": ["vpc"]},
        "InstanceTypes": {"supportedInstanceType": types},
        "InstanceTypeFamilies": {
            "supportedInstanceTypeFamily": list(dict.fromkeys(family_of(name) for name in types))
        },
        "InstanceGenerations": {"supportedInstanceGeneration": []},
        "SystemDiskCategories": {"supportedSystemDiskCategory": list(_SYSTEM_DISKS)},
        "DataDiskCategories": {"supportedDataDiskCategory": list(check.DISK_CATEGORIES)},
    }
