"""What moves scaling groups, through the vendor's SDK: rules, tasks, alarms; and the API's older version."""

from __future__ import annotations

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_slb20140515 import models as slb
from contract_fleet import IMAGE, REGION, SERVER, TYPE, Fleet, encoded
from contract_scaling import later
from contract_sdk import call_generic, refused, wait_for

from steelyard.localcloud.daemon import CloudInfo


class TestTrigger:
    def rule(self, scaling, group_id: str, **settings: object):
        request = ess.CreateScalingRuleRequest(
            **{
                "region_id": REGION,
                "scaling_group_id": group_id,
                "adjustment_type": "QuantityChangeInCapacity",
                "adjustment_value": 1,
                **settings,
            }
        )
        return scaling.client.create_scaling_rule(request).body

    def test_rules_are_executed_changed_and_deleted(self, scaling, ess_client):
        group_id = scaling.make()
        rule = self.rule(scaling, group_id, scaling_rule_name="e-out", cooldown=0)
        ari = rule.scaling_rule_ari
        assert ari.startswith("ari:acs:ess:cn-hangzhou:")
        request = ess.DescribeScalingRulesRequest(region_id=REGION, scaling_rule_ids=[rule.scaling_rule_id])
        (kept,) = ess_client.describe_scaling_rules(request).body.scaling_rules
        assert (kept.scaling_rule_name, kept.scaling_rule_type) == ("e-out", "SimpleScalingRule")
        assert (kept.adjustment_type, kept.adjustment_value) == ("QuantityChangeInCapacity", 1)
        execute = ess.ExecuteScalingRuleRequest(region_id=REGION, scaling_rule_ari=ari)
        scaling.wait_activity(ess_client.execute_scaling_rule(execute).body.scaling_activity_id)
        assert len(scaling.ids(group_id)) == 1
        ess_client.modify_scaling_rule(
            ess.ModifyScalingRuleRequest(scaling_rule_id=rule.scaling_rule_id, adjustment_value=-5)
        )
        scaling.wait_activity(ess_client.execute_scaling_rule(execute).body.scaling_activity_id)
        assert scaling.members(group_id) == []
        with refused("IncorrectCapacity.NoChange"):
            ess_client.execute_scaling_rule(execute)
        delete = ess.DeleteScalingRuleRequest(scaling_rule_id=rule.scaling_rule_id)
        ess_client.delete_scaling_rule(delete)
        for call, wanted in (
            (ess_client.delete_scaling_rule, delete),
            (ess_client.execute_scaling_rule, execute),
        ):
            with refused("InvalidScalingRuleId.NotFound", 404):
                call(wanted)

    def test_malformed_rules_are_refused(self, scaling):
        group_id = scaling.make(is_enabled=False)
        for changes, code, text in (
            ({"adjustment_type": "Double"}, "InvalidParameter", "AdjustmentType"),
            ({"adjustment_type": "TotalCapacity", "adjustment_value": -1}, "InvalidParameter", "from 0"),
            ({"scaling_rule_name": "-"}, "InvalidParameter", "ScalingRuleName"),
            ({"adjustment_value": None}, "MissingParameter", "AdjustmentValue"),
            ({"scaling_rule_type": "StepScalingRule"}, "MissingParameter", "StepAdjustments"),
            ({"scaling_rule_type": "TargetTrackingScalingRule"}, "MissingParameter", "MetricName"),
            ({"scaling_rule_type": "PredictiveScalingRule"}, "UnsupportedOperation", "Predictive"),
        ):
            with refused(code, text=text):
                self.rule(scaling, group_id, **changes)
        self.rule(scaling, group_id, scaling_rule_name="e-one")
        with refused("InvalidScalingRuleName.Duplicate"):
            self.rule(scaling, group_id, scaling_rule_name="e-one")
        with refused("InvalidScalingRuleName.Duplicate"):
            self.rule(scaling, scaling.make(is_enabled=False), scaling_rule_name="e-one")
        large = self.rule(
            scaling, group_id, adjustment_type="PercentChangeInCapacity", adjustment_value=10000
        )
        assert large.scaling_rule_id

    def test_a_target_is_watched_as_often_as_its_rule_says(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        settings = {
            "scaling_rule_type": "TargetTrackingScalingRule",
            "adjustment_type": None,
            "adjustment_value": None,
            "metric_name": "CpuUtilizationAgent",
            "target_value": 50.0,
        }
        options = ess.CreateScalingRuleRequestAlarmOptions(period=120)
        rule = self.rule(scaling, group_id, **settings, alarm_options=options)
        request = ess.DescribeScalingRulesRequest(
            region_id=REGION, scaling_rule_ids=[rule.scaling_rule_id], show_alarm_rules=True
        )
        (kept,) = ess_client.describe_scaling_rules(request).body.scaling_rules
        assert kept.metric_name == "CpuUtilizationAgent"
        assert len(kept.alarms) == 2
        with refused("InvalidParameter", text="AlarmOptions.Period"):
            options = ess.CreateScalingRuleRequestAlarmOptions(period=7)
            self.rule(scaling, group_id, **settings, alarm_options=options)

    def test_alarms_are_kept_switched_and_deleted(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        ari = self.rule(scaling, group_id).scaling_rule_ari
        settings = {
            "region_id": REGION,
            "scaling_group_id": group_id,
            "name": "e-busy",
            "metric_name": "CpuUtilization",
            "period": 60,
            "statistics": "Average",
            "comparison_operator": ">=",
            "threshold": 70.5,
            "evaluation_count": 2,
            "alarm_actions": [ari],
        }
        alarm_id = ess_client.create_alarm(ess.CreateAlarmRequest(**settings)).body.alarm_task_id
        named = {"region_id": REGION, "alarm_task_id": alarm_id}

        def read():
            found = ess_client.describe_alarms(ess.DescribeAlarmsRequest(**named)).body.alarm_list
            return found[0] if found else None

        kept = read()
        assert (kept.name, kept.metric_type, kept.threshold, kept.enable) == ("e-busy", "system", 70.5, True)
        assert (kept.alarm_actions, kept.state, kept.period) == ([ari], "INSUFFICIENT_DATA", 60)
        daytime = "TZ=+00 * * 8-18 * * ?"
        ess_client.modify_alarm(ess.ModifyAlarmRequest(**named, threshold=80, effective=daytime))
        ess_client.disable_alarm(ess.DisableAlarmRequest(**named))
        assert (read().threshold, read().enable, read().effective) == (80, False, daytime)
        ess_client.enable_alarm(ess.EnableAlarmRequest(**named))
        assert read().enable
        ess_client.delete_alarm(ess.DeleteAlarmRequest(**named))
        assert read() is None
        with refused("InvalidAlarmTaskId.NotFound", 404):
            ess_client.delete_alarm(ess.DeleteAlarmRequest(**named))
        for changes, code, text in (
            ({"period": 7}, "InvalidParameter", "Period"),
            ({"metric_name": "Moonlight"}, "UnsupportedOperation", "Moonlight"),
            ({"threshold": None}, "MissingParameter", "Threshold"),
            ({"comparison_operator": "~"}, "InvalidParameter", "ComparisonOperator"),
            ({"effective": "by day"}, "InvalidParameter", "Effective"),
            (
                {"dimensions": [ess.CreateAlarmRequestDimensions(dimension_key="rack")]},
                "MissingParameter",
                "DimensionValue",
            ),
        ):
            with refused(code, text=text):
                ess_client.create_alarm(ess.CreateAlarmRequest(**{**settings, **changes}))

    def test_scheduled_tasks_are_kept_changed_and_deleted(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        settings = {
            "region_id": REGION,
            "scaling_group_id": group_id,
            "desired_capacity": 2,
            "launch_time": later(days=10),
            "recurrence_type": "Weekly",
            "recurrence_value": "1,5",
            "recurrence_end_time": later(days=300),
        }
        task_id = ess_client.create_scheduled_task(
            ess.CreateScheduledTaskRequest(**settings)
        ).body.scheduled_task_id
        ess_client.modify_scheduled_task(
            ess.ModifyScheduledTaskRequest(scheduled_task_id=task_id, desired_capacity=3, task_enabled=False)
        )
        request = ess.DescribeScheduledTasksRequest(region_id=REGION, scheduled_task_ids=[task_id])
        (task,) = ess_client.describe_scheduled_tasks(request).body.scheduled_tasks
        assert (task.desired_capacity, task.task_enabled, task.recurrence_value) == (3, False, "1,5")
        assert task.launch_expiration_time == 600
        ess_client.delete_scheduled_task(ess.DeleteScheduledTaskRequest(scheduled_task_id=task_id))
        assert ess_client.describe_scheduled_tasks(request).body.scheduled_tasks == []
        ess_client.create_scheduled_task(
            ess.CreateScheduledTaskRequest(**settings, scheduled_task_name="e-nightly")
        )
        with refused("InvalidScheduledTaskId.NotFound", 404):
            ess_client.delete_scheduled_task(ess.DeleteScheduledTaskRequest(scheduled_task_id=task_id))
        for changes, code, text in (
            ({"launch_time": "soon"}, "InvalidParameter", "LaunchTime"),
            ({"launch_time": later(days=91)}, "InvalidParameter", "LaunchTime"),
            ({"recurrence_end_time": later(days=366)}, "InvalidParameter", "RecurrenceEndTime"),
            ({"recurrence_end_time": None}, "MissingParameter", "RecurrenceEndTime"),
            ({"recurrence_value": "9"}, "InvalidParameter", "RecurrenceValue"),
            (
                {"recurrence_type": "Cron", "recurrence_value": "*/-1 * * * *"},
                "InvalidParameter",
                "RecurrenceValue",
            ),
            ({"desired_capacity": None}, "MissingParameter", "DesiredCapacity"),
            ({"min_value": -1}, "InvalidParameter", "MinValue"),
            ({"min_value": 3, "max_value": 2}, "InvalidParameter", "MinValue"),
            ({"scaling_group_id": None}, "MissingParameter", "ScheduledAction"),
            (
                {"scheduled_action": self.rule(scaling, group_id).scaling_rule_ari},
                "InvalidParameter",
                "Action",
            ),
            ({"scheduled_task_name": "e"}, "InvalidParameter", "ScheduledTaskName"),
            ({"scheduled_task_name": "e-nightly"}, "InvalidScheduledTaskName.Duplicate", "e-nightly"),
        ):
            with refused(code, text=text):
                ess_client.create_scheduled_task(ess.CreateScheduledTaskRequest(**{**settings, **changes}))

    def test_a_task_takes_simple_rules_alone(self, scaling, ess_client):
        """Others go by a metric, of which a clock knows nothing."""
        group_id = scaling.make(is_enabled=False)
        step = ess.CreateScalingRuleRequestStepAdjustments(
            metric_interval_lower_bound=0, scaling_adjustment=1
        )
        by_steps = self.rule(
            scaling,
            group_id,
            scaling_rule_type="StepScalingRule",
            step_adjustments=[step],
            adjustment_value=None,
        )
        to_target = self.rule(
            scaling,
            group_id,
            scaling_rule_type="TargetTrackingScalingRule",
            metric_name="CpuUtilization",
            target_value=50,
        )
        for rule in (by_steps, to_target):
            request = ess.CreateScheduledTaskRequest(
                region_id=REGION, scheduled_action=rule.scaling_rule_ari, launch_time=later(days=1)
            )
            with refused("InvalidParameter", text="ScheduledAction"):
                ess_client.create_scheduled_task(request)


class TestOlderVersion:
    """What the Terraform provider and Go's SDK send and read: version 2014-08-28."""

    @pytest.fixture
    def call(self, local_cloud: CloudInfo):
        def call(action: str, **query: str) -> dict:
            named = {key.replace("__", "."): value for key, value in query.items()}
            return call_generic(local_cloud, action, {"RegionId": REGION, **named}, version="2014-08-28")

        return call

    def test_lists_are_named_and_wrapped_as_of_old(self, scaling, call):
        made = call(
            "CreateScalingGroup",
            MinSize="0",
            MaxSize="3",
            VSwitchIds__1=scaling.fleet.vswitch_id,
            RemovalPolicy__1="NewestInstance",
            Tag__1__Key="team",
            Tag__1__Value="a",
        )
        group_id = made["ScalingGroupId"]
        scaling.group_ids.append(group_id)
        found = call("DescribeScalingGroups", ScalingGroupId__1=group_id)["ScalingGroups"]
        (group,) = found["ScalingGroup"]
        assert group["RemovalPolicies"] == {"RemovalPolicy": ["NewestInstance"]}
        assert group["VSwitchIds"] == {"VSwitchId": [scaling.fleet.vswitch_id]}
        assert group["Tags"]["Tag"][0]["TagKey"] == "team"
        assert group["DBInstanceIds"] == {"DBInstanceId": []}
        call(
            "CreateScalingConfiguration",
            ScalingGroupId=group_id,
            ImageId=IMAGE,
            SecurityGroupId=scaling.fleet.group_id,
            InstanceTypes__1=TYPE,
            SpotStrategy="SpotWithPriceLimit",
            SpotPriceLimit__1__InstanceType=TYPE,
            SpotPriceLimit__1__PriceLimit="2.5",
            SystemDisk__Category="cloud_essd",
            SystemDisk__Encrypted="true",
            SystemDisk__KMSKeyId="key-1",
        )
        (one,) = call("DescribeScalingConfigurations", ScalingGroupId=group_id)["ScalingConfigurations"][
            "ScalingConfiguration"
        ]
        assert (one["SystemDisk.Encrypted"], one["SystemDisk.KMSKeyId"]) == (True, "key-1")
        assert one["SpotPriceLimit"] == {"SpotPriceModel": [{"InstanceType": TYPE, "PriceLimit": 2.5}]}
        rule = call(
            "CreateScalingRule",
            ScalingGroupId=group_id,
            ScalingRuleType="StepScalingRule",
            AdjustmentType="QuantityChangeInCapacity",
            StepAdjustment__1__MetricIntervalLowerBound="0",
            StepAdjustment__1__ScalingAdjustment="2",
        )
        (kept,) = call("DescribeScalingRules", ScalingRuleId__1=rule["ScalingRuleId"])["ScalingRules"][
            "ScalingRule"
        ]
        assert kept["StepAdjustments"]["StepAdjustment"][0]["ScalingAdjustment"] == 2
        alarm = call(
            "CreateAlarm",
            ScalingGroupId=group_id,
            AlarmAction__1=rule["ScalingRuleAri"],
            MetricName="CpuUtilization",
            Threshold="70",
            Dimension__1__DimensionKey="scaling_group",
            Dimension__1__DimensionValue=group_id,
        )
        (task,) = call("DescribeAlarms", AlarmTaskId=alarm["AlarmTaskId"])["AlarmList"]["Alarm"]
        assert task["AlarmActions"] == {"AlarmAction": [rule["ScalingRuleAri"]]}


class TestServerGroup:
    @pytest.mark.slow  # Real servers behind a real load balancer, and an alarm's period of a minute.
    def test_members_serve_and_an_alarm_adds_one(self, scaling, ess_client, cms_client, fleet: Fleet):
        balancer = fleet.balance()
        slb_client = fleet.slb_client
        servers = slb_client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer.load_balancer_id)
        ).body.vserver_group_id
        slb_client.create_load_balancer_httplistener(
            slb.CreateLoadBalancerHTTPListenerRequest(
                region_id=REGION,
                load_balancer_id=balancer.load_balancer_id,
                listener_port=8080,
                bandwidth=-1,
                sticky_session="off",
                health_check="on",
                health_check_uri="/",
                health_check_interval=1,
                healthy_threshold=2,
                unhealthy_threshold=2,
                vserver_group_id=servers,
            )
        )
        slb_client.start_load_balancer_listener(
            slb.StartLoadBalancerListenerRequest(
                region_id=REGION, load_balancer_id=balancer.load_balancer_id, listener_port=8080
            )
        )
        group_id = scaling.make(is_enabled=False, desired_capacity=2, max_size=3)
        attribute = ess.AttachVServerGroupsRequestVServerGroupsVServerGroupAttributes(
            vserver_group_id=servers, port=8000, weight=40
        )
        ess_client.attach_vserver_groups(
            ess.AttachVServerGroupsRequest(
                region_id=REGION,
                scaling_group_id=group_id,
                vserver_groups=[
                    ess.AttachVServerGroupsRequestVServerGroups(
                        load_balancer_id=balancer.load_balancer_id, vserver_group_attributes=[attribute]
                    )
                ],
            )
        )
        scaling.enable(group_id, scaling.configure(group_id, user_data=encoded(SERVER)))
        scaling.wait_members(group_id, 2)

        def healthy() -> list[str]:
            request = slb.DescribeHealthStatusRequest(
                region_id=REGION, load_balancer_id=balancer.load_balancer_id
            )
            rows = slb_client.describe_health_status(request).body.backend_servers.backend_server
            return [row.server_id for row in rows if row.server_health_status == "normal"]

        wait_for(lambda: sorted(healthy()), lambda ids: ids == sorted(scaling.ids(group_id)), limit_s=30)
        dead = scaling.ids(group_id)[0]
        fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=dead, force_stop=True))
        wait_for(lambda: sorted(healthy()), lambda ids: len(ids) == 2 and dead not in ids, limit_s=30)

        ari = scaling.add_rule(group_id)
        ess_client.create_alarm(
            ess.CreateAlarmRequest(
                region_id=REGION,
                scaling_group_id=group_id,
                metric_type="custom",
                metric_name="e-queue",
                period=60,
                statistics="Maximum",
                comparison_operator=">",
                threshold=5,
                evaluation_count=1,
                alarm_actions=[ari],
            )
        )

        def report_and_look() -> list[str]:
            item = cms.PutCustomMetricRequestMetricList(
                group_id="0", metric_name="e-queue", dimensions="{}", type="0", values='{"value": 9}'
            )
            cms_client.put_custom_metric(cms.PutCustomMetricRequest(metric_list=[item]))
            return healthy()

        wait_for(report_and_look, lambda ids: len(ids) == 3, limit_s=150)
        assert sorted(healthy()) == sorted(scaling.ids(group_id))
