from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.access_list import MAX_ENTRIES, AccessControlList, Entry, read_entries
from steelyard.localcloud.services.slb.models import Listener
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served


class AccessListActions(SlbState):
    """Access control lists. What changes is in force, for new connections, when the answer comes."""

    @action("CreateAccessControlList")
    def create_access_control_list(self, request: Request) -> dict[str, object]:
        """Create an empty list."""
        if request.text("AddressIPVersion", "ipv4").lower() != "ipv4":
            raise not_served("access control lists of IPv6")
        access_list = AccessControlList(
            id=self.cloud.new_id("acl"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=_name(request),
            resource_group_id=request.text("ResourceGroupId"),
        )
        self.access_lists.put(access_list)
        return {"AclId": access_list.id}

    @action("DescribeAccessControlLists")
    def describe_access_control_lists(self, request: Request) -> dict[str, object]:
        """List the region's lists by name and tags."""
        name, tags = request.text("AclName"), read_tags(request)
        found = [
            access_list
            for access_list in self.access_lists.list()
            if access_list.region_id == request.region_id
            and name in access_list.name
            and has_tags(access_list.tags, tags)
        ]
        page, head = number_page(request, found)
        return {**head, "Count": len(page), "Acls": {"Acl": [item.to_answer() for item in page]}}

    @action("DescribeAccessControlListAttribute")
    def describe_access_control_list_attribute(self, request: Request) -> dict[str, object]:
        """Give one list with its ranges and the listeners that name it; `Page` and `PageSize` cut the ranges."""
        access_list = self._access_list(request)
        comment = request.text("AclEntryComment")
        entries = [entry for entry in access_list.entries if comment in entry["AclEntryComment"]]
        number, size = request.number("Page", 1), request.number("PageSize", MAX_ENTRIES)
        if number < 1 or not 1 <= size <= MAX_ENTRIES:
            raise invalid_parameter("PageSize", size, f"from 1 to {MAX_ENTRIES}, from page 1 on")
        users = [
            {
                "LoadBalancerId": listener.load_balancer_id,
                "ListenerPort": listener.port,
                "Protocol": listener.protocol,
                "AclType": listener.settings["AclType"],
            }
            for listener in self._users(access_list)
        ]
        return {
            **access_list.to_answer(),
            "AclEntrys": {"AclEntry": entries[(number - 1) * size : number * size]},
            "RelatedListeners": {"RelatedListener": users},
            "TotalAclEntry": len(entries),
        }

    @action("SetAccessControlListAttribute")
    def set_access_control_list_attribute(self, request: Request) -> dict[str, object]:
        """Change a list's name."""
        access_list = replace(self._access_list(request), name=_name(request))
        self.access_lists.put(access_list)
        return {"AclId": access_list.id}

    @action("AddAccessControlListEntry")
    def add_access_control_list_entry(self, request: Request) -> dict[str, object]:
        """Add ranges; one that is there takes the new comment."""
        access_list = self._access_list(request)
        entries = {entry["AclEntryIP"]: entry for entry in [*access_list.entries, *read_entries(request)]}
        if len(entries) > MAX_ENTRIES:
            raise errors.too_many_access_entries(len(entries), MAX_ENTRIES)
        return self._put(request, access_list, tuple(entries.values()))

    @action("RemoveAccessControlListEntry")
    def remove_access_control_list_entry(self, request: Request) -> dict[str, object]:
        """Remove ranges, all of which have to be there."""
        access_list = self._access_list(request)
        gone = {entry["AclEntryIP"] for entry in read_entries(request)}
        if not gone <= set(access_list.cidrs):
            raise errors.access_entry_missing()
        kept = tuple(entry for entry in access_list.entries if entry["AclEntryIP"] not in gone)
        return self._put(request, access_list, kept)

    @action("DeleteAccessControlList")
    def delete_access_control_list(self, request: Request) -> dict[str, object]:
        """Delete a list that no listener names."""
        access_list = self._access_list(request)
        if self._users(access_list):
            raise errors.access_list_in_use()
        self.access_lists.delete(access_list.id)
        return {}

    def _access_list(self, request: Request) -> AccessControlList:
        access_list = self.access_lists.get(request.text("AclId"))
        if access_list is None:
            raise errors.access_list_not_found()
        return access_list

    def _users(self, access_list: AccessControlList) -> list[Listener]:
        return [one for one in self.listeners.list() if access_list.id in one.access_list_ids]

    def _put(
        self, request: Request, access_list: AccessControlList, entries: tuple[Entry, ...]
    ) -> dict[str, object]:
        self.access_lists.put(replace(access_list, entries=entries))
        self.apply(request, *dict.fromkeys(one.load_balancer_id for one in self._users(access_list)))
        return {}


def _name(request: Request) -> str:
    name = request.text("AclName")
    if not 1 <= len(name) <= 80:
        raise invalid_parameter("AclName", name, "of 1 to 80 characters")
    return name
