"""What DescribeInstances may ask for: which instances are those that a call wants."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.state import read_json_texts
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.time_filter import filter_times
from steelyard.spec.family import family_of

_TEXTS: Mapping[str, Callable[[Instance], str]] = {
    "VpcId": lambda instance: instance.vpc_id,
    "VSwitchId": lambda instance: instance.vswitch_id,
    "ZoneId": lambda instance: instance.zone_id,
    "Status": lambda instance: instance.status,
    "InstanceType": lambda instance: instance.instance_type,
    "InstanceTypeFamily": lambda instance: family_of(instance.instance_type),
    "ImageId": lambda instance: instance.image_id,
    "KeyPairName": lambda instance: instance.key_pair_name,
    "InstanceChargeType": lambda instance: instance.charge_type,
    "InternetChargeType": lambda instance: instance.internet_charge_type,
    "ResourceGroupId": lambda instance: instance.resource_group_id,
    "HttpEndpoint": lambda instance: instance.http_endpoint,
    "HttpTokens": lambda instance: instance.http_tokens,
    "HttpPutResponseHopLimit": lambda instance: str(instance.http_hop_limit),
    "InstanceNetworkType": lambda instance: "vpc",
    "HpcClusterId": lambda instance: "",
    "LockReason": lambda instance: "Recycling" if instance.reclaim_at else "",
}
_TRUTHS = ("IoOptimized", "DeviceAvailable")
"""What all instances have; whoever asks for those without gets none."""
_NEVER = ("InnerIpAddresses", "RdmaIpAddresses")
"""Lists of addresses that no instance has."""
_MOMENTS: Mapping[str, tuple[Callable[[Instance], float], bool]] = {
    "CreationStartTime": (lambda instance: instance.created_at, True),
    "CreationEndTime": (lambda instance: instance.created_at, False),
    "ExpiredStartTime": (lambda instance: instance.expires_at, True),
    "ExpiredEndTime": (lambda instance: instance.expires_at, False),
}
"""Keys of `Filter.N`, with what they bound, and whether from below."""

Matches = Callable[[Instance], bool]


def instance_filter(request: Request, eips_of: Callable[[str], Collection[str]]) -> Matches:
    """Give what tells whether an instance is one that a call asks for.

    Args:
        request: The call.
        eips_of: Gives the elastic addresses of an instance, by its id.

    Raises:
        ApiError: `InvalidParameter` for a list or a time that is none.
    """
    name, group_id, tags = request.text("InstanceName"), request.text("SecurityGroupId"), read_tags(request)
    ids = read_json_texts(request, "InstanceIds")
    lists: list[tuple[list[str], Callable[[Instance], Collection[str]]]] = [
        (read_json_texts(request, "PrivateIpAddresses"), lambda instance: instance.addresses),
        (read_json_texts(request, "PublicIpAddresses"), lambda instance: instance.public_addresses),
        (read_json_texts(request, "EipAddresses"), lambda instance: eips_of(instance.id)),
        (request.texts("Ipv6Address"), lambda instance: ()),
        *((read_json_texts(request, never), lambda instance: ()) for never in _NEVER),
    ]
    addresses = [(frozenset(some), held) for some, held in lists if some]
    wanted = {key: request.text(key) for key in _TEXTS if request.text(key)}
    bounds = [_bound(key, moment) for key, moment in filter_times(request, _MOMENTS)]
    has_all = all(request.flag(truth, True) for truth in _TRUTHS)

    def matches(instance: Instance) -> bool:
        return (
            has_all
            and (not ids or instance.id in ids)
            and (not group_id or group_id in instance.security_group_ids)
            and (not name or fnmatch.fnmatchcase(instance.name, name))
            and has_tags(instance.tags, tags)
            and all(not some.isdisjoint(held(instance)) for some, held in addresses)
            and all(_TEXTS[key](instance) == text for key, text in wanted.items())
            and all(bound(instance) for bound in bounds)
        )

    return matches


def _bound(key: str, moment: float) -> Matches:
    read, is_least = _MOMENTS[key]
    return lambda instance: (
        bool(read(instance)) and (read(instance) >= moment if is_least else read(instance) <= moment)
    )
