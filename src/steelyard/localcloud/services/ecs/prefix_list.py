"""Prefix lists: address ranges under one id, which rules of security groups name in place of a range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.ecs.models import SecurityGroup
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

IPV4, IPV6 = "IPv4", "IPv6"
MAX_ENTRIES = 200
MAX_LISTS = 100
"""Prefix lists of a region (help page "Limits" of security groups, from memory)."""

Entry = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PrefixList(Record):
    """A prefix list.

    Attributes:
        entries: `Cidr` and `Description` of each, the range in its shortest form.
    """

    kind: ClassVar[str] = "prefix_list"

    region_id: str
    name: str
    description: str
    address_family: str
    max_entries: int
    resource_group_id: str
    entries: tuple[Entry, ...] = ()

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """Its ranges; none of one of IPv6, which no instance has here."""
        if self.address_family != IPV4:
            return ()
        return tuple(IPv4Network(entry["Cidr"]) for entry in self.entries)

    def to_answer(self, num_users: int) -> dict[str, object]:
        """Give the fields of DescribePrefixLists and DescribePrefixListAttributes.

        Args:
            num_users: How many security groups name it.
        """
        return {
            "PrefixListId": self.id,
            "PrefixListName": self.name,
            "Description": self.description,
            "AddressFamily": self.address_family,
            "MaxEntries": self.max_entries,
            "AssociationCount": num_users,
            "ResourceGroupId": self.resource_group_id,
            "CreationTime": utc_text(self.created_at),
            "Entries": {"Entry": list(self.entries)},
            "Tags": {"Tag": tag_rows(self.tags)},
        }


def shortest(text: str, address_family: str) -> str:
    """Give a range, or an address for itself, in its shortest form.

    Raises:
        ValueError: It is none of the family, or has bits of hosts.
    """
    return str((IPv4Network if address_family == IPV4 else IPv6Network)(text))


def users_of(prefix_list_id: str, groups: Sequence[SecurityGroup]) -> list[SecurityGroup]:
    """Give the security groups of which a rule names a prefix list."""
    return [group for group in groups if any(prefix_list_id in _named(rule) for rule in group.rules)]


def count_users(groups: Sequence[SecurityGroup]) -> Counter[str]:
    """Count by each prefix list's id the security groups of which a rule names it."""
    return Counter(
        named
        for group in groups
        for named in {str(one) for rule in group.rules for one in _named(rule) if one}
    )


def _named(rule: Mapping[str, object]) -> tuple[object, object]:
    return rule.get("SourcePrefixListId"), rule.get("DestPrefixListId")
