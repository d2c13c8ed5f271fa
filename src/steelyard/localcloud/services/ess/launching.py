"""From a scaling configuration or a launch template to instances."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.models import (
    COUNTED,
    Activity,
    Member,
    ScalingGroup,
    Settings,
    capacity_of,
)
from steelyard.localcloud.services.ess.placement import (
    Place,
    compensates,
    num_on_demand,
    offers_by_turn,
    places_by_turn,
)
from steelyard.localcloud.services.ess.refresh import configured
from steelyard.localcloud.services.ess.state import EssState
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import ApiError, invalid_parameter

GROUP_TAG: Final = "acs:autoscaling:scalingGroupId"
"""The tag by which an instance tells its scaling group."""

_SAME: Final = (
    "ImageId",
    "ImageFamily",
    "SecurityGroupId",
    "SecurityGroupIds",
    "InternetChargeType",
    "InternetMaxBandwidthOut",
    "UserData",
    "KeyPairName",
    "RamRoleName",
    "HttpEndpoint",
    "HttpTokens",
    "InstanceName",
    "HostName",
    "SpotStrategy",
    "SpotDuration",
    "SpotInterruptionBehavior",
    "DeploymentSetId",
    "SecurityEnhancementStrategy",
    "ResourceGroupId",
    "DeletionProtection",
)
"""Settings of a scaling configuration that RunInstances calls by the same name."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """How a group's members are made.

    Attributes:
        settings: Parameters of RunInstances, without what differs between members.
        instance_types: Types to try, in their order; none where the launch template alone names it.
        price_limits: Highest price of a spot instance per hour, by type.
        is_spot: Whether members are spot instances where nothing else is said.
        configuration_id: The scaling configuration; empty for a launch template.
        template_id: The launch template; empty for a scaling configuration.
        template_version: Number of its version.
        weight: Of members behind classic load balancers that were given none.
    """

    settings: Mapping[str, object]
    instance_types: Sequence[str]
    price_limits: Mapping[str, float]
    is_spot: bool
    configuration_id: str = ""
    template_id: str = ""
    template_version: str = ""
    weight: int = 50


class Launcher:
    """Makes members of scaling groups; it is called inside of a transaction.

    Args:
        state: The service's records.
    """

    def __init__(self, state: EssState) -> None:
        self._state = state

    def template(self, group: ScalingGroup) -> Template:
        """Read how a group's members are made: by what it has or, while they are refreshed, by what is desired.

        Raises:
            ApiError: `MissingActiveScalingConfiguration`, or what the ECS service says of a launch template.
        """
        refresh = self._state.refresh_of(group.id)
        wanted = refresh.wanted if refresh is not None else {}
        return self.template_for(configured(group, wanted), wanted)

    def template_for(self, group: ScalingGroup, wanted: Mapping[str, object]) -> Template:
        """Read how members are made of a group that is configured as desired, with the image that is desired.

        Raises:
            ApiError: As `template`.
        """
        template = self._template(group)
        if not wanted.get("ImageId"):
            return template
        settings = {**template.settings, "ImageId": wanted["ImageId"]}
        return replace(template, settings={k: v for k, v in settings.items() if k != "ImageFamily"})

    def _template(self, group: ScalingGroup) -> Template:
        template_id = str(group.settings.get("LaunchTemplateId") or "")
        if template_id:
            return self._from_launch_template(group, template_id)
        configuration = self._state.configurations.get(group.configuration_id)
        if configuration is None:
            raise errors.no_configuration(group.id)
        return _from_configuration(configuration.id, configuration.settings)

    def launch(self, group: ScalingGroup, activity: Activity, missing: int) -> list[str]:
        """Make members in Pending, one by one, each in the best place that takes it, until no capacity is missing.

        The last one may be of a type that counts for more than is missing yet.

        Returns:
            Their ids; fewer than are needed where places ran out after some were made.

        Raises:
            ApiError: What the last place that was tried answered, where not one could be made.
        """
        template = self.template(group)
        made: list[str] = []
        before = self._state.capacity(group.id)
        while self._state.capacity(group.id) < before + missing:
            members = [one for one in self._state.members_of(group.id) if one.state in COUNTED]
            try:
                made.append(self._launch_one(group, activity, template, members))
            except ApiError:
                if not made:
                    raise
                break
        return made

    def _launch_one(
        self, group: ScalingGroup, activity: Activity, template: Template, members: Sequence[Member]
    ) -> str:
        refusal: ApiError | None = None
        for settings in self._attempts(group, template, members):
            try:
                (instance_id,) = self._state.ecs.start_instances(settings, region_id=group.region_id)
            except ApiError as err:
                refusal = err
                continue
            self._enter(group, activity, template, instance_id)
            return instance_id
        assert refusal is not None
        raise refusal

    def _attempts(
        self, group: ScalingGroup, template: Template, members: Sequence[Member]
    ) -> Iterator[dict[str, object]]:
        """Give the settings to try for one more member, the best ones first."""
        tags = self._tags(group, template)
        places = places_by_turn(self._places(group), group.settings, members)
        for is_spot in self._spot_choices(group.settings, template, members):
            for place, instance_type in offers_by_turn(
                places,
                template.instance_types,
                group.settings,
                members,
                self._state.weights_of(group),
                is_spot=is_spot,
                hour=self._state.hour,
            ):
                settings = {**template.settings, "VSwitchId": place.vswitch_id, "Amount": 1, "Tag": tags}
                if instance_type:
                    settings["InstanceType"] = instance_type
                if template.configuration_id and "NetworkInterface" in settings:
                    settings["NetworkInterface"] = _placed(template.settings["NetworkInterface"], place)
                if not is_spot:
                    settings["SpotStrategy"] = "NoSpot"
                elif template.price_limits.get(instance_type):
                    settings["SpotPriceLimit"] = template.price_limits[instance_type]
                yield settings

    def _spot_choices(
        self, settings: Settings, template: Template, members: Sequence[Member]
    ) -> tuple[bool, ...]:
        if not template.is_spot:
            return (False,)
        fixed = capacity_of(member for member in members if not member.is_spot)
        if fixed < num_on_demand(settings, capacity_of(members) + 1):
            return (False,)
        return (True, False) if compensates(settings) else (True,)

    def _places(self, group: ScalingGroup) -> list[Place]:
        found = (self._state.vpc.find_vswitch(vswitch_id) for vswitch_id in group.vswitch_ids)
        places = [Place(vswitch_id=one.id, zone_id=one.zone_id) for one in found if one is not None]
        if not places:
            raise errors.vswitch_not_found(", ".join(group.vswitch_ids))
        return places

    def _tags(self, group: ScalingGroup, template: Template) -> list[dict[str, str]]:
        own = template.settings.get("Tag") or []
        assert isinstance(own, list)
        tags = {str(tag["Key"]): str(tag.get("Value") or "") for tag in own}
        return [{"Key": key, "Value": value} for key, value in {**group.tags, **tags}.items()]

    def _enter(self, group: ScalingGroup, activity: Activity, template: Template, instance_id: str) -> None:
        instance = self._state.ecs.find_instance(instance_id)
        assert instance is not None
        self._state.ecs.instances.put(replace(instance, tags={**instance.tags, GROUP_TAG: group.id}))
        member = self._state.new_member(group, activity, instance)
        self._state.members.put(
            replace(
                member,
                configuration_id=template.configuration_id,
                template_id=template.template_id,
                template_version=template.template_version,
                weight=template.weight,
            )
        )

    def _from_launch_template(self, group: ScalingGroup, template_id: str) -> Template:
        templates = self._state.ecs.launch_templates
        kept = templates.find(group.region_id, template_id, "")
        wanted = str(group.settings.get("LaunchTemplateVersion") or "Default")
        numbers = {"Default": kept.default_version, "Latest": kept.latest_version}
        number = numbers.get(wanted) or whole_number(wanted)
        if number is None:
            raise invalid_parameter("LaunchTemplateVersion", wanted, "a number, Default or Latest")
        version = templates.version(kept, number)
        overrides = group.settings.get("LaunchTemplateOverrides") or []
        assert isinstance(overrides, list | tuple)
        settings: dict[str, object] = {"LaunchTemplateId": kept.id, "LaunchTemplateVersion": version.number}
        if version.settings.get("Tag"):
            settings["Tag"] = version.settings["Tag"]
        return Template(
            settings=settings,
            instance_types=[str(one["InstanceType"]) for one in overrides],
            price_limits={
                str(one["InstanceType"]): float(one["SpotPriceLimit"])
                for one in overrides
                if one.get("SpotPriceLimit")
            },
            is_spot=version.settings.get("SpotStrategy") not in (None, "", "NoSpot"),
            template_id=kept.id,
            template_version=str(version.number),
        )


def _from_configuration(configuration_id: str, given: Settings) -> Template:
    settings: dict[str, Any] = {name: given[name] for name in _SAME if given.get(name) not in (None, "")}
    system, data = given.get("SystemDisk"), given.get("DataDisks")
    if isinstance(system, Mapping):
        settings["SystemDisk"] = {
            name: str(value) if name == "Size" else value for name, value in system.items()
        }
    if isinstance(data, list | tuple):
        settings["DataDisk"] = list(data)
    if given.get("InstanceDescription"):
        settings["Description"] = given["InstanceDescription"]
    interfaces = _rows(given, "NetworkInterfaces")
    if interfaces:
        settings["NetworkInterface"] = [{"InstanceType": "Secondary", **row} for row in interfaces]
    if given.get("Tags"):
        tags = json.loads(str(given["Tags"]))
        settings["Tag"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return Template(
        settings=settings,
        instance_types=instance_types_of(given),
        price_limits={
            str(one["InstanceType"]): float(one["PriceLimit"])
            for one in _rows(given, "SpotPriceLimits")
            if one.get("PriceLimit") is not None
        },
        is_spot=given.get("SpotStrategy") not in (None, "", "NoSpot"),
        configuration_id=configuration_id,
        weight=50 if given.get("LoadBalancerWeight") is None else int(str(given["LoadBalancerWeight"])),
    )


def _placed(interfaces: object, place: Place) -> list[dict[str, Any]]:
    """Give the interfaces of a scaling configuration with the VSwitch of further ones."""
    assert isinstance(interfaces, list)
    return [
        row if row["InstanceType"] == "Primary" else {**row, "VSwitchId": place.vswitch_id}
        for row in interfaces
    ]


def instance_types_of(given: Settings) -> list[str]:
    """Give the instance types that a scaling configuration names, the first choice first."""
    named = [str(one["InstanceType"]) for one in _rows(given, "InstanceTypeOverrides")]
    listed = given.get("InstanceTypes") or []
    assert isinstance(listed, list | tuple)
    single = [str(given["InstanceType"])] if given.get("InstanceType") else []
    return list(dict.fromkeys([*single, *map(str, listed), *named]))


def _rows(given: Settings, name: str) -> list[dict[str, Any]]:
    rows = given.get(name) or []
    assert isinstance(rows, list | tuple)
    return list(rows)
