"""What the settings of scaling groups may be, and what they are where nobody says.

Defaults and limits are those of the help pages of CreateScalingGroup, CreateScalingRule and CreateAlarm, from memory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from steelyard.localcloud.setting import Setting, checked, choice, defaults, number
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

MAX_MEMBERS: Final = 2000
_MAX_WEIGHT: Final = 500

REMOVAL_POLICIES: Final = ("OldestInstance", "NewestInstance", "OldestScalingConfiguration")

FORCED: Final = ("forceRelease", "forcerelease")
"""How the provider and the help page spell that instances are released without being stopped."""

HEALTH_CHECKS: Final = ("ECS", "NONE", "LOAD_BALANCER")

_NAME = re.compile(r"[^\W_][\w.-]{1,63}")

_flag = Setting(default=False, check=lambda value: isinstance(value, bool), want="true or false")


def _optional(setting: Setting) -> Setting:
    return Setting(default=None, check=setting.check, want=setting.want)


_REMOVAL = Setting(
    default=["OldestScalingConfiguration", "OldestInstance"],
    check=lambda value: isinstance(value, list) and len(value) <= 3 and set(value) <= set(REMOVAL_POLICIES),
    want=f"up to three of {', '.join(REMOVAL_POLICIES)}",
)

_LIFETIME = Setting(
    default=None,
    check=lambda value: isinstance(value, int) and (value == 0 or 86400 <= value <= 2**31 - 1),
    want="0, which is no limit, or from 86400",
)

GROUP: Final[Mapping[str, Setting]] = {
    "MinSize": number(0, 0, MAX_MEMBERS),
    "MaxSize": number(0, 0, MAX_MEMBERS),
    "DefaultCooldown": number(300, 0, 86400),
    "RemovalPolicies": _REMOVAL,
    "MultiAZPolicy": choice("PRIORITY", "PRIORITY", "COST_OPTIMIZED", "BALANCE", "COMPOSABLE"),
    "HealthCheckType": choice("ECS", *HEALTH_CHECKS),
    "HealthCheckTypes": Setting(
        default=None,
        check=lambda value: isinstance(value, list) and set(value) <= set(HEALTH_CHECKS),
        want=f"some of {', '.join(HEALTH_CHECKS)}",
    ),
    "ScalingPolicy": choice("release", "release", *FORCED, "recycle", "forceRecycle", "forcerecycle"),
    "GroupType": choice("ECS", "ECS", "ECI"),
    "OnDemandBaseCapacity": _optional(number(0, 0, 1000)),
    "OnDemandPercentageAboveBaseCapacity": _optional(number(100, 0, 100)),
    "SpotInstancePools": _optional(number(2, 1, 10)),
    "SpotInstanceRemedy": _flag,
    "CompensateWithOnDemand": Setting(default=True, check=_flag.check, want=_flag.want),
    "SpotAllocationStrategy": choice("priority", "priority", "lowestPrice"),
    "AllocationStrategy": choice("priority", "priority", "lowestPrice"),
    "AzBalance": _flag,
    "AutoRebalance": _flag,
    "BalanceMode": choice("BalancedBestEffort", "BalancedBestEffort", "BalancedOnly"),
    "MaxInstanceLifetime": _LIFETIME,
    "StopInstanceTimeout": _optional(number(30, 30, 240)),
    "GroupDeletionProtection": _flag,
    "LaunchTemplateId": Setting(default=""),
    "LaunchTemplateVersion": Setting(default=""),
    "LaunchTemplateOverrides": Setting(default=None),
    "CapacityOptions": Setting(default=None),
    "ResourceGroupId": Setting(default=""),
}
"""Settings of a scaling group that are kept as they came."""

_CAPACITY: Final[Mapping[str, Setting]] = {
    "OnDemandBaseCapacity": GROUP["OnDemandBaseCapacity"],
    "OnDemandPercentageAboveBaseCapacity": GROUP["OnDemandPercentageAboveBaseCapacity"],
    "CompensateWithOnDemand": _flag,
    "SpotAutoReplaceOnDemand": _flag,
    "PriceComparisonMode": choice("PricePerVCpu", "PricePerUnit", "PricePerVCpu"),
}
"""What `CapacityOptions` holds."""

_UNSERVED_NAMES: Final = ("InstanceId", "DBInstanceIds", "DBInstances", "ContainerGroupId", "CustomPolicyARN")
_UNSERVED: Final[Mapping[str, Collection[str]]] = {
    "GroupType": ("ECI",),
    "ScalingPolicy": ("recycle", "forceRecycle", "forcerecycle"),
}


def read_weights(rows: object) -> dict[str, int]:
    """Read for how much of a group's capacity an instance of each type counts, which is 1 unless something is said.

    Args:
        rows: The `InstanceTypeOverrides` of a configuration, or the `LaunchTemplateOverrides` of a group.

    Raises:
        ApiError: `InvalidParameter` or `MissingParameter`.
    """
    weights = {}
    for row in rows if isinstance(rows, list | tuple) else ():
        if not row.get("InstanceType"):
            raise missing_parameter("InstanceType")
        weight = row.get("WeightedCapacity") or 1
        if not isinstance(weight, int) or not 1 <= weight <= _MAX_WEIGHT:
            raise invalid_parameter("WeightedCapacity", weight, f"from 1 to {_MAX_WEIGHT}")
        weights[str(row["InstanceType"])] = weight
    return weights


def read_dimensions(rows: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Read the dimensions of a metric, the values by their keys.

    Raises:
        ApiError: `MissingParameter`.
    """
    found = {}
    for row in rows:
        for name in ("DimensionKey", "DimensionValue"):
            if row.get(name) in (None, ""):
                raise missing_parameter(name)
        found[str(row["DimensionKey"])] = str(row["DimensionValue"])
    return found


def check_name(name: str, value: str) -> None:
    """Check a name of Auto Scaling.

    Args:
        name: The parameter.
        value: The name.

    Raises:
        ApiError: `InvalidParameter`.
    """
    if not _NAME.fullmatch(value):
        raise invalid_parameter(
            name, value, "of 2 to 64 letters, digits, _, - and ., beginning with a letter or a digit"
        )


def read_group(given: Mapping[str, Any], before: Mapping[str, object] | None = None) -> dict[str, object]:
    """Give a group's settings: those that a call has over those before, or over the defaults.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed, `UnsupportedOperation` for one that the local
            cloud has not.
    """
    for name in _UNSERVED_NAMES:
        if given.get(name) not in (None, "", [], "[]"):
            raise not_served(f"{name} of scaling groups")
    if "CustomPolicy" in (given.get("RemovalPolicies") or ()):
        raise not_served("the removal policy CustomPolicy of scaling groups")
    read_weights(given.get("LaunchTemplateOverrides"))
    checked(_CAPACITY, given.get("CapacityOptions") or {})
    settings = {**(before or defaults(GROUP)), **checked(GROUP, given), **_health_checks(given)}
    for name, values in _UNSERVED.items():
        if settings[name] in values:
            raise not_served(f"{name} {settings[name]} of scaling groups")
    if int(str(settings["MinSize"])) > int(str(settings["MaxSize"])):
        raise invalid_parameter("MinSize", settings["MinSize"], f"at most MaxSize, {settings['MaxSize']}")
    return settings


def _health_checks(given: Mapping[str, Any]) -> dict[str, object]:
    """Give what a call says of health checks in the form that groups keep: the methods, and the older form where used.

    The older form, of one method, weighs more (help page of CreateScalingGroup). It is told of those alone that were
    given it: the Terraform provider reads the newer one where there is no older one.
    """
    one, several = given.get("HealthCheckType"), given.get("HealthCheckTypes")
    if one:
        return {"HealthCheckTypes": [one]}
    return {"HealthCheckType": None} if several else {}
