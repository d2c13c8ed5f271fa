"""Templates of application load balancers' health checks."""

from __future__ import annotations

from typing import ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.alb import AlbType, tag_writer
from steelyard.deploy.provider.alb_shape import found, sent
from steelyard.deploy.provider.api import ALB, Api
from steelyard.deploy.provider.tag import tag_map

_BUSY = (*AlbType.busy, "IncorrectStatus.HealthCheckTemplate")


class HealthCheckTemplate(AlbType):
    """`alicloud.alb.HealthCheckTemplate`."""

    token = "alicloud:alb/healthCheckTemplate:HealthCheckTemplate"
    create_only = frozenset({"resourceGroupId"})
    changeable = frozenset(
        {
            "healthCheckCodes",
            "healthCheckConnectPort",
            "healthCheckHost",
            "healthCheckHttpVersion",
            "healthCheckInterval",
            "healthCheckMethod",
            "healthCheckPath",
            "healthCheckProtocol",
            "healthCheckTemplateName",
            "healthCheckTimeout",
            "healthyThreshold",
            "tags",
            "unhealthyThreshold",
        }
    )

    _ATTRIBUTES: ClassVar = changeable - {"tags"}

    def create(self, api: Api, inputs: Values) -> str:
        """CreateHealthCheckTemplate, TagResources."""
        names = self.create_only | self._ATTRIBUTES
        params = {**sent({name: inputs.get(name) for name in names}), "ClientToken": api.operation.token}
        answer = api.call(ALB, "CreateHealthCheckTemplate", params, retry_on=_BUSY)
        template_id = str(answer["HealthCheckTemplateId"])
        api.operation.allocated(template_id)
        tag_writer(api, "healthchecktemplate").change(template_id, {}, inputs)
        return template_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetHealthCheckTemplateAttribute."""
        params = {"HealthCheckTemplateId": resource_id}
        answer = api.call(ALB, "GetHealthCheckTemplateAttribute", params)
        names = self.create_only | self._ATTRIBUTES
        known = {name: value for name, value in found(answer).items() if name in names}
        return {**known, "tags": tag_map(answer.get("Tags") or [])}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """UpdateHealthCheckTemplateAttribute with what changed, and the tags' actions."""
        changed = {name: new.get(name) for name in self._ATTRIBUTES if old.get(name) != new.get(name)}
        if changed:
            params = {"HealthCheckTemplateId": resource_id, **sent(changed)}
            api.call(ALB, "UpdateHealthCheckTemplateAttribute", params, retry_on=_BUSY)
        tag_writer(api, "healthchecktemplate").change(resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteHealthCheckTemplates."""
        params = {"HealthCheckTemplateIds": [resource_id]}
        api.call(ALB, "DeleteHealthCheckTemplates", params, retry_on=_BUSY)
