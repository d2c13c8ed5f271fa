"""Parts of programs with a scaling group: what moves it by reports, and what it tells and does not do for now."""

from __future__ import annotations

import pulumi_alicloud as alicloud


def on_reports(group: alicloud.ess.ScalingGroup, *, monitor_group: str) -> None:
    metrics = alicloud.cms.MonitorGroup("metrics", monitor_group_name=monitor_group)
    rule = alicloud.ess.ScalingRule(
        "more",
        scaling_group_id=group.id,
        scaling_rule_type="SimpleScalingRule",
        adjustment_type="QuantityChangeInCapacity",
        adjustment_value=1,
        cooldown=60,
    )
    alicloud.ess.Alarm(
        "queue",
        scaling_group_id=group.id,
        alarm_actions=[rule.ari],
        metric_type="custom",
        metric_name="queued",
        cloud_monitor_group_id=metrics.id.apply(int),
        dimensions={"cluster": "demo"},
        period=60,
        statistics="Average",
        comparison_operator=">",
        threshold="0",
        evaluation_count=1,
    )


def told_and_held(group: alicloud.ess.ScalingGroup, *, ends: list[str]) -> None:
    account_id = alicloud.get_caller_identity().account_id
    alicloud.ess.Notification(
        "told",
        scaling_group_id=group.id,
        notification_arn=f"acs:ess:cn-hangzhou:{account_id}:cloudmonitor",
        notification_types=[f"AUTOSCALING:SCALE_OUT_{end}" for end in ends],
    )
    alicloud.ess.SuspendProcess("held", scaling_group_id=group.id, process="ScheduledAction")
