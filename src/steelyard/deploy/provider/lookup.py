"""The functions (data sources) of the provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import ECS, STS, VPC, Api, pages
from steelyard.deploy.provider.resource_type import shown
from steelyard.errors import ResourceError

Row = Mapping[str, Any]


def get_zones(api: Api, args: Values) -> Values:
    """`getZones`: DescribeZones, narrowed down to what the zones offer."""
    answer = api.call(ECS, "DescribeZones", {"Verbose": True})
    offers = {
        "availableInstanceType": ("AvailableInstanceTypes", "InstanceTypes"),
        "availableResourceCreation": ("AvailableResourceCreation", "ResourceTypes"),
        "availableDiskCategory": ("AvailableDiskCategories", "DiskCategories"),
    }

    def offers_all(zone: Row) -> bool:
        wanted = ((args[name], *keys) for name, keys in offers.items() if args.get(name))
        return all(value in ((zone.get(outer) or {}).get(inner) or []) for value, outer, inner in wanted)

    zones = sorted((zone for zone in answer["Zones"]["Zone"] if offers_all(zone)), key=lambda z: z["ZoneId"])
    return {
        **args,
        "id": ",".join(zone["ZoneId"] for zone in zones),
        "ids": [zone["ZoneId"] for zone in zones],
        "zones": [_zone(zone) for zone in zones],
    }


def get_regions(api: Api, args: Values) -> Values:
    """`getRegions`: DescribeRegions."""
    rows = api.call(ECS, "DescribeRegions", {})["Regions"]["Region"]
    name = args.get("name") or (api.region_id if args.get("current") else None)
    regions = [row for row in rows if name in (None, row["RegionId"])]
    if name and not regions:
        raise ResourceError(
            f"there is no region {name!r}", f"use one of {', '.join(r['RegionId'] for r in rows)}"
        )
    ids = [row["RegionId"] for row in regions]
    return {
        **args,
        "id": ",".join(ids),
        "ids": ids,
        "regions": [
            {"id": row["RegionId"], "regionId": row["RegionId"], "localName": row.get("LocalName") or ""}
            for row in regions
        ],
    }


def get_caller_identity(api: Api, args: Values) -> Values:
    """`getCallerIdentity`: STS GetCallerIdentity."""
    answer = api.call(STS, "GetCallerIdentity", {})
    return {
        "id": answer["AccountId"],
        **shown(answer, {"accountId": "AccountId", "arn": "Arn", "identityType": "IdentityType"}),
    }


def get_images(api: Api, args: Values) -> Values:
    """`getImages`: DescribeImages, narrowed down by name and newest first where that is asked for."""
    names = {
        "owners": "ImageOwnerAlias",
        "imageFamily": "ImageFamily",
        "architecture": "Architecture",
        "instanceType": "InstanceType",
        "imageId": "ImageId",
        "imageName": "ImageName",
        "osType": "OSType",
        "status": "Status",
    }
    params = {wire_name: args[name] for name, wire_name in names.items() if args.get(name)}
    found: list[Row] = [
        row for page in pages(api, ECS, "DescribeImages", params) for row in page["Images"]["Image"]
    ]
    pattern = args.get("nameRegex")
    rows = [row for row in found if not pattern or re.search(pattern, row.get("ImageName") or row["ImageId"])]
    if args.get("mostRecent"):
        rows = sorted(rows, key=lambda row: str(row.get("CreationTime") or ""), reverse=True)[:1]
    ids = [row["ImageId"] for row in rows]
    return {**args, "id": ",".join(ids), "ids": ids, "images": [_image(row) for row in rows]}


def get_instance_types(api: Api, args: Values) -> Values:
    """`getInstanceTypes`: DescribeInstanceTypes, and DescribeAvailableResource for where they are in stock.

    A type that no zone has in stock is left out, as the vendor's provider leaves it out.
    """
    family, name = args.get("instanceTypeFamily"), args.get("instanceType")
    params = {
        "InstanceTypeFamilies": [family] if family else None,
        "InstanceTypes": [name] if name else None,
    }
    rows = api.call(ECS, "DescribeInstanceTypes", params)["InstanceTypes"]["InstanceType"]
    stock = _stock(api, args)
    wanted = {"CpuCoreCount": "cpuCoreCount", "GPUAmount": "gpuAmount", "GPUSpec": "gpuSpec"}

    def fits(row: Row) -> bool:
        same = all(not args.get(arg) or row.get(key) == args[arg] for key, arg in wanted.items())
        memory = args.get("memorySize")
        return same and (not memory or float(row.get("MemorySize") or 0) == float(memory))

    zone = args.get("availabilityZone")
    found = [_instance_type(row, stock.get(row["InstanceTypeId"], [])) for row in rows if fits(row)]
    types = [one for one in found if one["availabilityZones"] and zone in (None, *one["availabilityZones"])]
    ids = [one["id"] for one in types]
    return {**args, "id": ",".join(ids), "ids": ids, "instanceTypes": types}


def get_switches(api: Api, args: Values) -> Values:
    """`getSwitches`: DescribeVSwitches, narrowed down by ids, name, range and status."""
    names = {
        "isDefault": "IsDefault",
        "resourceGroupId": "ResourceGroupId",
        "routeTableId": "RouteTableId",
        "vpcId": "VpcId",
        "vswitchName": "VSwitchName",
        "vswitchOwnerId": "VSwitchOwnerId",
        "zoneId": "ZoneId",
    }
    params = {wire_name: args[name] for name, wire_name in names.items() if args.get(name)}
    tags = args.get("tags") or {}
    params["Tag"] = [{"Key": key, "Value": value} for key, value in tags.items()] or None
    found: list[Row] = [
        row for page in pages(api, VPC, "DescribeVSwitches", params) for row in page["VSwitches"]["VSwitch"]
    ]
    pattern, ids = args.get("nameRegex"), args.get("ids")

    def fits(row: Row) -> bool:
        is_named = not pattern or re.search(pattern, row.get("VSwitchName") or "")
        same = {"cidrBlock": row.get("CidrBlock"), "status": row.get("Status")}
        return bool(
            is_named
            and (not ids or row["VSwitchId"] in ids)
            and all(args.get(name) in (None, "", value) for name, value in same.items())
        )

    rows = [row for row in found if fits(row)]
    return {
        **args,
        "id": ",".join(row["VSwitchId"] for row in rows),
        "ids": [row["VSwitchId"] for row in rows],
        "names": [row.get("VSwitchName") or "" for row in rows],
        "vswitches": [_switch(row) for row in rows],
    }


def _stock(api: Api, args: Values) -> dict[str, list[str]]:
    """Return the zones that have each instance type in stock."""
    params = {
        "DestinationResource": "InstanceType",
        "IoOptimized": "optimized",
        "InstanceChargeType": args.get("instanceChargeType"),
        "SpotStrategy": args.get("spotStrategy"),
        "SystemDiskCategory": args.get("systemDiskCategory"),
    }
    answer = api.call(ECS, "DescribeAvailableResource", params)
    stock: dict[str, list[str]] = {}
    for zone in (answer.get("AvailableZones") or {}).get("AvailableZone") or []:
        for resource in (zone.get("AvailableResources") or {}).get("AvailableResource") or []:
            for row in (resource.get("SupportedResources") or {}).get("SupportedResource") or []:
                if row.get("Status") != "SoldOut":
                    stock.setdefault(row["Value"], []).append(zone["ZoneId"])
    return {name: sorted(zones) for name, zones in stock.items()}


FUNCTIONS: Mapping[str, Callable[[Api, Values], Values]] = {
    "alicloud:index/getZones:getZones": get_zones,
    "alicloud:index/getRegions:getRegions": get_regions,
    "alicloud:index/getCallerIdentity:getCallerIdentity": get_caller_identity,
    "alicloud:ecs/getImages:getImages": get_images,
    "alicloud:ecs/getInstanceTypes:getInstanceTypes": get_instance_types,
    "alicloud:vpc/getSwitches:getSwitches": get_switches,
}


def _zone(row: Row) -> dict[str, Any]:
    def inner(outer: str, name: str) -> list[str]:
        return list((row.get(outer) or {}).get(name) or [])

    return {
        "id": row["ZoneId"],
        "localName": row.get("LocalName") or "",
        "availableInstanceTypes": inner("AvailableInstanceTypes", "InstanceTypes"),
        "availableResourceCreations": inner("AvailableResourceCreation", "ResourceTypes"),
        "availableDiskCategories": inner("AvailableDiskCategories", "DiskCategories"),
        "multiZoneIds": [],
        "slbSlaveZoneIds": [],
    }


def _switch(row: Row) -> dict[str, Any]:
    names = {
        "availableIpAddressCount": "AvailableIpAddressCount",
        "cidrBlock": "CidrBlock",
        "creationTime": "CreationTime",
        "description": "Description",
        "isDefault": "IsDefault",
        "name": "VSwitchName",
        "resourceGroupId": "ResourceGroupId",
        "status": "Status",
        "vpcId": "VpcId",
        "vswitchName": "VSwitchName",
        "zoneId": "ZoneId",
    }
    tags = (row.get("Tags") or {}).get("Tag") or []
    return {
        "id": row["VSwitchId"],
        "vswitchId": row["VSwitchId"],
        "routeTableId": (row.get("RouteTable") or {}).get("RouteTableId") or "",
        "ipv6CidrBlock": row.get("Ipv6CidrBlock") or "",
        "enableIpv6": bool(row.get("Ipv6CidrBlock")),
        "tags": {tag["Key"]: tag["Value"] for tag in tags},
        **shown(row, names),
    }


def _image(row: Row) -> dict[str, Any]:
    names = {
        "architecture": "Architecture",
        "creationTime": "CreationTime",
        "description": "Description",
        "imageOwnerAlias": "ImageOwnerAlias",
        "imageVersion": "ImageVersion",
        "osName": "OSName",
        "osNameEn": "OSNameEn",
        "osType": "OSType",
        "platform": "Platform",
        "productCode": "ProductCode",
        "progress": "Progress",
        "size": "Size",
        "status": "Status",
        "state": "Status",
        "usage": "Usage",
    }
    name = row.get("ImageName") or row["ImageId"]
    return {"id": row["ImageId"], "imageId": row["ImageId"], "name": name, **shown(row, names)}


def _instance_type(row: Row, zones: list[str]) -> dict[str, Any]:
    name = row["InstanceTypeId"]
    return {
        "id": name,
        "family": row.get("InstanceTypeFamily") or "",
        "cpuCoreCount": row.get("CpuCoreCount") or 0,
        "memorySize": row.get("MemorySize") or 0,
        "eniAmount": row.get("EniQuantity") or 0,
        "gpus": [{"amount": str(row.get("GPUAmount") or 0), "category": row.get("GPUSpec") or ""}],
        "availabilityZones": zones,
        "burstableInstances": [],
        "localStorages": [],
    }
