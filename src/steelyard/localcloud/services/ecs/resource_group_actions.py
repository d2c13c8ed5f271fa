from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, errors
from steelyard.localcloud.tag_actions import TagActions

_TYPES = ("instance", "disk", "snapshot", "securitygroup", "eni", "keypair", "image", "launchtemplate")


class ResourceGroupActions(TagActions):
    """Which resource groups the product's resources are in."""

    @action("JoinResourceGroup")
    def join_resource_group(self, request: Request) -> dict[str, object]:
        """Put an instance, or one of its parts, a security group, a key pair or an image into a resource group."""
        kind, resource_id = request.text("ResourceType").lower(), request.text("ResourceId")
        if kind not in _TYPES:
            raise errors.value_not_supported("ResourceType", request.text("ResourceType"))
        records = self.tagged_records_in(request.region_id, kind)
        assert records is not None
        record = records.get(resource_id)
        if record is None:
            raise change_errors.resource_not_found(resource_id)
        records.put(replace(record, resource_group_id=request.text("ResourceGroupId")))
        return {}
