"""The parameters of RunInstances that stand by themselves."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import change_errors, check, errors
from steelyard.localcloud.services.ecs.disk import next_device
from steelyard.localcloud.services.ecs.image import Image
from steelyard.localcloud.services.ecs.network_interface import TRAFFIC_MODES
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.spec.family import has_erdma
from steelyard.spec.price import Price, spot_price

DATA_DISK_GIB = range(1, 65536 + 1)
"""Sizes of a data disk."""

_MAX_SPOT_DURATION_H = 6
_SMALLEST_GIB = {"PL0": 1, "PL1": 1, "PL2": 461, "PL3": 1261}
"""Smallest ESSDs of the performance levels (help page of RunInstances); of PL1 smaller ones are taken, too."""
_MIN_RELEASE_NOTICE_S, _MAX_RELEASE_NOTICE_S = 1800, 3 * 366 * 86400
"""How far ahead a release may be set (help page of ModifyInstanceAutoReleaseTime: half an hour to three years)."""
_BANDWIDTHS_MBIT_PER_S = range(100 + 1)  # Help page of RunInstances.


class Deployment(TypedDict):
    """Where in a deployment set an instance stands."""

    deployment_set_id: str
    deployment_set_group_number: int


class Identity(TypedDict):
    """What an instance may do, and who may enter it."""

    ram_role_name: str
    key_pair_name: str


class MetadataOptions(TypedDict):
    """How an instance's metadata service answers."""

    http_endpoint: str
    http_tokens: str
    http_hop_limit: int


class Billing(TypedDict):
    """How an instance is paid for."""

    charge_type: str
    spot_strategy: str
    spot_price_limit: float
    spot_duration: int
    spot_interruption_behavior: str
    internet_charge_type: str
    internet_max_bandwidth_out: int


class Options(TypedDict):
    """What is kept of an instance, and has no effect here."""

    internet_max_bandwidth_in: int
    has_jumbo_frame: bool
    logs_in_as_non_root: bool
    pool_criteria: str


def read_traffic_mode(interface: Mapping[str, object], instance_type: str) -> str:
    """Read the traffic mode of an instance's primary interface.

    Raises:
        ApiError: Where there is none such, or the type has no elastic RDMA.
    """
    mode = str(interface.get("NetworkInterfaceTrafficMode") or "Standard")
    if mode not in TRAFFIC_MODES:
        raise errors.value_not_supported("NetworkInterfaceTrafficMode", mode)
    if mode == "HighPerformance" and not has_erdma(instance_type):
        raise errors.no_erdma(instance_type)
    return mode


def read_instance_type(request: Request) -> str:
    """Give the instance type that a call names.

    Raises:
        ApiError: `MissingParameter` or `InvalidInstanceType.ValueNotSupported`.
    """
    name = request.text("InstanceType")
    if not name:
        raise missing_parameter("InstanceType")
    if name not in INSTANCE_TYPES:
        raise errors.instance_type_not_supported(name)
    return name


def read_options(request: Request) -> Options:
    """Read what else is kept of an instance and answered.

    Raises:
        ApiError: For a choice that there is not, or a private pool, of which there are none.
    """
    parts = {name: request.params.get(name) or {} for name in ("NetworkOptions", "ImageOptions")}
    network, image = parts["NetworkOptions"], parts["ImageOptions"]
    assert isinstance(network, dict)
    assert isinstance(image, dict)
    return Options(
        internet_max_bandwidth_in=request.number("InternetMaxBandwidthIn", 0),
        has_jumbo_frame=bool(network.get("EnableJumboFrame")),
        logs_in_as_non_root=bool(image.get("LoginAsNonRoot")),
        pool_criteria=read_pool_criteria(request, "None"),
    )


def read_pool_criteria(request: Request, default: str) -> str:
    """Read which private pools an instance may draw from; one of its own, it cannot, since there is none here.

    Raises:
        ApiError: `InvalidParameter`, `MissingParameter` or `InvalidPrivatePoolOptionsId.NotFound`.
    """
    options = request.params.get("PrivatePoolOptions") or {}
    assert isinstance(options, dict)
    criteria = str(options.get("MatchCriteria") or default)
    if criteria not in ("Open", "Target", "None"):
        raise invalid_parameter("PrivatePoolOptions.MatchCriteria", criteria, "Open, Target or None")
    if criteria == "Target":
        raise (
            change_errors.pool_not_found()
            if options.get("Id")
            else missing_parameter("PrivatePoolOptions.Id")
        )
    return criteria


def read_billing(request: Request, instance_type: str, zone_id: str, now: float) -> Billing:
    """Read how an instance is paid for, which is kept and answered; nothing is billed here.

    Raises:
        ApiError: For a strategy, a limit or a duration that a spot instance cannot have.
    """
    strategies = ("NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo")
    billing = Billing(
        charge_type=check.read_choice(request, "InstanceChargeType", ("PostPaid", "PrePaid"), "PostPaid"),
        spot_strategy=check.read_choice(request, "SpotStrategy", strategies, "NoSpot"),
        spot_price_limit=_price_limit(request),
        spot_duration=request.number("SpotDuration", 1),
        spot_interruption_behavior=check.read_choice(
            request, "SpotInterruptionBehavior", ("Terminate", "Stop"), "Terminate"
        ),
        internet_charge_type=check.read_choice(
            request, "InternetChargeType", ("PayByTraffic", "PayByBandwidth"), "PayByTraffic"
        ),
        internet_max_bandwidth_out=read_bandwidth(request, 0),
    )
    if billing["spot_strategy"] != "NoSpot":
        _check_spot(billing, spot_price(instance_type, zone_id, int(now) // 3600))
    return billing


def read_metadata_options(request: Request) -> MetadataOptions:
    """Read how an instance's metadata service is to answer.

    Raises:
        ApiError: For a choice that there is not.
    """
    return MetadataOptions(
        http_endpoint=check.read_choice(request, "HttpEndpoint", ("enabled", "disabled"), "enabled"),
        http_tokens=check.read_choice(request, "HttpTokens", ("optional", "required"), "optional"),
        http_hop_limit=request.number("HttpPutResponseHopLimit", 1),
    )


def read_bandwidth(request: Request, default: int) -> int:
    """Read the bandwidth from an instance to the Internet, in Mbit/s.

    Raises:
        ApiError: `InvalidInternetMaxBandwidthOut.ValueNotSupported`.
    """
    bandwidth = request.number("InternetMaxBandwidthOut", default)
    if bandwidth not in _BANDWIDTHS_MBIT_PER_S:
        raise errors.value_not_supported("InternetMaxBandwidthOut", bandwidth)
    return bandwidth


def read_release_time(request: Request, now: float) -> float:
    """Read `AutoReleaseTime`: UTC by ISO 8601, whose seconds do not count, from half an hour to three years ahead.

    Returns:
        The Unix time; 0 where the call has none.

    Raises:
        ApiError: `InvalidAutoReleaseTime.Malformed`.
    """
    text = request.text("AutoReleaseTime")
    if not text:
        return 0.0
    try:
        moment = time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise change_errors.release_time_malformed(text) from None
    wanted_at = calendar.timegm(moment)
    if not _MIN_RELEASE_NOTICE_S <= wanted_at - now <= _MAX_RELEASE_NOTICE_S:
        raise change_errors.release_time_malformed(text)
    return float(wanted_at - moment.tm_sec)


def _check_spot(billing: Billing, price: Price | None) -> None:
    limit, duration = billing["spot_price_limit"], billing["spot_duration"]
    if billing["charge_type"] == "PrePaid":
        raise errors.spot_not_post_paid()
    if not 0 <= duration <= _MAX_SPOT_DURATION_H:
        raise errors.spot_duration_invalid(duration)
    if limit < 0:
        raise errors.spot_price_limit_invalid(limit)
    # Without a limit it is the price of an instance that is no spot instance.
    if billing["spot_strategy"] == "SpotWithPriceLimit" and limit and price and limit < price.amount:
        raise errors.spot_price_limit_too_low(limit, price.amount)


def _price_limit(request: Request) -> float:
    value = request.params.get("SpotPriceLimit", 0.0)
    assert isinstance(value, float)
    return value


class DiskSettings(TypedDict):
    """What a disk is made from."""

    type: str
    category: str
    size_gib: int
    performance_level: str
    name: str
    description: str
    is_encrypted: bool
    kms_key_id: str


@dataclass(frozen=True, kw_only=True)
class DiskOrder:
    """A disk that an instance is to be made with."""

    settings: DiskSettings
    device: str
    deletes_with_instance: bool
    image_id: str = ""


def read_disks(request: Request, image: Image) -> list[DiskOrder]:
    """Read the system disk and the data disks that an instance is to be made with.

    Raises:
        ApiError: For a size or a category that a disk cannot have.
    """
    system = request.params.get("SystemDisk") or {}
    assert isinstance(system, dict)
    bounds = range(image.size_gib, 2048 + 1)
    settings = read_disk("system", system, "SystemDisk", max(40, image.size_gib), bounds)
    orders = [
        DiskOrder(settings=settings, device="/dev/xvda", deletes_with_instance=True, image_id=image.image_id)
    ]
    for number, data in enumerate(request.records("DataDisk"), 1):
        if data.get("Size") is None:
            raise missing_parameter(f"DataDisk.{number}.Size")
        orders.append(
            DiskOrder(
                settings=read_disk("data", data, f"DataDisk.{number}", 0, DATA_DISK_GIB),
                device=str(data.get("Device") or next_device(order.device for order in orders)),
                deletes_with_instance=bool(data.get("DeleteWithInstance", True)),
            )
        )
    return orders


def read_disk(
    kind: str, given: Mapping[str, object], name: str, default_gib: int, bounds: range
) -> DiskSettings:
    """Read what a disk is made from.

    Args:
        kind: `system` or `data`.
        given: Its parameters by their names within the disk's, such as `Size`.
        name: What stands before those names.
        default_gib: Size where none is given.
        bounds: Sizes that it may have.

    Raises:
        ApiError: For a size, a category or a name that a disk cannot have.
    """
    category = str(given.get("Category") or "cloud_essd")
    if category not in check.DISK_CATEGORIES:
        raise errors.value_not_supported(f"{name}.Category", category)
    size_gib = check.read_disk_size(f"{name}.Size", given.get("Size"), default_gib, bounds)
    return DiskSettings(
        type=kind,
        category=category,
        size_gib=size_gib,
        performance_level=read_performance_level(
            str(given.get("PerformanceLevel") or ""), category, size_gib
        ),
        name=check.checked_name("DiskName", str(given.get("DiskName") or "")),
        description=str(given.get("Description") or ""),
        is_encrypted=str(given.get("Encrypted") or "false").lower() == "true",
        kms_key_id=str(given.get("KMSKeyId") or ""),
    )


def read_performance_level(wanted: str, category: str, size_gib: int) -> str:
    """Give a disk's performance level, which ESSDs alone have.

    Args:
        wanted: The level; empty for PL1.
        category: The disk's category; of another than `cloud_essd` the level is not asked.
        size_gib: Its size, of which the higher levels need some.

    Raises:
        ApiError: `InvalidPerformanceLevel.ValueNotSupported`.
    """
    if category != "cloud_essd":
        return ""
    level = wanted or "PL1"
    if size_gib < _SMALLEST_GIB.get(level, size_gib + 1):
        raise errors.value_not_supported("PerformanceLevel", f"{level} of {size_gib} GiB")
    return level
