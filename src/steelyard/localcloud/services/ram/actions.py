from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.services.ram.access_key_actions import AccessKeyActions
from steelyard.localcloud.services.ram.attachment_actions import AttachmentActions
from steelyard.localcloud.services.ram.authorization import Authorization
from steelyard.localcloud.services.ram.group_actions import GroupActions
from steelyard.localcloud.services.ram.policy_actions import PolicyActions
from steelyard.localcloud.services.ram.role_actions import RoleActions
from steelyard.localcloud.services.ram.user_actions import UserActions
from steelyard.localcloud.tag import list_tags, set_tags, unset_tags
from steelyard.localcloud.wire.error import ApiError


class RamService(
    RoleActions,
    UserActions,
    AccessKeyActions,
    GroupActions,
    PolicyActions,
    AttachmentActions,
    Authorization,
):
    """Roles, users, groups, policies and their attachments, and what they allow; it belongs to no region."""

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on roles or policies."""
        set_tags(
            request, self._tagged_records(request), ids_name="ResourceNames", not_found=_not_found(request)
        )
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        unset_tags(
            request,
            self._tagged_records(request),
            ids_name="ResourceNames",
            keys_name="TagKeys",
            not_found=_not_found(request),
        )
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(
            request, self._tagged_records(request), ids_name="ResourceNames", size_name="PageSize"
        )
        entries = [
            {
                "ResourceName": record.id,
                "ResourceType": request.text("ResourceType"),
                "TagKey": key,
                "TagValue": value,
            }
            for record, key, value in page
        ]
        return {"TagResources": entries, "NextToken": token}

    def _tagged_records(self, request: Request) -> Records[Any]:
        resource_type = request.text("ResourceType").lower()
        if resource_type == "role":
            return self.roles
        if resource_type == "policy":
            return self.policies
        raise errors.invalid_value("ResourceType")


def _not_found(request: Request) -> Callable[[str], ApiError]:
    is_role = request.text("ResourceType").lower() == "role"
    return lambda _: errors.role_not_found() if is_role else errors.policy_not_found()
