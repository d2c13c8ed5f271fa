from __future__ import annotations

import json

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import SYSTEM_POLICIES, Attachment, Holder, Policy, Role
from steelyard.localcloud.services.ram.principal_models import Group, Membership, User, UserKey

_SYSTEM_SINCE = 1420070400.0  # 2015-01-01, the year of the API's version


class RamState(Service):
    """What the parts of the RAM service share: its records and how they are found."""

    code, version = "ram", "2015-05-01"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.roles = Records(cloud.store, Role)
        self.policies = Records(cloud.store, Policy)
        self.attachments = Records(cloud.store, Attachment)
        self.users = Records(cloud.store, User)
        self.groups = Records(cloud.store, Group)
        self.memberships = Records(cloud.store, Membership)
        self.keys = Records(cloud.store, UserKey)

    def find_role(self, role_name: str) -> Role | None:
        """Give a role, or None where there is none of this name; other services ask this, too."""
        return self.roles.get(role_name)

    def role(self, request: Request) -> Role:
        """Give the role that a call names.

        Raises:
            ApiError: `EntityNotExist.Role`.
        """
        role = self.roles.get(check.read_name(request, "RoleName"))
        if role is None:
            raise errors.role_not_found()
        return role

    def user(self, request: Request) -> User:
        """Give the user that a call names.

        Raises:
            ApiError: `EntityNotExist.User`.
        """
        user = self.find_user(check.read_name(request, "UserName"))
        if user is None:
            raise errors.user_not_found()
        return user

    def find_user(self, name: str) -> User | None:
        """Give a user, or None where there is none of this name."""
        return next((user for user in self.users.list() if user.name == name), None)

    def group(self, request: Request) -> Group:
        """Give the group that a call names.

        Raises:
            ApiError: `EntityNotExist.Group`.
        """
        group = self.find_group(check.read_name(request, "GroupName"))
        if group is None:
            raise errors.group_not_found()
        return group

    def find_group(self, name: str) -> Group | None:
        """Give a group, or None where there is none of this name."""
        return next((group for group in self.groups.list() if group.name == name), None)

    def memberships_of(self, user: User) -> list[Membership]:
        """Give a user's places in groups."""
        return [entry for entry in self.memberships.list() if entry.user_id == user.id]

    def members_of(self, group: Group) -> list[Membership]:
        """Give the places of a group."""
        return [entry for entry in self.memberships.list() if entry.member_of == group.id]

    def keys_of(self, user: User) -> list[UserKey]:
        """Give a user's access keys."""
        return [key for key in self.keys.list() if key.user_id == user.id]

    def policy(self, request: Request) -> Policy:
        """Give the policy that a call names with `PolicyType` and `PolicyName`.

        Raises:
            ApiError: `InvalidParameter.PolicyType` or `EntityNotExist.Policy`.
        """
        policy_type = request.text("PolicyType")
        if policy_type not in ("Custom", "System"):
            raise errors.invalid_value("PolicyType")
        policy = self.find_policy(policy_type, check.read_name(request, "PolicyName"))
        if policy is None:
            raise errors.policy_not_found()
        return policy

    def custom_policy(self, request: Request) -> Policy:
        """Give the custom policy that a call names; a system policy cannot be changed.

        Raises:
            ApiError: `EntityNotExist.Policy`.
        """
        policy = self.policies.get(check.read_name(request, "PolicyName"))
        if policy is None:
            raise errors.policy_not_found()
        return policy

    def find_policy(self, policy_type: str, name: str) -> Policy | None:
        """Give a policy, or None where there is none of this type and name."""
        if policy_type == "Custom":
            return self.policies.get(name)
        return system_policy(name) if name in SYSTEM_POLICIES else None

    def num_attachments(self, policy: Policy) -> int:
        """Count what a policy is attached to."""
        return len(self.attachments_of_policy(policy))

    def attachments_of_policy(self, policy: Policy) -> list[Attachment]:
        """Give the attachments of a policy."""
        wanted = (policy.type, policy.id)
        return [
            entry for entry in self.attachments.list() if (entry.policy_type, entry.policy_name) == wanted
        ]

    def attachments_of(self, holder: Holder, holder_id: str) -> list[Attachment]:
        """Give the attachments of a role, a user or a group."""
        wanted = (holder.value, holder_id)
        return [entry for entry in self.attachments.list() if (entry.holder, entry.holder_id) == wanted]


def system_policy(name: str) -> Policy:
    """Make one of the provider's own policies."""
    product = SYSTEM_POLICIES[name]
    verbs = ["Describe*", "List*", "Get*"] if name.endswith("ReadOnlyAccess") else ["*"]
    actions = [verb if product == "*" and verb == "*" else f"{product}:{verb}" for verb in verbs]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return Policy(
        id=name,
        created_at=_SYSTEM_SINCE,
        type="System",
        description="",
        default_version="v1",
        documents={"v1": json.dumps({"Version": "1", "Statement": [statement]})},
        version_times={"v1": _SYSTEM_SINCE},
        num_versions=1,
        updated_at=_SYSTEM_SINCE,
    )
