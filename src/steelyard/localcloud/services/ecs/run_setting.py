"""The parameters of RunInstances that stand by themselves."""

from __future__ import annotations

import calendar
import time
from typing import TypedDict

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import change_errors, check, errors
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.spec.price import Price, spot_price

_MAX_SPOT_DURATION_H = 6
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
    """What is kept of an instance; most of it has no effect here."""

    description: str
    resource_group_id: str
    has_deletion_protection: bool
    user_data: str
    internet_max_bandwidth_in: int
    has_jumbo_frame: bool
    logs_in_as_non_root: bool
    pool_criteria: str


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
        description=check.read_description(request),
        resource_group_id=request.text("ResourceGroupId"),
        has_deletion_protection=request.flag("DeletionProtection"),
        user_data=check.read_user_data(request),
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
