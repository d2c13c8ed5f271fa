from __future__ import annotations

from steelyard.localcloud.services.cms.contact_actions import ContactActions
from steelyard.localcloud.services.cms.custom_metric_actions import CustomMetricActions
from steelyard.localcloud.services.cms.event_actions import EventActions
from steelyard.localcloud.services.cms.metric_actions import MetricActions
from steelyard.localcloud.services.cms.monitor_group_actions import MonitorGroupActions


class CmsService(MetricActions, CustomMetricActions, ContactActions, MonitorGroupActions, EventActions):
    """Metrics, the application groups that they belong to, alarm rules, whom they concern, and events."""
