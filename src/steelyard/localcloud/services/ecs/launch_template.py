"""Launch templates: settings of RunInstances that are kept under a name, in numbered versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.store import Store
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

Settings = Mapping[str, object]
"""Parameters of RunInstances by their wire names, as `Request.params` holds them."""

# Parameters of the calls that make a template or name one, and are no settings of instances.
_NO_SETTINGS = frozenset(
    {
        "RegionId",
        "LaunchTemplateId",
        "LaunchTemplateName",
        "LaunchTemplateVersion",
        "VersionDescription",
        "TemplateTag",
        "TemplateResourceGroupId",
        "ClientToken",
        "DryRun",
        "OwnerId",
        "OwnerAccount",
        "ResourceOwnerId",
        "ResourceOwnerAccount",
    }
)
# Parameters that say the same thing twice: one that is given takes the place of the others.
_SAME = (("SecurityGroupId", "SecurityGroupIds"), ("ImageId", "ImageFamily"))


@dataclass(frozen=True, kw_only=True)
class LaunchTemplate(Record):
    """A launch template.

    Attributes:
        default_version: The version that is taken where a call names none.
        latest_version: The highest number that was ever given.
    """

    kind: ClassVar[str] = "launch_template"

    region_id: str
    name: str
    resource_group_id: str
    created_by: str
    modified_at: float
    default_version: int
    latest_version: int

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeLaunchTemplates."""
        return {
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "DefaultVersionNumber": self.default_version,
            "LatestVersionNumber": self.latest_version,
            "ResourceGroupId": self.resource_group_id,
            "CreatedBy": self.created_by,
            "CreateTime": utc_text(self.created_at),
            "ModifiedTime": utc_text(self.modified_at),
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class LaunchTemplateVersion(Record):
    """One version of a launch template; its id is `<template>/<number>`.

    Attributes:
        settings: Parameters of RunInstances; nothing of them is checked before instances are made, as on the cloud.
    """

    kind: ClassVar[str] = "launch_template_version"

    template_id: str
    number: int
    description: str
    settings: Settings

    def to_answer(self, template: LaunchTemplate, *, has_details: bool) -> dict[str, object]:
        """Give the fields of DescribeLaunchTemplateVersions."""
        answer: dict[str, object] = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": self.number,
            "VersionDescription": self.description,
            "DefaultVersion": self.number == template.default_version,
            "CreatedBy": template.created_by,
            "CreateTime": utc_text(self.created_at),
            "ModifiedTime": utc_text(self.created_at),
        }
        if has_details:
            answer["LaunchTemplateData"] = _data(self.settings)
        return answer


class LaunchTemplates:
    """The launch templates of a cloud, with their versions.

    Args:
        store: The cloud's state.
    """

    def __init__(self, store: Store) -> None:
        self.records = Records(store, LaunchTemplate)
        self._versions = Records(store, LaunchTemplateVersion)

    def in_region(self, region_id: str) -> list[LaunchTemplate]:
        """Give the templates of a region."""
        return [template for template in self.records.list() if template.region_id == region_id]

    def find(self, region_id: str, template_id: str, name: str) -> LaunchTemplate:
        """Give the template that a call names by its id or its name.

        Raises:
            ApiError: `InvalidLaunchTemplate.NotFound`.
        """
        for template in self.in_region(region_id):
            if template_id in ("", template.id) and name in ("", template.name):
                return template
        raise errors.launch_template_not_found()

    def versions(self, template: LaunchTemplate) -> list[LaunchTemplateVersion]:
        """Give a template's versions, the first one first."""
        return [version for version in self._versions.list() if version.template_id == template.id]

    def version(self, template: LaunchTemplate, number: int) -> LaunchTemplateVersion:
        """Give a version of a template.

        Args:
            template: The template.
            number: The version's number; 0 for the default version.

        Raises:
            ApiError: `InvalidLaunchTemplateVersion.NotFound`.
        """
        version = self._versions.get(f"{template.id}/{number or template.default_version}")
        if version is None:
            raise errors.launch_template_version_not_found(number)
        return version

    def put_version(self, version: LaunchTemplateVersion) -> None:
        """Keep a version."""
        self._versions.put(version)

    def delete_version(self, version: LaunchTemplateVersion) -> None:
        """Remove a version."""
        self._versions.delete(version.id)

    def delete(self, template: LaunchTemplate) -> None:
        """Remove a template and its versions."""
        for version in self.versions(template):
            self.delete_version(version)
        self.records.delete(template.id)


def settings_of(params: Settings) -> dict[str, object]:
    """Give what a call says of the instances to be made, without what it says of the template."""
    return {name: value for name, value in params.items() if name not in _NO_SETTINGS}


def merged(template: Settings, given: Settings) -> dict[str, object]:
    """Lay a call's own parameters over those of a template, which stay where the call has none.

    A part such as `SystemDisk` is merged by its parameters; a list, such as `DataDisk`, is taken whole from either.
    """
    kept = dict(template)
    for names in _SAME:
        if any(name in given for name in names):
            kept = {name: value for name, value in kept.items() if name not in names}
    for name, value in given.items():
        before = kept.get(name)
        kept[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return kept


def _data(settings: Settings) -> dict[str, object]:
    """Give settings as `LaunchTemplateData`, which wraps its lists once more, and has its system disk in two forms."""
    wrapped = {
        "DataDisk": ("DataDisks", "DataDisk"),
        "NetworkInterface": ("NetworkInterfaces", "NetworkInterface"),
        "SecurityGroupIds": ("SecurityGroupIds", "SecurityGroupId"),
        "Tag": ("Tags", "InstanceTag"),
    }
    data: dict[str, object] = {outer: {inner: []} for outer, inner in wrapped.values()}
    for name, value in settings.items():
        if name not in wrapped:
            data[name] = value
            if name == "SystemDisk" and isinstance(value, Mapping):
                data |= {f"SystemDisk.{part}": held for part, held in value.items()}
            continue
        outer, inner = wrapped[name]
        data[outer] = {inner: _interfaces(value) if name == "NetworkInterface" else value}
    return data


def _interfaces(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return [
        {**one, "SecurityGroupIds": {"SecurityGroupId": one.get("SecurityGroupIds") or []}} for one in value
    ]
