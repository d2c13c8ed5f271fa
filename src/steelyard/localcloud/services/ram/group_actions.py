from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import check, errors
from steelyard.localcloud.services.ram.models import Holder
from steelyard.localcloud.services.ram.principal_models import Group, Membership, random_letters
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.text import utc_text

MAX_GROUPS = 50


class GroupActions(RamState):
    """Groups of users, and who is in them."""

    @action("CreateGroup")
    def create_group(self, request: Request) -> dict[str, object]:
        """Create a group of nobody."""
        name = check.read_name(request, "GroupName")
        if self.find_group(name):
            raise errors.group_exists()
        if self.cloud.terms.has_quotas and len(self.groups.list()) >= MAX_GROUPS:
            raise errors.too_many("Group", MAX_GROUPS)
        now = self.cloud.clock()
        group = Group(
            id=f"g-{random_letters(16)}",
            created_at=now,
            name=name,
            comments=check.read_description(request, "Comments", max_length=check.MAX_COMMENTS),
            updated_at=now,
        )
        self.groups.put(group)
        return {"Group": group.to_answer()}

    @action("GetGroup")
    def get_group(self, request: Request) -> dict[str, object]:
        """Give one group."""
        return {"Group": self.group(request).to_answer()}

    @action("ListGroups")
    def list_groups(self, request: Request) -> dict[str, object]:
        """List groups."""
        page, marker = token_page(
            request, self.groups.list(), token_name="Marker", size_name="MaxItems", default=100
        )
        answers = [group.to_answer() for group in page]
        return {"Groups": {"Group": answers}, "IsTruncated": bool(marker), "Marker": marker or None}

    @action("UpdateGroup")
    def update_group(self, request: Request) -> dict[str, object]:
        """Change a group's name or what is said of it."""
        group = self.group(request)
        name = group.name
        if request.text("NewGroupName"):
            name = check.read_name(request, "NewGroupName")
            if name != group.name and self.find_group(name):
                raise errors.group_exists()
        group = replace(
            group,
            name=name,
            comments=check.read_description(request, "NewComments", group.comments, check.MAX_COMMENTS),
            updated_at=self.cloud.clock(),
        )
        self.groups.put(group)
        return {"Group": group.to_answer()}

    @action("DeleteGroup")
    def delete_group(self, request: Request) -> dict[str, object]:
        """Delete a group without users and policies."""
        group = self.group(request)
        if self.members_of(group):
            raise errors.still_has("Group", "User")
        if self.attachments_of(Holder.GROUP, group.id):
            raise errors.still_has("Group", "Policy")
        self.groups.delete(group.id)
        return {}

    @action("AddUserToGroup")
    def add_user_to_group(self, request: Request) -> dict[str, object]:
        """Let a user do what a group may do."""
        user, group = self.user(request), self.group(request)
        membership = Membership(
            id=Membership.id_of(user, group),
            created_at=self.cloud.clock(),
            user_id=user.id,
            member_of=group.id,
        )
        if self.memberships.get(membership.id):
            raise errors.already_member()
        self.memberships.put(membership)
        return {}

    @action("RemoveUserFromGroup")
    def remove_user_from_group(self, request: Request) -> dict[str, object]:
        """Let a user do no more what a group may do."""
        membership_id = Membership.id_of(self.user(request), self.group(request))
        if self.memberships.get(membership_id) is None:
            raise errors.not_member()
        self.memberships.delete(membership_id)
        return {}

    @action("ListGroupsForUser")
    def list_groups_for_user(self, request: Request) -> dict[str, object]:
        """List the groups that a user is in."""
        answers = []
        for membership in self.memberships_of(self.user(request)):
            group = self.groups.get(membership.member_of)
            if group is not None:
                answers.append({**group.to_answer(), "JoinDate": utc_text(membership.created_at)})
        return {"Groups": {"Group": answers}}

    @action("ListUsersForGroup")
    def list_users_for_group(self, request: Request) -> dict[str, object]:
        """List the users of a group."""
        page, marker = token_page(
            request,
            self.members_of(self.group(request)),
            token_name="Marker",
            size_name="MaxItems",
            default=100,
        )
        answers = []
        for membership in page:
            user = self.users.get(membership.user_id)
            if user is not None:
                answers.append({**user.to_answer(), "JoinDate": utc_text(membership.created_at)})
        return {"Users": {"User": answers}, "IsTruncated": bool(marker), "Marker": marker or None}
