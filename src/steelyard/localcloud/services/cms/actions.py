from __future__ import annotations

from steelyard.localcloud.services.cms.contact_actions import ContactActions
from steelyard.localcloud.services.cms.event_actions import EventActions
from steelyard.localcloud.services.cms.metric_actions import MetricActions
from steelyard.localcloud.services.cms.monitor_group_actions import MonitorGroupActions
from steelyard.localcloud.services.cms.rule_actions import RuleActions


class CmsService(MetricActions, RuleActions, ContactActions, MonitorGroupActions, EventActions):
    """Metrics, the application groups that they belong to, alarm rules, whom they concern, and events."""
