from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.models import HealthCheckTemplate
from steelyard.localcloud.services.alb.server_group_actions import ServerGroupActions
from steelyard.localcloud.services.alb.setting import read_check
from steelyard.localcloud.tag import has_tags, read_tags


class TemplateActions(ServerGroupActions):
    """Templates of health checks; a server group takes the settings over and does not follow later changes."""

    @action("CreateHealthCheckTemplate")
    def create_health_check_template(self, request: Request) -> dict[str, object]:
        """Create a template."""
        template = HealthCheckTemplate(
            id=self.cloud.new_id("hct"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=self.read_name(request, "HealthCheckTemplateName", ""),
            resource_group_id=request.text("ResourceGroupId"),
            check=read_check(request.params),
        )
        self.check_templates.put(template)
        return {"HealthCheckTemplateId": template.id}

    @action("GetHealthCheckTemplateAttribute")
    def get_health_check_template_attribute(self, request: Request) -> dict[str, object]:
        """Give one template."""
        return self._template(request.text("HealthCheckTemplateId")).to_answer()

    @action("ListHealthCheckTemplates")
    def list_health_check_templates(self, request: Request) -> dict[str, object]:
        """List templates by ids, names, resource group and tags."""
        ids, names = request.texts("HealthCheckTemplateIds"), request.texts("HealthCheckTemplateNames")
        tags = read_tags(request)
        found = [
            template
            for template in self.check_templates.list()
            if template.region_id == request.region_id
            and (not ids or template.id in ids)
            and (not names or template.name in names)
            and request.text("ResourceGroupId") in ("", template.resource_group_id)
            and has_tags(template.tags, tags)
        ]
        return token_answer(request, "HealthCheckTemplates", found, HealthCheckTemplate.to_answer)

    @action("UpdateHealthCheckTemplateAttribute")
    def update_health_check_template_attribute(self, request: Request) -> dict[str, object]:
        """Change a template."""
        template = self._template(request.text("HealthCheckTemplateId"))
        name = self.read_name(request, "HealthCheckTemplateName", template.name)
        check = read_check(request.params, template.check)
        self.check_templates.put(replace(template, name=name, check=check))
        return {}

    @action("DeleteHealthCheckTemplates")
    def delete_health_check_templates(self, request: Request) -> dict[str, object]:
        """Delete templates, all or none."""
        for template_id in request.texts("HealthCheckTemplateIds"):
            self.check_templates.delete(self._template(template_id).id)
        return {}

    @action("ApplyHealthCheckTemplateToServerGroup")
    def apply_health_check_template(self, request: Request) -> dict[str, object]:
        """Let a server group check as a template says."""
        group, template = self.settled_group(request), self._template(request.text("HealthCheckTemplateId"))
        return self.put_group(request, replace(group, check={**template.check, "HealthCheckEnabled": True}))

    def _template(self, template_id: str) -> HealthCheckTemplate:
        template = self.check_templates.get(template_id)
        if template is None:
            raise self.not_found("healthCheckTemplate")
        return template
