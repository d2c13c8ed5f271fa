from __future__ import annotations

import secrets
import string
from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import Attachment, Role
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.text import utc_text


class RoleActions(RamState):
    """Roles and the policies attached to them."""

    @action("CreateRole")
    def create_role(self, request: Request) -> dict[str, object]:
        """Create a role that some principal may take."""
        name = check.read_name(request, "RoleName")
        if self.roles.get(name):
            raise errors.role_exists()
        now = self.cloud.clock()
        role = Role(
            id=name,
            created_at=now,
            tags=read_tags(request),
            role_id="3" + "".join(secrets.choice(string.digits) for _ in range(17)),
            arn=f"acs:ram::{self.cloud.identity.account_id}:role/{name.lower()}",
            trust_policy=check.read_trust_policy(request, "AssumeRolePolicyDocument"),
            description=check.read_description(request, "Description"),
            max_session_s=check.read_session_duration(request, "MaxSessionDuration", 3600),
            updated_at=now,
        )
        self.roles.put(role)
        return {"Role": role.to_answer()}

    @action("GetRole")
    def get_role(self, request: Request) -> dict[str, object]:
        """Give one role."""
        return {"Role": self.role(request).to_answer()}

    @action("UpdateRole")
    def update_role(self, request: Request) -> dict[str, object]:
        """Change who may take a role, for how long, or its description."""
        role = self.role(request)
        trust_policy = role.trust_policy
        if request.text("NewAssumeRolePolicyDocument"):
            trust_policy = check.read_trust_policy(request, "NewAssumeRolePolicyDocument")
        role = replace(
            role,
            trust_policy=trust_policy,
            description=check.read_description(request, "NewDescription", role.description),
            max_session_s=check.read_session_duration(request, "NewMaxSessionDuration", role.max_session_s),
            updated_at=self.cloud.clock(),
        )
        self.roles.put(role)
        return {"Role": role.to_answer()}

    @action("DeleteRole")
    def delete_role(self, request: Request) -> dict[str, object]:
        """Delete a role to which no policy is attached."""
        role = self.role(request)
        if self.attachments_of_role(role.id):
            raise errors.role_has_policies()
        self.roles.delete(role.id)
        return {}

    @action("ListRoles")
    def list_roles(self, request: Request) -> dict[str, object]:
        """List roles."""
        wanted = read_tags(request)
        roles = [role for role in self.roles.list() if has_tags(role.tags, wanted)]
        page, marker = token_page(request, roles, token_name="Marker", size_name="MaxItems", default=100)
        answers = [role.to_answer() for role in page]
        return {"Roles": {"Role": answers}, "IsTruncated": bool(marker), "Marker": marker or None}

    @action("AttachPolicyToRole")
    def attach_policy_to_role(self, request: Request) -> dict[str, object]:
        """Give a role what a policy allows."""
        policy, role = self.policy(request), self.role(request)
        attachment = Attachment(
            id=Attachment.id_of(role.id, policy.type, policy.id),
            created_at=self.cloud.clock(),
            role_name=role.id,
            policy_type=policy.type,
            policy_name=policy.id,
        )
        if self.attachments.get(attachment.id):
            raise errors.already_attached()
        self.attachments.put(attachment)
        return {}

    @action("DetachPolicyFromRole")
    def detach_policy_from_role(self, request: Request) -> dict[str, object]:
        """Take from a role what a policy allows."""
        policy, role = self.policy(request), self.role(request)
        attachment_id = Attachment.id_of(role.id, policy.type, policy.id)
        if self.attachments.get(attachment_id) is None:
            raise errors.not_attached()
        self.attachments.delete(attachment_id)
        return {}

    @action("ListPoliciesForRole")
    def list_policies_for_role(self, request: Request) -> dict[str, object]:
        """List the policies that are attached to a role."""
        attached = []
        for attachment in self.attachments_of_role(self.role(request).id):
            policy = self.find_policy(attachment.policy_type, attachment.policy_name)
            if policy is not None:
                attached.append({**policy.to_answer(0), "AttachDate": utc_text(attachment.created_at)})
        return {"Policies": {"Policy": attached}}
