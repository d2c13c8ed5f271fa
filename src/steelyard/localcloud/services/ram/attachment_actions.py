from __future__ import annotations

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.services.ram.models import Attachment, Holder, Role
from steelyard.localcloud.services.ram.principal_models import Group, User
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.text import utc_text


class AttachmentActions(RamState):
    """Policies that are attached to roles, users and groups."""

    @action("AttachPolicyToRole")
    def attach_policy_to_role(self, request: Request) -> dict[str, object]:
        """Give a role what a policy allows."""
        return self._attach(request, Holder.ROLE)

    @action("AttachPolicyToUser")
    def attach_policy_to_user(self, request: Request) -> dict[str, object]:
        """Give a user what a policy allows."""
        return self._attach(request, Holder.USER)

    @action("AttachPolicyToGroup")
    def attach_policy_to_group(self, request: Request) -> dict[str, object]:
        """Give a group's users what a policy allows."""
        return self._attach(request, Holder.GROUP)

    @action("DetachPolicyFromRole")
    def detach_policy_from_role(self, request: Request) -> dict[str, object]:
        """Take from a role what a policy allows."""
        return self._detach(request, Holder.ROLE)

    @action("DetachPolicyFromUser")
    def detach_policy_from_user(self, request: Request) -> dict[str, object]:
        """Take from a user what a policy allows."""
        return self._detach(request, Holder.USER)

    @action("DetachPolicyFromGroup")
    def detach_policy_from_group(self, request: Request) -> dict[str, object]:
        """Take from a group's users what a policy allows."""
        return self._detach(request, Holder.GROUP)

    @action("ListPoliciesForRole")
    def list_policies_for_role(self, request: Request) -> dict[str, object]:
        """List the policies that are attached to a role."""
        return self._list(request, Holder.ROLE)

    @action("ListPoliciesForUser")
    def list_policies_for_user(self, request: Request) -> dict[str, object]:
        """List the policies that are attached to a user itself."""
        return self._list(request, Holder.USER)

    @action("ListPoliciesForGroup")
    def list_policies_for_group(self, request: Request) -> dict[str, object]:
        """List the policies that are attached to a group."""
        return self._list(request, Holder.GROUP)

    @action("ListEntitiesForPolicy")
    def list_entities_for_policy(self, request: Request) -> dict[str, object]:
        """List the roles, users and groups that a policy is attached to."""
        found: dict[Holder, list[dict[str, object]]] = {holder: [] for holder in Holder}
        for attachment in self.attachments_of_policy(self.policy(request)):
            holder = Holder(attachment.holder)
            held_by = self._describe(holder, attachment.holder_id)
            if held_by is not None:
                found[holder].append({**held_by, "AttachDate": utc_text(attachment.created_at)})
        return {f"{holder.value}s": {holder.value: entries} for holder, entries in found.items()}

    def _describe(self, holder: Holder, holder_id: str) -> dict[str, object] | None:
        record: Role | User | Group | None
        match holder:
            case Holder.ROLE:
                record = self.roles.get(holder_id)
            case Holder.USER:
                record = self.users.get(holder_id)
            case Holder.GROUP:
                record = self.groups.get(holder_id)
        return None if record is None else record.to_answer()

    def _holder_id(self, request: Request, holder: Holder) -> str:
        find = {Holder.ROLE: self.role, Holder.USER: self.user, Holder.GROUP: self.group}[holder]
        return find(request).id

    def _attach(self, request: Request, holder: Holder) -> dict[str, object]:
        # What is for one resource group alone would be for all.
        request.refuse_unserved("ResourceGroupId")
        policy, holder_id = self.policy(request), self._holder_id(request, holder)
        attachment = Attachment(
            id=Attachment.id_of(holder, holder_id, policy),
            created_at=self.cloud.clock(),
            holder=holder.value,
            holder_id=holder_id,
            policy_type=policy.type,
            policy_name=policy.id,
        )
        if self.attachments.get(attachment.id):
            raise errors.already_attached(holder.value)
        self.attachments.put(attachment)
        return {}

    def _detach(self, request: Request, holder: Holder) -> dict[str, object]:
        policy, holder_id = self.policy(request), self._holder_id(request, holder)
        attachment_id = Attachment.id_of(holder, holder_id, policy)
        if self.attachments.get(attachment_id) is None:
            raise errors.not_attached(holder.value)
        self.attachments.delete(attachment_id)
        return {}

    def _list(self, request: Request, holder: Holder) -> dict[str, object]:
        attached = []
        for attachment in self.attachments_of(holder, self._holder_id(request, holder)):
            policy = self.find_policy(attachment.policy_type, attachment.policy_name)
            if policy is not None:
                attached.append({**policy.to_answer(0), "AttachDate": utc_text(attachment.created_at)})
        return {"Policies": {"Policy": attached}}
