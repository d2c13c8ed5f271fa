from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors, part_errors
from steelyard.localcloud.services.ecs.prefix_list import (
    IPV4,
    IPV6,
    MAX_ENTRIES,
    MAX_LISTS,
    Entry,
    PrefixList,
    count_users,
    shortest,
    users_of,
)
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

_MOST = 100
"""Lists on a page (help page of DescribePrefixLists)."""
_RESERVED = ("com.aliyun", "com.alibabacloud")


class PrefixListActions(EcsState):
    """Prefix lists; a change of one is in force on instances at once, as one of a rule is."""

    @action("CreatePrefixList")
    def create_prefix_list(self, request: Request) -> dict[str, object]:
        """Make a prefix list with its first entries."""
        family = check.read_choice(request, "AddressFamily", (IPV4, IPV6), IPV4)
        most = request.number("MaxEntries", 0)
        if not 1 <= most <= MAX_ENTRIES:
            raise invalid_parameter("MaxEntries", most, f"from 1 to {MAX_ENTRIES}")
        if self.cloud.terms.has_quotas and self.prefix_lists.are_at_least(
            MAX_LISTS, "region_id", request.region_id
        ):
            raise part_errors.too_many_prefix_lists()
        made = PrefixList(
            id=self.cloud.new_id("pl"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=_name(request, ""),
            description=check.read_description(request),
            address_family=family,
            max_entries=most,
            resource_group_id=request.text("ResourceGroupId"),
        )
        entries = _read_entries(request, "Entry", family)
        self.prefix_lists.put(_with_entries(made, tuple(entries.values())))
        return {"PrefixListId": made.id}

    @action("DescribePrefixLists")
    def describe_prefix_lists(self, request: Request) -> dict[str, object]:
        """List prefix lists by ids, name, family, resource group and tags."""
        ids, tags = request.texts("PrefixListId"), read_tags(request)
        num_users = count_users(self.security_groups.list())
        names = ("PrefixListName", "AddressFamily", "ResourceGroupId")
        rows = [
            one.to_answer(num_users[one.id])
            for one in self.prefix_lists.where("region_id", request.region_id)
            if (not ids or one.id in ids) and has_tags(one.tags, tags)
        ]
        found = [row for row in rows if all(request.text(name) in ("", row[name]) for name in names)]
        page, token = token_page(request, found, default=10, most=_MOST)
        return {"NextToken": token, "PrefixLists": {"PrefixList": list(page)}}

    @action("DescribePrefixListAttributes")
    def describe_prefix_list_attributes(self, request: Request) -> dict[str, object]:
        """Give one prefix list with its entries."""
        return self._prefix_list(request).to_answer(0)

    @action("DescribePrefixListAssociations")
    def describe_prefix_list_associations(self, request: Request) -> dict[str, object]:
        """List the security groups of which a rule names a prefix list."""
        one = self._prefix_list(request)
        rows = [
            {"ResourceId": group.id, "ResourceType": "securitygroup"}
            for group in users_of(one.id, self.security_groups.list())
        ]
        page, token = token_page(request, rows, default=10, most=_MOST)
        return {"NextToken": token, "PrefixListAssociations": {"PrefixListAssociation": list(page)}}

    @action("ModifyPrefixList")
    def modify_prefix_list(self, request: Request) -> dict[str, object]:
        """Change a prefix list's name and description, remove entries, and add some or describe them anew."""
        one = self._prefix_list(request)
        removed = _read_entries(request, "RemoveEntry", one.address_family)
        added = _read_entries(request, "AddEntry", one.address_family)
        kept = {entry["Cidr"]: entry for entry in one.entries}
        for cidr in removed:
            if cidr in added or cidr not in kept:
                raise invalid_parameter(
                    "RemoveEntry.N.Cidr", cidr, "an entry that is there, and not to be added"
                )
            del kept[cidr]
        changed = replace(
            one,
            name=_name(request, one.name),
            description=check.read_description(request, one.description),
        )
        self.prefix_lists.put(_with_entries(changed, tuple({**kept, **added}.values())))
        return {}

    @action("DeletePrefixList")
    def delete_prefix_list(self, request: Request) -> dict[str, object]:
        """Delete a prefix list that no rule names."""
        one = self._prefix_list(request)
        if users_of(one.id, self.security_groups.list()):
            raise part_errors.prefix_list_in_use()
        self.prefix_lists.delete(one.id)
        return {}

    def _prefix_list(self, request: Request) -> PrefixList:
        return self.prefix_list(request.text("PrefixListId"), request.region_id)


def _name(request: Request, default: str) -> str:
    name = check.read_name(request, "PrefixListName", default)
    if name.startswith(_RESERVED):
        raise errors.malformed("PrefixListName")
    return name


def _read_entries(request: Request, name: str, address_family: str) -> Mapping[str, Entry]:
    """Read entries by their ranges, each of which may be there once."""
    found: dict[str, Entry] = {}
    for given in request.records(name):
        text = str(given.get("Cidr") or "")
        if not text:
            raise missing_parameter(f"{name}.N.Cidr")
        try:
            cidr = shortest(text, address_family)
        except ValueError:
            raise invalid_parameter(f"{name}.N.Cidr", text, f"a range of {address_family}") from None
        if cidr in found:
            raise invalid_parameter(f"{name}.N.Cidr", text, "given once")
        description = str(given.get("Description") or "")
        if len(description) > 256 or description.startswith(("http://", "https://")):
            raise errors.malformed("Description")
        found[cidr] = {"Cidr": cidr, "Description": description}
    return found


def _with_entries(one: PrefixList, entries: Sequence[Entry]) -> PrefixList:
    if len(entries) > one.max_entries:
        raise invalid_parameter("Entry", len(entries), f"at most {one.max_entries} entries (MaxEntries)")
    return replace(one, entries=tuple(entries))
