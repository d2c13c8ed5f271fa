from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import Holder, Role
from steelyard.localcloud.services.ram.principal_models import random_digits
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.tag import has_tags, read_tags


class RoleActions(RamState):
    """Roles."""

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
            role_id=f"3{random_digits(17)}",
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
        if self.attachments_of(Holder.ROLE, role.id):
            raise errors.still_has("Role", "Policy")
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
