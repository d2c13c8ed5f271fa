from __future__ import annotations

from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.attribute_actions import AttributeActions
from steelyard.localcloud.services.ecs.offer_actions import OfferActions
from steelyard.localcloud.services.ecs.power_actions import PowerActions
from steelyard.localcloud.services.ecs.rule_actions import RuleActions
from steelyard.localcloud.services.ecs.security_group_actions import SecurityGroupActions
from steelyard.localcloud.tag import list_tags, set_tags, unset_tags


class EcsService(AttributeActions, PowerActions, SecurityGroupActions, RuleActions, OfferActions):
    """Instances, security groups, the catalogue and tags."""

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on instances or security groups."""
        records = self._tagged_records(request)
        set_tags(request, records, ids_name="ResourceId", not_found=errors.resource_not_found)
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        records = self._tagged_records(request)
        unset_tags(
            request, records, ids_name="ResourceId", keys_name="TagKey", not_found=errors.resource_not_found
        )
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(request, self._tagged_records(request), ids_name="ResourceId")
        resource_type = request.text("ResourceType").lower()
        entries = [
            {"ResourceId": record.id, "ResourceType": resource_type, "TagKey": key, "TagValue": value}
            for record, key, value in page
        ]
        return {"TagResources": {"TagResource": entries}, "NextToken": token}

    def _tagged_records(self, request: Request) -> Records[Any]:
        resource_type = request.text("ResourceType")
        if resource_type.lower() == "instance":
            return self.instances
        if resource_type.lower() == "securitygroup":
            return self.security_groups
        raise errors.unknown_resource_type(resource_type)
