from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.launching import instance_types_of
from steelyard.localcloud.services.ess.models import ScalingConfiguration, Settings
from steelyard.localcloud.services.ess.setting import read_weights
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import INSTANCE_TYPES

_MAX_A_GROUP = 10
_OF_THE_CALL = frozenset(
    {
        "ScalingGroupId",
        "ScalingConfigurationId",
        "ScalingConfigurationName",
        "ClientToken",
        "Override",
        "RegionId",
        "OwnerAccount",
        "OwnerId",
        "ResourceOwnerAccount",
        "ResourceOwnerId",
    }
)
_UNSERVED = ("InstancePatternInfos", "Cpu", "Memory", "ImageName", "DedicatedHostId", "CustomPriorities")
_SYSTEM_DISK = {
    "Category": "SystemDiskCategory",
    "Size": "SystemDiskSize",
    "DiskName": "SystemDiskName",
    "Description": "SystemDiskDescription",
    "Encrypted": "SystemDiskEncrypted",
    "KMSKeyId": "SystemDiskKMSKeyId",
    "PerformanceLevel": "SystemDiskPerformanceLevel",
}
_SPOT_STRATEGIES = ("NoSpot", "SpotAsPriceGo", "SpotWithPriceLimit")


class ConfigurationActions(EssCore):
    """Scaling configurations: how a group's instances are made.

    What instances are made of is checked when they are made, but for their types and what the local cloud has not.
    """

    @action("CreateScalingConfiguration", optional=("InstancePatternInfos.MaxPrice",))
    def create_scaling_configuration(self, request: Request) -> dict[str, object]:
        """Create a configuration of a group; it is not in use before the group names it."""
        group = self.standing_group(request)
        own = [one for one in self.configurations.list() if one.group_id == group.id]
        if len(own) >= _MAX_A_GROUP:
            raise errors.quota_exceeded("ScalingConfiguration", _MAX_A_GROUP)
        configuration_id = self.cloud.new_id("asc")
        name = request.text("ScalingConfigurationName") or configuration_id
        if any(one.name == name for one in own):
            raise errors.name_duplicated("ScalingConfiguration", name)
        settings = _settings(request, {})
        if not settings.get("ImageId") and not settings.get("ImageFamily"):
            raise missing_parameter("ImageId")
        self.configurations.put(
            ScalingConfiguration(
                id=configuration_id,
                created_at=self.cloud.clock(),
                group_id=group.id,
                name=name,
                settings=settings,
            )
        )
        return {"ScalingConfigurationId": configuration_id}

    @action("DescribeScalingConfigurations")
    def describe_scaling_configurations(self, request: Request) -> dict[str, object]:
        """List configurations by group, ids and names."""
        ids, names = request.texts("ScalingConfigurationIds"), request.texts("ScalingConfigurationNames")
        found = [
            one
            for one in self.configurations.list()
            if request.text("ScalingGroupId") in ("", one.group_id)
            and (not ids or one.id in ids)
            and (not names or one.name in names)
        ]
        page, head = number_page(request, found)
        return {**head, "ScalingConfigurations": [self._configuration_answer(one) for one in page]}

    @action("ModifyScalingConfiguration", optional=("InstancePatternInfos.MaxPrice",))
    def modify_scaling_configuration(self, request: Request) -> dict[str, object]:
        """Change a configuration; instances that are there stay as they are."""
        configuration = self._configuration(request)
        name = request.text("ScalingConfigurationName") or configuration.name
        settings = _settings(request, configuration.settings)
        self.configurations.put(replace(configuration, name=name, settings=settings))
        return {}

    @action("DeleteScalingConfiguration")
    def delete_scaling_configuration(self, request: Request) -> dict[str, object]:
        """Delete a configuration that its group does not use."""
        configuration = self._configuration(request)
        group = self.groups.get(configuration.group_id)
        if group is not None and group.configuration_id == configuration.id:
            raise errors.configuration_in_use()
        self.configurations.delete(configuration.id)
        return {}

    def _configuration(self, request: Request) -> ScalingConfiguration:
        configuration_id = request.text("ScalingConfigurationId")
        configuration = self.configurations.get(configuration_id)
        if configuration is None:
            raise errors.configuration_not_found(configuration_id)
        return configuration

    def _configuration_answer(self, configuration: ScalingConfiguration) -> dict[str, object]:
        settings = configuration.settings
        group = self.groups.get(configuration.group_id)
        is_active = group is not None and group.configuration_id == configuration.id
        types, weights = instance_types_of(settings), read_weights(settings.get("InstanceTypeOverrides"))
        tags = json.loads(str(settings.get("Tags") or "{}"))
        system = settings.get("SystemDisk")
        disk = system if isinstance(system, Mapping) else {}
        return {
            "LoadBalancerWeight": 50,
            "SpotStrategy": "NoSpot",
            "InternetChargeType": "PayByTraffic",
            "IoOptimized": "optimized",
            **{name: value for name, value in settings.items() if name != "SystemDisk"},
            **{name: disk.get(key) for key, name in _SYSTEM_DISK.items()},
            "ScalingConfigurationId": configuration.id,
            "ScalingConfigurationName": configuration.name,
            "ScalingGroupId": configuration.group_id,
            "LifecycleState": "Active" if is_active else "Inactive",
            "CreationTime": utc_text(configuration.created_at),
            "InstanceType": types[0],
            "InstanceTypes": types,
            **({"WeightedCapacities": [weights.get(name, 1) for name in types]} if weights else {}),
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            "PasswordSetted": bool(settings.get("Password")),
            "Password": None,
        }


def _settings(request: Request, before: Settings) -> dict[str, object]:
    given = {name: value for name, value in request.params.items() if name not in _OF_THE_CALL}
    for name in _UNSERVED:
        if given.get(name):
            raise not_served(f"{name} of scaling configurations")
    read_weights(given.get("InstanceTypeOverrides"))
    _check_rows(given)
    settings = {**before, **given}
    if "InstanceTypes" in given and "InstanceType" not in given:
        settings.pop("InstanceType", None)
    types = instance_types_of(settings)
    if not types:
        raise missing_parameter("InstanceType")
    for name in types:
        if name not in INSTANCE_TYPES:
            raise invalid_parameter("InstanceTypes", name, "an instance type of the cloud")
    strategy = settings.get("SpotStrategy") or "NoSpot"
    if strategy not in _SPOT_STRATEGIES:
        raise invalid_parameter("SpotStrategy", strategy, f"one of {', '.join(_SPOT_STRATEGIES)}")
    _check_tags(settings.get("Tags"))
    return settings


def _check_rows(given: Settings) -> None:
    """Check what has an effect only when an instance is made."""
    limits = given.get("SpotPriceLimits") or ()
    assert isinstance(limits, list | tuple)
    for row in limits:
        if not row.get("InstanceType"):
            raise missing_parameter("SpotPriceLimits.InstanceType")
    weight = given.get("LoadBalancerWeight")
    if isinstance(weight, int) and not 0 <= weight <= 100:
        raise invalid_parameter("LoadBalancerWeight", weight, "from 0 to 100")


def _check_tags(value: object) -> None:
    """Check that tags are what this action takes: a JSON object of texts, in one parameter."""
    if value in (None, ""):
        return
    try:
        tags = json.loads(str(value))
    except ValueError:
        tags = None
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        raise invalid_parameter("Tags", value, 'a JSON object of texts, e.g. {"key": "value"}')
