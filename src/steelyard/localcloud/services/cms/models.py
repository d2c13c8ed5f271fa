from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_list

OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"


@dataclass(frozen=True, kw_only=True)
class MetricRule(Record):
    """An alarm rule.

    Attributes:
        escalations: By `Critical`, `Warn` and `Info`: `ComparisonOperator`, `Statistics`, `Threshold`, `Times`.
        resources: JSON text: the dimensions that it watches, `[{"resource":"_ALL"}]` for all.
        state: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
        level: The level that it fires at; empty where it does not.
        evaluated_until: Unix time up to which it has been evaluated.
        told_at: Unix time of the last notice.
        targets: `Id`, `Arn`, `Level`, `JsonParams`.
    """

    kind: ClassVar[str] = "cms_rule"

    name: str
    namespace: str
    metric: str
    contact_groups: str
    resources: str
    period_s: int
    interval_s: int
    silence_s: int
    effective_interval: str
    no_effective_interval: str
    webhook: str
    email_subject: str
    no_data_policy: str
    escalations: Mapping[str, Mapping[str, object]]
    labels: tuple[Mapping[str, str], ...]
    is_enabled: bool = True
    state: str = NO_DATA
    level: str = ""
    evaluated_until: float = 0.0
    told_at: float = 0.0
    targets: tuple[Mapping[str, str], ...] = ()

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeMetricRuleList."""
        return {
            "RuleId": self.id,
            "RuleName": self.name,
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "ContactGroups": self.contact_groups,
            "Resources": self.resources,
            "Dimensions": self.resources,
            "Period": str(self.period_s),
            "SilenceTime": self.silence_s,
            "EffectiveInterval": self.effective_interval,
            "NoEffectiveInterval": self.no_effective_interval,
            "EnableState": self.is_enabled,
            "AlertState": self.state,
            "Webhook": self.webhook,
            "MailSubject": self.email_subject,
            "NoDataPolicy": self.no_data_policy,
            "SourceType": "METRIC",
            "ProductCategory": self.namespace,
            "Escalations": {
                level: self.escalations.get(level) or {} for level in ("Critical", "Warn", "Info")
            },
            "Labels": {"Labels": [dict(label) for label in self.labels]},
            "GmtCreate": int(self.created_at * 1000),
            "GmtUpdate": str(int(self.created_at * 1000)),
        }


@dataclass(frozen=True, kw_only=True)
class AlertNotice(Record):
    """A rule that fired, or was over; contacts are named, and nothing is sent to anybody.

    Attributes:
        state: `ALARM`, `OK` or, where a rule is to tell that nothing is known, `INSUFFICIENT_DATA`.
        dimensions: JSON text of what fired it.
    """

    kind: ClassVar[str] = "cms_notice"

    rule_id: str
    rule_name: str
    namespace: str
    metric: str
    state: str
    level: str
    value: float
    expression: str
    dimensions: str
    contact_groups: tuple[str, ...]
    contacts: tuple[str, ...]

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeAlertHistoryList."""
        return {
            "RuleId": self.rule_id,
            "RuleName": self.rule_name,
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "State": self.state,
            "Level": self.level,
            "Value": str(self.value),
            "Expression": self.expression,
            "Dimensions": self.dimensions,
            "InstanceName": "",
            "Status": 0,
            "AlertTime": int(self.created_at * 1000),
            "LastTime": 0,
            "EvaluationCount": 1,
            "ContactGroups": {"ContactGroup": list(self.contact_groups)},
            "Contacts": {"Contact": list(self.contacts)},
        }


@dataclass(frozen=True, kw_only=True)
class Contact(Record):
    """Somebody to tell; its id is its name."""

    kind: ClassVar[str] = "cms_contact"

    describe: str
    channels: Mapping[str, str]
    lang: str
    updated_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeContactList."""
        return {
            "Name": self.id,
            "Desc": self.describe,
            "Lang": self.lang,
            "Channels": dict(self.channels),
            # The cloud asks a contact to confirm an address; here all are taken as confirmed.
            "ChannelsState": dict.fromkeys(self.channels, "OK"),
            "CreateTime": int(self.created_at * 1000),
            "UpdateTime": int(self.updated_at * 1000),
        }


@dataclass(frozen=True, kw_only=True)
class ContactGroup(Record):
    """Contacts that are told together; its id is its name."""

    kind: ClassVar[str] = "cms_contact_group"

    describe: str
    contacts: tuple[str, ...]
    is_subscribed: bool
    updated_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeContactGroupList."""
        return {
            "Name": self.id,
            "Describe": self.describe,
            "Contacts": {"Contact": list(self.contacts)},
            "EnableSubscribed": self.is_subscribed,
            "EnabledWeeklyReport": False,
            "CreateTime": int(self.created_at * 1000),
            "UpdateTime": int(self.updated_at * 1000),
        }


@dataclass(frozen=True, kw_only=True)
class MonitorGroup(Record):
    """An application group; its id is a number."""

    kind: ClassVar[str] = "cms_monitor_group"

    name: str
    contact_groups: tuple[str, ...]
    updated_at: float

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeMonitorGroups."""
        return {
            "GroupId": int(self.id),
            "GroupName": self.name,
            "ContactGroups": {"ContactGroup": [{"Name": name} for name in self.contact_groups]},
            "Tags": {"Tag": tag_list(self.tags)},
            "Type": "custom",
            "ServiceId": "",
            "BindUrl": "",
            "GmtCreate": int(self.created_at * 1000),
            "GmtModified": int(self.updated_at * 1000),
        }


@dataclass(frozen=True, kw_only=True)
class SystemEvent(Record):
    """What a product tells of a resource.

    Attributes:
        product: The product's word for itself, such as `ESS`.
        level: `CRITICAL`, `WARN` or `INFO`.
        resource_id: The resource's name over all products, `acs:...`.
        content: JSON text.
    """

    kind: ClassVar[str] = "cms_system_event"

    product: str
    name: str
    level: str
    status: str
    region_id: str
    resource_id: str
    instance_name: str
    content: str

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeSystemEventAttribute."""
        return {
            "Id": self.id,
            "Product": self.product,
            "Name": self.name,
            "Level": self.level,
            "Status": self.status,
            "RegionId": self.region_id,
            "ResourceId": self.resource_id,
            "InstanceName": self.instance_name,
            "GroupId": "0",
            "Content": self.content,
            "Time": int(self.created_at * 1000),
        }
