"""How many of each thing scaling there can be: the last one is made, the next is refused."""

from __future__ import annotations

from alibabacloud_ess20220222 import models as ess
from contract_fleet import REGION
from contract_scaling import later
from contract_sdk import made, refused


class TestEss:
    def test_scaling_configurations_of_a_group(self, scaling):
        group_id = scaling.make(is_enabled=False)
        for _ in range(10):
            scaling.configure(group_id)
        with refused("QuotaExceeded.ScalingConfiguration"):
            scaling.configure(group_id)

    def test_lifecycle_hooks_of_a_group(self, scaling, ess_client):
        request = ess.CreateLifecycleHookRequest(
            scaling_group_id=scaling.make(is_enabled=False),
            lifecycle_transition="SCALE_OUT",
        )
        for _ in range(6):
            ess_client.create_lifecycle_hook(request)
        with refused("QuotaExceeded.LifecycleHook"):
            ess_client.create_lifecycle_hook(request)

    def test_scaling_rules_of_a_group(self, scaling, ess_client):
        request = ess.CreateScalingRuleRequest(
            region_id=REGION,
            scaling_group_id=scaling.make(is_enabled=False),
            adjustment_type="QuantityChangeInCapacity",
            adjustment_value=1,
        )
        for _ in range(50):
            ess_client.create_scaling_rule(request)
        with refused("QuotaExceeded.ScalingRule"):
            ess_client.create_scaling_rule(request)

    def test_scheduled_tasks(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        standing = ess_client.describe_scheduled_tasks(
            ess.DescribeScheduledTasksRequest(region_id=REGION)
        ).body.total_count

        def make(_: int) -> str:
            request = ess.CreateScheduledTaskRequest(
                region_id=REGION, scaling_group_id=group_id, desired_capacity=1, launch_time=later(days=1)
            )
            return ess_client.create_scheduled_task(request).body.scheduled_task_id

        def delete(task_id: str) -> None:
            ess_client.delete_scheduled_task(
                ess.DeleteScheduledTaskRequest(region_id=REGION, scheduled_task_id=task_id)
            )

        with made(make, 100 - standing, delete), refused("QuotaExceeded.ScheduledTask"):
            make(100)

    def test_alarms(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        ari = scaling.add_rule(group_id)
        standing = ess_client.describe_alarms(ess.DescribeAlarmsRequest(region_id=REGION)).body.total_count

        def make(_: int) -> str:
            request = ess.CreateAlarmRequest(
                region_id=REGION,
                scaling_group_id=group_id,
                metric_type="system",
                metric_name="CpuUtilization",
                statistics="Average",
                threshold=80,
                alarm_actions=[ari],
            )
            return ess_client.create_alarm(request).body.alarm_task_id

        def delete(alarm_id: str) -> None:
            ess_client.delete_alarm(ess.DeleteAlarmRequest(region_id=REGION, alarm_task_id=alarm_id))

        with made(make, 200 - standing, delete), refused("QuotaExceeded.AlarmTask"):
            make(200)

    def test_scaling_groups(self, scaling):
        standing = scaling.client.describe_scaling_groups(
            ess.DescribeScalingGroupsRequest(region_id=REGION)
        ).body.total_count
        for _ in range(200 - standing):
            scaling.make(is_enabled=False)
        with refused("QuotaExceeded.ScalingGroup"):
            scaling.make(is_enabled=False)
