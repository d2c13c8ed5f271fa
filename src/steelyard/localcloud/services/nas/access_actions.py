from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nas import check, errors
from steelyard.localcloud.services.nas.file_system_actions import MAX_PAGE
from steelyard.localcloud.services.nas.models import AccessGroup, AccessRule
from steelyard.localcloud.services.nas.state import NasState, group_id
from steelyard.localcloud.setting import Setting, checked, choice, defaults, number
from steelyard.localcloud.wire.error import invalid_parameter, not_served

MAX_GROUPS = 20
"""Of one account in one region (help page "Limits", from memory)."""

MAX_RULES = 300
"""Of one permission group (help page "Limits", from memory)."""

_RULE: Mapping[str, Setting] = {
    "RWAccessType": choice("RDWR", "RDWR", "RDONLY"),
    "UserAccessType": choice("no_squash", "no_squash", "root_squash", "all_squash"),
    "Priority": number(1, 1, 100),
}


class AccessActions(NasState):
    """Permission groups and their rules."""

    @action("CreateAccessGroup")
    def create_access_group(self, request: Request) -> dict[str, object]:
        """Create a permission group, which lets nobody in."""
        name, kind = request.text("AccessGroupName"), check.read_file_system_type(request)
        if request.text("AccessGroupType") == "Classic":
            raise not_served("permission groups of the classic network")
        if request.text("AccessGroupType") != "Vpc":
            raise invalid_parameter("AccessGroupType", request.text("AccessGroupType"), "`Vpc`")
        check.check_group_name(name)
        others = self.groups_of(request.region_id, kind)
        if any(other.name == name for other in others):
            raise errors.access_group_exists()
        if self.cloud.terms.has_quotas and len(others) > MAX_GROUPS:
            raise errors.too_many("AccessGroup", MAX_GROUPS)
        group = AccessGroup(
            id=group_id(request.region_id, kind, name),
            created_at=self.cloud.clock(),
            region_id=request.region_id,
            name=name,
            file_system_type=kind,
            description=check.read_description(request),
        )
        self.access_groups.put(group)
        return {"AccessGroupName": group.name}

    @action("DescribeAccessGroups")
    def describe_access_groups(self, request: Request) -> dict[str, object]:
        """List the permission groups for a type of file systems, or one by its name."""
        if request.text("AccessGroupName"):
            found: Sequence[AccessGroup] = [self.group(request)]
        else:
            found = self.groups_of(request.region_id, check.read_file_system_type(request))
        page, head = number_page(request, found, MAX_PAGE)
        targets = [target.group_id for target in self.targets()]
        rows = [
            group.to_answer(num_rules=len(self.rules_of(group)), num_mount_targets=targets.count(group.id))
            for group in page
        ]
        return {**head, "AccessGroups": {"AccessGroup": rows}}

    @action("ModifyAccessGroup")
    def modify_access_group(self, request: Request) -> dict[str, object]:
        """Change a permission group's description."""
        group = self.own_group(request, "Modify")
        description = check.read_description(request, group.description)
        self.access_groups.put(replace(group, description=description))
        return {}

    @action("DeleteAccessGroup")
    def delete_access_group(self, request: Request) -> dict[str, object]:
        """Delete a permission group that no mount target has, with its rules."""
        group = self.own_group(request, "Delete")
        if any(target.group_id == group.id for target in self.targets()):
            raise errors.access_group_attached()
        for rule in self.rules_of(group):
            self.access_rules.delete(rule.id)
        self.access_groups.delete(group.id)
        return {}

    @action("CreateAccessRule")
    def create_access_rule(self, request: Request) -> dict[str, object]:
        """Let an address or a range in."""
        group = self.own_group(request, "Modify")
        settings = {**defaults(_RULE), **checked(_RULE, request.params)}
        source = check.read_source(request)
        if self.cloud.terms.has_quotas and len(self.rules_of(group)) >= MAX_RULES:
            raise errors.too_many("AccessRule", MAX_RULES)
        group = replace(group, last_rule=group.last_rule + 1)
        rule = AccessRule(
            id=f"{group.id}/{group.last_rule}",
            created_at=self.cloud.clock(),
            region_id=group.region_id,
            group_id=group.id,
            group_name=group.name,
            file_system_type=group.file_system_type,
            number=group.last_rule,
            source=source,
            **_fields(settings),
        )
        self.access_groups.put(group)
        self.access_rules.put(rule)
        return {"AccessRuleId": str(rule.number)}

    @action("DescribeAccessRules")
    def describe_access_rules(self, request: Request) -> dict[str, object]:
        """List a permission group's rules, or one by its id."""
        group = self.group(request)
        found = [self._rule(request, group)] if request.text("AccessRuleId") else self.rules_of(group)
        page, head = number_page(request, found, MAX_PAGE)
        return {**head, "AccessRules": {"AccessRule": [rule.to_answer() for rule in page]}}

    @action("ModifyAccessRule")
    def modify_access_rule(self, request: Request) -> dict[str, object]:
        """Change what a rule is about, and what it lets do."""
        rule = self._rule(request, self.own_group(request, "Modify"))
        source = check.read_source(request, rule.source)
        self.access_rules.put(replace(rule, source=source, **_fields(checked(_RULE, request.params))))
        return {}

    @action("DeleteAccessRule")
    def delete_access_rule(self, request: Request) -> dict[str, object]:
        """Delete a rule; who is in stays in, as with a mounted file system of the cloud."""
        rule = self._rule(request, self.own_group(request, "Modify"))
        self.access_rules.delete(rule.id)
        return {}

    def _rule(self, request: Request, group: AccessGroup) -> AccessRule:
        number = request.text("AccessRuleId")
        found = next((rule for rule in self.rules_of(group) if str(rule.number) == number), None)
        if found is None:
            raise errors.access_rule_not_found()
        return found


def _fields(settings: Mapping[str, object]) -> dict[str, Any]:
    """Give a rule's settings under the names that its record has for them."""
    names = {"RWAccessType": "rw_access", "UserAccessType": "user_access", "Priority": "priority"}
    return {names[name]: value for name, value in settings.items()}
