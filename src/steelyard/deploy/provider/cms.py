"""Alarm rules of CloudMonitor, and whom they tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import CMS, Api, pages
from steelyard.deploy.provider.resource_type import ResourceType, nested, shown, wait_gone, wire

_COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
    "!=": "NotEqualToThreshold",
    "==": "EqualToThreshold",
}
_WORDS = {word: sign for sign, word in _COMPARISONS.items()}
_ESCALATION = {
    "comparisonOperator": "ComparisonOperator",
    "statistics": "Statistics",
    "threshold": "Threshold",
    "times": "Times",
}
_LEVELS = {"escalationsCritical": "Critical", "escalationsWarn": "Warn", "escalationsInfo": "Info"}
_TARGET = {"targetId": "Id", "arn": "Arn", "level": "Level", "jsonParams": "JsonParams"}
_BUSY = ("Throttling",)


class Alarm(ResourceType):
    """`alicloud.cms.Alarm`; its id is made by the client."""

    token = "alicloud:cms/alarm:Alarm"
    create_only = frozenset({"project", "metric"})
    _PLAIN: ClassVar = {
        "name": "RuleName",
        "project": "Namespace",
        "metric": "MetricName",
        "metricDimensions": "Resources",
        "effectiveInterval": "EffectiveInterval",
        "silenceTime": "SilenceTime",
        "webhook": "Webhook",
    }
    changeable = frozenset(
        {*_PLAIN, *_LEVELS, "contactGroups", "period", "enabled", "targets", "tags"} - create_only
    )

    def create(self, api: Api, inputs: Values) -> str:
        """PutResourceMetricRule, EnableMetricRules or DisableMetricRules, wait for it, PutMetricRuleTargets."""
        rule_id = f"steelyard-{api.operation.token}"
        self._put(api, rule_id, {}, inputs)
        return rule_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeMetricRuleList and DescribeMetricRuleTargets."""
        rule = self._find(api, resource_id)
        if rule is None:
            return None
        answer = api.call(CMS, "DescribeMetricRuleTargets", {"RuleId": resource_id})
        targets = (answer.get("Targets") or {}).get("Target") or []
        labels = (rule.get("Labels") or {}).get("Labels") or []
        found = {
            **shown(rule, {**self._PLAIN, "status": "AlertState", "enabled": "EnableState"}),
            "contactGroups": str(rule["ContactGroups"]).split(","),
            "period": int(rule["Period"]),
            "targets": [shown(one, _TARGET) for one in targets],
            "tags": {one["Key"]: one["Value"] for one in labels},
        }
        for name, level in _LEVELS.items():
            escalation = (rule.get("Escalations") or {}).get(level) or {}
            if escalation:
                shown_one = shown(escalation, _ESCALATION)
                sign = _WORDS.get(shown_one["comparisonOperator"], shown_one["comparisonOperator"])
                found[name] = {**shown_one, "comparisonOperator": sign}
        return found

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """The calls of create: the rule is put as a whole."""
        self._put(api, resource_id, old, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteMetricRules, then wait until it is gone."""
        api.call(CMS, "DeleteMetricRules", {"Id": [resource_id]})
        wait_gone(api, lambda: self._find(api, resource_id) is not None, f"alarm rule {resource_id}")

    def _put(self, api: Api, rule_id: str, old: Values, new: Values) -> None:
        tags = new.get("tags") or {}
        period = new.get("period")
        params = {
            **wire(new, self._PLAIN),
            "RuleId": rule_id,
            "ContactGroups": ",".join(new["contactGroups"]),
            "Period": None if period is None else str(int(period)),
            "Escalations": {
                level: self._escalation(new[name]) for name, level in _LEVELS.items() if new.get(name)
            },
            "Labels": [{"Key": key, "Value": value} for key, value in sorted(tags.items())] or None,
        }
        api.call(CMS, "PutResourceMetricRule", params, retry_on=_BUSY)
        api.operation.allocated(rule_id)
        is_enabled = new.get("enabled") is not False
        action = "EnableMetricRules" if is_enabled else "DisableMetricRules"
        api.call(CMS, action, {"RuleId": [rule_id]})

        def look() -> bool | None:
            return True if (self._find(api, rule_id) or {}).get("EnableState") is is_enabled else None

        api.wait(look, what=f"alarm rule {rule_id}")
        if old.get("targets") != new.get("targets") and new.get("targets"):
            targets = [nested(one, _TARGET, "a target") for one in new["targets"]]
            api.call(CMS, "PutMetricRuleTargets", {"RuleId": rule_id, "Targets": targets})

    def _escalation(self, inputs: Values) -> dict[str, Any]:
        escalation = {
            "ComparisonOperator": ">",
            "Statistics": "Average",
            "Times": 3,
            **nested(inputs, _ESCALATION, "an escalation"),
        }
        comparison = str(escalation["ComparisonOperator"])
        return {**escalation, "ComparisonOperator": _COMPARISONS.get(comparison, comparison)}

    def _find(self, api: Api, rule_id: str) -> Mapping[str, Any] | None:
        answer = api.call(CMS, "DescribeMetricRuleList", {"RuleIds": rule_id})
        for rule in (answer.get("Alarms") or {}).get("Alarm") or []:
            if rule["RuleId"] == rule_id:
                found: Mapping[str, Any] = rule
                return found
        return None


class AlarmContact(ResourceType):
    """`alicloud.cms.AlarmContact`; its id is its name."""

    token = "alicloud:cms/alarmContact:AlarmContact"
    create_only = frozenset({"alarmContactName"})
    _CHANNELS: ClassVar = {
        "channelsAliim": "AliIM",
        "channelsDingWebHook": "DingWebHook",
        "channelsMail": "Mail",
        "channelsSms": "SMS",
    }
    changeable = frozenset({*_CHANNELS, "describe", "lang"})

    def create(self, api: Api, inputs: Values) -> str:
        """PutContact."""
        name = str(inputs["alarmContactName"])
        self._put(api, name, inputs)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeContactList."""
        answer = api.call(CMS, "DescribeContactList", {"ContactName": resource_id})
        for contact in (answer.get("Contacts") or {}).get("Contact") or []:
            if contact["Name"] == resource_id:
                return {
                    **shown(contact.get("Channels") or {}, self._CHANNELS),
                    **shown(contact, {"alarmContactName": "Name", "describe": "Desc", "lang": "Lang"}),
                }
        return None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutContact as a whole."""
        self._put(api, resource_id, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteContact."""
        api.call(CMS, "DeleteContact", {"ContactName": resource_id})

    def _put(self, api: Api, name: str, inputs: Values) -> None:
        params = {
            "ContactName": name,
            **wire(inputs, {"describe": "Describe", "lang": "Lang"}),
            "Channels": wire(inputs, self._CHANNELS),
        }
        api.call(CMS, "PutContact", params)
        api.operation.allocated(name)


class AlarmContactGroup(ResourceType):
    """`alicloud.cms.AlarmContactGroup`; its id is its name."""

    token = "alicloud:cms/alarmContactGroup:AlarmContactGroup"
    create_only = frozenset({"alarmContactGroupName"})
    changeable = frozenset({"contacts", "describe", "enableSubscribed"})

    def create(self, api: Api, inputs: Values) -> str:
        """PutContactGroup."""
        name = str(inputs["alarmContactGroupName"])
        self._put(api, name, inputs)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeContactGroupList, page by page."""
        names = {
            "alarmContactGroupName": "Name",
            "describe": "Describe",
            "enableSubscribed": "EnableSubscribed",
        }
        for answer in pages(api, CMS, "DescribeContactGroupList", {}):
            for group in (answer.get("ContactGroupList") or {}).get("ContactGroup") or []:
                if group["Name"] == resource_id:
                    contacts = (group.get("Contacts") or {}).get("Contact") or []
                    return {**shown(group, names), "contacts": contacts}
        return None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutContactGroup as a whole."""
        self._put(api, resource_id, new)

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteContactGroup; an alarm rule that tells it is about to go."""
        api.call(CMS, "DeleteContactGroup", {"ContactGroupName": resource_id}, retry_on=("ResourceInUse",))

    def _put(self, api: Api, name: str, inputs: Values) -> None:
        params = {
            "ContactGroupName": name,
            **wire(inputs, {"describe": "Describe", "enableSubscribed": "EnableSubscribed"}),
            "ContactNames": list(inputs.get("contacts") or []) or None,
        }
        api.call(CMS, "PutContactGroup", params)
        api.operation.allocated(name)


class MonitorGroup(ResourceType):
    """`alicloud.cms.MonitorGroup`: an application group."""

    token = "alicloud:cms/monitorGroup:MonitorGroup"
    create_only: ClassVar = frozenset()
    changeable = frozenset({"monitorGroupName", "contactGroups"})

    def create(self, api: Api, inputs: Values) -> str:
        """CreateMonitorGroup."""
        group_id = str(api.call(CMS, "CreateMonitorGroup", self._params(inputs))["GroupId"])
        api.operation.allocated(group_id)
        return group_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """DescribeMonitorGroups."""
        answer = api.call(CMS, "DescribeMonitorGroups", {"GroupId": resource_id})
        for group in (answer.get("Resources") or {}).get("Resource") or []:
            contacts = (group.get("ContactGroups") or {}).get("ContactGroup") or []
            return {
                "monitorGroupName": group["GroupName"],
                "contactGroups": [contact["Name"] for contact in contacts],
            }
        return None

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """ModifyMonitorGroup."""
        api.call(CMS, "ModifyMonitorGroup", {"GroupId": resource_id, **self._params(new)})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteMonitorGroup."""
        api.call(CMS, "DeleteMonitorGroup", {"GroupId": resource_id})

    def _params(self, inputs: Values) -> dict[str, Any]:
        return {
            **wire(inputs, {"monitorGroupName": "GroupName"}),
            "ContactGroups": ",".join(inputs.get("contactGroups") or []),
        }
