from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms import errors
from steelyard.localcloud.services.cms.models import Contact, ContactGroup
from steelyard.localcloud.services.cms.state import DONE, CmsState
from steelyard.localcloud.wire.error import missing_parameter

_CHANNELS = ("Mail", "SMS", "AliIM", "DingWebHook")


class ContactActions(CmsState):
    """Contacts and contact groups; an address needs no confirmation here, and is never written to."""

    @action("PutContact")
    def put_contact(self, request: Request) -> dict[str, object]:
        """Create a contact, or change it."""
        given = request.params.get("Channels") or {}
        assert isinstance(given, dict)
        channels = {name: str(given[name]) for name in _CHANNELS if given.get(name)}
        if not channels:
            raise missing_parameter("Channels.Mail")
        name, now = request.text("ContactName"), self.cloud.clock()
        before = self.contacts.get(name)
        self.contacts.put(
            Contact(
                id=name,
                created_at=now if before is None else before.created_at,
                describe=request.text("Describe"),
                channels=channels,
                lang=request.text("Lang") or "zh-cn",
                updated_at=now,
            )
        )
        return dict(DONE)

    @action("DescribeContactList", optional=("ChanelValue",))
    def describe_contact_list(self, request: Request) -> dict[str, object]:
        """List contacts by name and by an address of theirs."""
        name, kind, value = (request.text(one) for one in ("ContactName", "ChanelType", "ChanelValue"))
        found = [
            contact
            for contact in self.contacts.list()
            if name in ("", contact.id) and (not value or contact.channels.get(kind or "Mail") == value)
        ]
        page, _ = number_page(request, found, max_size=100)
        rows = [{**one.to_answer(), "ContactGroups": self._groups_of(one.id)} for one in page]
        return {**DONE, "Contacts": {"Contact": rows}, "Total": len(found)}

    @action("DeleteContact")
    def delete_contact(self, request: Request) -> dict[str, object]:
        """Delete a contact, which leaves its groups."""
        name = request.text("ContactName")
        if self.contacts.get(name) is None:
            raise errors.contact_not_found(name)
        self.contacts.delete(name)
        for group in self.contact_groups.list():
            if name in group.contacts:
                kept = tuple(contact for contact in group.contacts if contact != name)
                self.contact_groups.put(replace(group, contacts=kept))
        return dict(DONE)

    @action("PutContactGroup")
    def put_contact_group(self, request: Request) -> dict[str, object]:
        """Create a contact group, or change it."""
        contacts = request.texts("ContactNames")
        for contact in contacts:
            if self.contacts.get(contact) is None:
                raise errors.contact_not_found(contact)
        name, now = request.text("ContactGroupName"), self.cloud.clock()
        before = self.contact_groups.get(name)
        self.contact_groups.put(
            ContactGroup(
                id=name,
                created_at=now if before is None else before.created_at,
                describe=request.text("Describe"),
                contacts=tuple(dict.fromkeys(contacts)),
                is_subscribed=request.flag("EnableSubscribed"),
                updated_at=now,
            )
        )
        return dict(DONE)

    @action("DescribeContactGroupList")
    def describe_contact_group_list(self, request: Request) -> dict[str, object]:
        """List contact groups."""
        groups = self.contact_groups.list()
        page, _ = number_page(request, groups, max_size=100)
        return {
            **DONE,
            "ContactGroupList": {"ContactGroup": [group.to_answer() for group in page]},
            "ContactGroups": {"ContactGroup": [group.id for group in page]},
            "Total": len(groups),
        }

    @action("DescribeContactListByContactGroup")
    def describe_contact_list_by_contact_group(self, request: Request) -> dict[str, object]:
        """List the contacts of a group."""
        name = request.text("ContactGroupName")
        group = self.contact_groups.get(name)
        if group is None:
            raise errors.contact_group_not_found(name)
        found = [contact for one in group.contacts if (contact := self.contacts.get(one)) is not None]
        return {**DONE, "Contacts": {"Contact": [contact.to_answer() for contact in found]}}

    @action("DeleteContactGroup")
    def delete_contact_group(self, request: Request) -> dict[str, object]:
        """Delete a contact group that no alarm rule tells."""
        name = request.text("ContactGroupName")
        if self.contact_groups.get(name) is None:
            raise errors.contact_group_not_found(name)
        if any(name in rule.contact_groups.split(",") for rule in self.rules.list()):
            raise errors.contact_group_in_use(name)
        self.contact_groups.delete(name)
        return dict(DONE)

    def _groups_of(self, contact: str) -> dict[str, object]:
        names = [group.id for group in self.contact_groups.list() if contact in group.contacts]
        return {"ContactGroup": names}
