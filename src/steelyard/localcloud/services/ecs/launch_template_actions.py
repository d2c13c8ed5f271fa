from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.launch_template import (
    LaunchTemplate,
    LaunchTemplateVersion,
    settings_of,
)
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import missing_parameter

MAX_TEMPLATES = 30
"""Templates of a region, and versions of a template, at most (help page of CreateLaunchTemplate, 2024-03)."""


class LaunchTemplateActions(EcsState):
    """Launch templates and their versions."""

    # The schema calls VSwitchId required, which the API does not.
    @action("CreateLaunchTemplate", optional=("VSwitchId",))
    def create_launch_template(self, request: Request) -> dict[str, object]:
        """Keep the settings of instances under a name, as version 1."""
        name = check.read_name(request, "LaunchTemplateName", "")
        others = self.launch_templates.in_region(request.region_id)
        if any(other.name == name for other in others):
            raise errors.launch_template_duplicated(name)
        if self.cloud.terms.has_quotas and len(others) >= MAX_TEMPLATES:
            raise errors.too_many_launch_templates()
        now = self.cloud.clock()
        template = LaunchTemplate(
            id=self.cloud.new_id("lt"),
            created_at=now,
            tags=read_tags(request, "TemplateTag"),
            region_id=request.region_id,
            name=name,
            resource_group_id=request.text("TemplateResourceGroupId"),
            created_by=request.caller.principal_id,
            modified_at=now,
            default_version=1,
            latest_version=0,
        )
        return self._add_version(request, template)

    # The schema calls Period and VSwitchId required, which the API does not.
    @action("CreateLaunchTemplateVersion", optional=("VSwitchId", "Period"))
    def create_launch_template_version(self, request: Request) -> dict[str, object]:
        """Add a version, which holds what the call says alone and nothing of the version before."""
        template = self._template(request)
        num_versions = len(self.launch_templates.versions(template))
        if self.cloud.terms.has_quotas and num_versions >= MAX_TEMPLATES:
            raise errors.too_many_launch_template_versions()
        return self._add_version(request, template)

    @action("DescribeLaunchTemplates")
    def describe_launch_templates(self, request: Request) -> dict[str, object]:
        """List templates by ids, names and tags."""
        ids, names = request.texts("LaunchTemplateId"), request.texts("LaunchTemplateName")
        tags, group_id = read_tags(request, "TemplateTag"), request.text("TemplateResourceGroupId")
        found = [
            template
            for template in self.launch_templates.in_region(request.region_id)
            if (not ids or template.id in ids)
            and (not names or template.name in names)
            and has_tags(template.tags, tags)
            and group_id in ("", template.resource_group_id)
        ]
        page, head = number_page(request, found)
        rows = [template.to_answer() for template in page]
        return {**head, "LaunchTemplateSets": {"LaunchTemplateSet": rows}}

    @action("DescribeLaunchTemplateVersions")
    def describe_launch_template_versions(self, request: Request) -> dict[str, object]:
        """List a template's versions by number; their settings come along unless `DetailFlag` is false."""
        template = self._template(request)
        wanted = request.params.get("LaunchTemplateVersion") or []
        assert isinstance(wanted, list)
        low, high = request.number("MinVersion", 0), request.number("MaxVersion", template.latest_version)
        found = [
            version
            for version in self.launch_templates.versions(template)
            if (not wanted or version.number in wanted)
            and low <= version.number <= high
            and (not request.flag("DefaultVersion") or version.number == template.default_version)
        ]
        page, head = number_page(request, found)
        has_details = request.flag("DetailFlag", True)
        rows = [version.to_answer(template, has_details=has_details) for version in page]
        return {**head, "LaunchTemplateVersionSets": {"LaunchTemplateVersionSet": rows}}

    @action("ModifyLaunchTemplateDefaultVersion")
    def modify_launch_template_default_version(self, request: Request) -> dict[str, object]:
        """Say which version is taken where none is named."""
        template = self._template(request)
        number = request.number("DefaultVersionNumber", 0)
        self.launch_templates.version(template, number)
        self.launch_templates.records.put(
            replace(template, default_version=number, modified_at=self.cloud.clock())
        )
        return {"LaunchTemplateId": template.id}

    @action("DeleteLaunchTemplate")
    def delete_launch_template(self, request: Request) -> dict[str, object]:
        """Delete a template with all its versions; instances that were made by it stay."""
        template = self._template(request)
        numbers = [version.number for version in self.launch_templates.versions(template)]
        self.launch_templates.delete(template)
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateVersionNumbers": {"versionNumbers": numbers},
        }

    @action("DeleteLaunchTemplateVersion")
    def delete_launch_template_version(self, request: Request) -> dict[str, object]:
        """Delete versions, none of which may be the default one."""
        template = self._template(request)
        numbers = request.params["DeleteVersion"]
        assert isinstance(numbers, list)
        versions = [self.launch_templates.version(template, number) for number in numbers]
        if any(version.number == template.default_version for version in versions):
            raise errors.launch_template_default_version()
        for version in versions:
            self.launch_templates.delete_version(version)
        rows = [
            {"LaunchTemplateId": template.id, "LaunchTemplateVersionNumber": version.number}
            for version in versions
        ]
        return {"LaunchTemplateVersions": {"LaunchTemplateVersion": rows}}

    def _template(self, request: Request) -> LaunchTemplate:
        template_id, name = request.text("LaunchTemplateId"), request.text("LaunchTemplateName")
        if not template_id and not name:
            raise missing_parameter("LaunchTemplateId")
        # Terraform's provider sends both, the name being the one that the template is to have.
        return self.launch_templates.find(request.region_id, template_id, "" if template_id else name)

    def _add_version(self, request: Request, template: LaunchTemplate) -> dict[str, object]:
        check.read_user_data(request)
        read_tags(request)
        number, now = template.latest_version + 1, self.cloud.clock()
        self.launch_templates.records.put(replace(template, latest_version=number, modified_at=now))
        self.launch_templates.put_version(
            LaunchTemplateVersion(
                id=f"{template.id}/{number}",
                created_at=now,
                template_id=template.id,
                number=number,
                description=request.text("VersionDescription"),
                settings=settings_of(request.params),
            )
        )
        return {"LaunchTemplateId": template.id, "LaunchTemplateVersionNumber": number}
