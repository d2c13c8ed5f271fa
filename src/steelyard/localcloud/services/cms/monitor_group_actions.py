from __future__ import annotations

import secrets
from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.cms import errors
from steelyard.localcloud.services.cms.models import MonitorGroup
from steelyard.localcloud.services.cms.state import DONE, DONE_IN_NUMBERS, CmsState
from steelyard.localcloud.tag import has_tags, merged_tags, read_tags
from steelyard.localcloud.wire.error import missing_parameter

MAX_GROUPS = 1000
_PAGE_SIZE = 30
_FIRST_ID, _NUM_IDS = 10**8, 9 * 10**8


class MonitorGroupActions(CmsState):
    """Application groups, which an account's own metrics belong to; their ids are numbers."""

    @action("CreateMonitorGroup")
    def create_monitor_group(self, request: Request) -> dict[str, object]:
        """Create a group."""
        if len(self.monitor_groups.list()) >= MAX_GROUPS:
            raise errors.quota_exceeded("application groups", MAX_GROUPS)
        if not request.text("GroupName"):
            raise missing_parameter("GroupName")
        now = self.cloud.clock()
        group = MonitorGroup(
            id=str(_FIRST_ID + secrets.randbelow(_NUM_IDS)),
            created_at=now,
            name=request.text("GroupName"),
            contact_groups=self.named_contact_groups(request),
            updated_at=now,
        )
        self.monitor_groups.put(group)
        return {**DONE_IN_NUMBERS, "GroupId": int(group.id)}

    @action("DescribeMonitorGroups")
    def describe_monitor_groups(self, request: Request) -> dict[str, object]:
        """List groups by ids, name, a part of the name, tags and kind, which is `custom`; no instance is in one."""
        wanted, ids = read_tags(request), request.texts("GroupId")
        kinds = [kind for kind in (request.text("Type"), *request.texts("Types")) if kind]
        is_none = bool(request.text("InstanceId")) or (bool(kinds) and "custom" not in kinds)
        found = [
            group
            for group in self.monitor_groups.list()
            if not is_none
            and (not ids or group.id in ids)
            and request.text("GroupName") in ("", group.name)
            and request.text("Keyword") in group.name
            and has_tags(group.tags, wanted)
        ]
        sized = request.with_params({"PageSize": request.number("PageSize", _PAGE_SIZE)})
        page, head = number_page(sized, found, max_size=100)
        return {
            **DONE_IN_NUMBERS,
            **head,
            "Total": len(found),
            "Resources": {"Resource": [_shown(request, group) for group in page]},
        }

    @action("ModifyMonitorGroup")
    def modify_monitor_group(self, request: Request) -> dict[str, object]:
        """Change a group's name and whom it concerns."""
        group = self._monitor_group(request.text("GroupId"))
        contact_groups = group.contact_groups
        if "ContactGroups" in request.params:
            contact_groups = self.named_contact_groups(request)
        name = request.text("GroupName") or group.name
        self.monitor_groups.put(
            replace(group, name=name, contact_groups=contact_groups, updated_at=self.cloud.clock())
        )
        return dict(DONE_IN_NUMBERS)

    @action("DeleteMonitorGroup")
    def delete_monitor_group(self, request: Request) -> dict[str, object]:
        """Delete a group; the metrics that belonged to it stay."""
        group = self._monitor_group(request.text("GroupId"))
        self.monitor_groups.delete(group.id)
        contact_groups = [{"Name": name} for name in group.contact_groups]
        answer = {"GroupName": group.name, "ContactGroups": {"ContactGroup": contact_groups}}
        return {**DONE_IN_NUMBERS, "Group": answer}

    @action("AddTags")
    def add_tags(self, request: Request) -> dict[str, object]:
        """Set tags on groups."""
        tags = _read_tags(request)
        for group in self._named_groups(request):
            self.monitor_groups.put(replace(group, tags=merged_tags(group.tags, tags)))
        return dict(DONE)

    @action("RemoveTags")
    def remove_tags(self, request: Request) -> dict[str, object]:
        """Take tags away from groups, by their keys."""
        keys = list(_read_tags(request))
        for group in self._named_groups(request):
            left = {key: value for key, value in group.tags.items() if key not in keys}
            self.monitor_groups.put(replace(group, tags=left))
        return {**DONE, "Tag": {"Tags": keys}}

    def _named_groups(self, request: Request) -> list[MonitorGroup]:
        named = request.texts("GroupIds")
        if not named:
            raise missing_parameter("GroupIds")
        return [self._monitor_group(group_id) for group_id in named]

    def _monitor_group(self, group_id: str) -> MonitorGroup:
        group = self.monitor_groups.get(group_id)
        if group is None:
            raise errors.monitor_group_not_found(group_id)
        return group


def _read_tags(request: Request) -> dict[str, str]:
    tags = read_tags(request)
    if not tags:
        raise missing_parameter("Tag")
    return tags


def _shown(request: Request, group: MonitorGroup) -> dict[str, object]:
    answer = group.to_answer()
    if not request.flag("SelectContactGroups", True):
        answer["ContactGroups"] = {"ContactGroup": []}
    return answer
