"""Access control lists: who may connect to the listeners that name them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.service import Request
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

MAX_ENTRIES = 300
MAX_ENTRIES_A_CALL = 50

Entry = Mapping[str, str]
"""One range by the API's names: `AclEntryIP`, `AclEntryComment`."""


@dataclass(frozen=True, kw_only=True)
class AccessControlList(Record):
    """A list of IPv4 ranges; whether they are let in or kept out is the listener's say."""

    kind: ClassVar[str] = "slb_access_control_list"

    region_id: str
    name: str
    resource_group_id: str
    entries: tuple[Entry, ...] = ()

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The ranges."""
        return tuple(entry["AclEntryIP"] for entry in self.entries)

    def to_answer(self) -> dict[str, object]:
        """Give the fields that DescribeAccessControlLists and DescribeAccessControlListAttribute share."""
        return {
            "AclId": self.id,
            "AclName": self.name,
            "AddressIPVersion": "ipv4",
            "ResourceGroupId": self.resource_group_id,
            "CreateTime": utc_text(self.created_at),
            "Tags": {"Tag": tag_rows(self.tags)},
        }


def read_entries(request: Request) -> list[Entry]:
    """Read the ranges that a call carries, as JSON text in one parameter.

    Raises:
        ApiError: `MissingParameter` where there is none, `InvalidParameter` for one that is no IPv4 range.
    """
    text = request.text("AclEntrys")
    if not text:
        raise missing_parameter("AclEntrys")
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    # The Terraform provider sends an empty entry before the first one.
    items = [item for item in items if item is not None] if isinstance(items, list) else None
    if not items or not all(isinstance(item, dict) for item in items):
        raise invalid_parameter("AclEntrys", text, "a JSON list of entries")
    if len(items) > MAX_ENTRIES_A_CALL:
        raise invalid_parameter(
            "AclEntrys", f"{len(items)} entries", f"at most {MAX_ENTRIES_A_CALL} in a call"
        )
    return [
        {"AclEntryIP": _range(item.get("entry")), "AclEntryComment": str(item.get("comment") or "")}
        for item in items
    ]


def _range(value: object) -> str:
    try:
        return str(value) if IPv4Network(str(value)) else ""
    except ValueError as err:
        raise invalid_parameter("AclEntrys.entry", value, "an IPv4 address or range") from err
