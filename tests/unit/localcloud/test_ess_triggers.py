from __future__ import annotations

import datetime
import json

import pytest
from scaling_cloud import START, ScalingCloud, alarm

from steelyard.localcloud.services.cms import dimension
from steelyard.localcloud.services.cms.meter import CPU, ECS_NAMESPACE
from steelyard.localcloud.services.cms.series import sample
from steelyard.localcloud.wire.error import ApiError


@pytest.fixture
def cloud(cloud):
    cloud.now = START + 600  # At the beginning of a minute, and of five.
    return cloud


def make_rule(cloud: ScalingCloud, group_id: str, **settings: object) -> tuple[str, str]:
    made = cloud.call("ess", "CreateScalingRule", {"ScalingGroupId": group_id, **settings})
    return made["ScalingRuleId"], made["ScalingRuleAri"]


def grow_by(cloud: ScalingCloud, group_id: str, count: int = 1, **settings: object) -> str:
    adjustment = {"AdjustmentType": "QuantityChangeInCapacity", "AdjustmentValue": count}
    return make_rule(cloud, group_id, **adjustment, **settings)[1]


def execute(cloud: ScalingCloud, ari: str, **more: object) -> str:
    return cloud.call("ess", "ExecuteScalingRule", {"ScalingRuleAri": ari, **more})["ScalingActivityId"]


def put(cloud: ScalingCloud, value: float, metric: str = "queue") -> None:
    item = {
        "GroupId": "0",
        "MetricName": metric,
        "Dimensions": '{"cluster":"demo"}',
        "Type": "0",
        "Values": json.dumps({"value": value}),
    }
    cloud.call("cms", "PutCustomMetric", {"MetricList": [item]})


def pass_minutes(cloud: ScalingCloud, count: int, value: float | None = None) -> None:
    """Let time pass in steps of half a minute, with a sample of the metric in each, and the watch looking."""
    for _ in range(2 * count):
        if value is not None:
            put(cloud, value)
        cloud.now += 30
        cloud.look(3)


class TestRule:
    def test_a_simple_rule_adds_members_and_stays_within_the_bounds(self, cloud):
        group_id = cloud.make_group(MaxSize=3)
        ari = grow_by(cloud, group_id, 2)
        activity_id = execute(cloud, ari)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 2
        assert cloud.ess.activities.get(activity_id).status == "Successful"
        execute(cloud, ari)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 3
        with pytest.raises(ApiError, match="NoChange"):
            execute(cloud, ari)

    def test_it_moves_what_is_wanted(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=1)
        cloud.look(3)
        execute(cloud, grow_by(cloud, group_id))
        cloud.look(3)
        assert cloud.group(group_id).desired == 2
        execute(cloud, grow_by(cloud, group_id, -2))
        cloud.look(3)
        assert (cloud.group(group_id).desired, cloud.ids(group_id)) == (0, [])

    def test_one_activity_at_a_time(self, cloud):
        group_id = cloud.make_group()
        ari = grow_by(cloud, group_id)
        execute(cloud, ari)
        with pytest.raises(ApiError, match="ScalingActivityInProgress"):
            execute(cloud, ari)

    def test_a_step_rule_takes_the_metric_from_the_call(self, cloud):
        group_id = cloud.make_group()
        steps = [
            {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 5.0, "ScalingAdjustment": 1},
            {"MetricIntervalLowerBound": 5.0, "ScalingAdjustment": 4},
        ]
        settings = {"AdjustmentType": "QuantityChangeInCapacity", "StepAdjustments": steps}
        _, ari = make_rule(cloud, group_id, ScalingRuleType="StepScalingRule", **settings)
        with pytest.raises(ApiError, match="MetricValue"):
            execute(cloud, ari)
        execute(cloud, ari, MetricValue=86.0, BreachThreshold=80.0)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 4


class TestAlarm:
    def test_it_executes_its_rule_at_the_end_of_a_period(self, cloud):
        group_id = cloud.make_group(DefaultCooldown=0)
        alarm_id = alarm(cloud, group_id, grow_by(cloud, group_id))
        put(cloud, 50)
        cloud.now += 59
        cloud.look(2)
        assert cloud.members(group_id) == []
        cloud.now += 2
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1
        assert cloud.ess.alarms.get(alarm_id).state == "ALARM"

    def test_it_waits_for_as_many_periods_as_it_is_told(self, cloud):
        group_id = cloud.make_group(DefaultCooldown=0)
        alarm(cloud, group_id, grow_by(cloud, group_id), EvaluationCount=3)
        pass_minutes(cloud, 2, 50)
        cloud.now += 2
        cloud.look(3)
        assert cloud.members(group_id) == []
        pass_minutes(cloud, 1, 50)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1

    def test_a_cooldown_holds_alarms_back_and_nobody_else(self, cloud):
        group_id = cloud.make_group(DefaultCooldown=300)
        ari = grow_by(cloud, group_id)
        alarm(cloud, group_id, ari)
        pass_minutes(cloud, 4, 50)
        assert len(cloud.ids(group_id)) == 1
        execute(cloud, ari)
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 2
        pass_minutes(cloud, 5, 50)
        assert len(cloud.ids(group_id)) == 2
        pass_minutes(cloud, 2, 50)
        assert len(cloud.ids(group_id)) == 3

    def test_a_group_that_suspends_alarms_follows_none(self, cloud):
        group_id = cloud.make_group()
        alarm(cloud, group_id, grow_by(cloud, group_id))
        named = {"ScalingGroupId": group_id, "Processes": ["AlarmNotification"]}
        cloud.call("ess", "SuspendProcesses", named)
        pass_minutes(cloud, 3, 20)
        assert cloud.members(group_id) == []
        assert [one.state for one in cloud.ess.alarms.list()] == ["ALARM"]
        cloud.call("ess", "ResumeProcesses", named)
        pass_minutes(cloud, 2, 20)
        assert cloud.ids(group_id) != []

    def test_out_of_its_time_it_does_nothing(self, cloud):
        group_id = cloud.make_group()
        now = datetime.datetime.fromtimestamp(cloud.now, datetime.UTC)
        later = f"TZ=+00 * * {(now.hour + 1) % 24} * * ?"
        alarm(cloud, group_id, grow_by(cloud, group_id), Effective=later)
        pass_minutes(cloud, 3, 20)
        assert cloud.members(group_id) == []
        cloud.now += 3600
        pass_minutes(cloud, 2, 20)
        assert cloud.ids(group_id) != []

    def test_without_figures_or_disabled_it_does_nothing(self, cloud):
        group_id = cloud.make_group(DefaultCooldown=0)
        ari = grow_by(cloud, group_id)
        alarm_id = alarm(cloud, group_id, ari, ComparisonOperator="<")
        pass_minutes(cloud, 3)
        assert cloud.ess.alarms.get(alarm_id).state == "INSUFFICIENT_DATA"
        other = alarm(cloud, group_id, ari)
        cloud.call("ess", "DisableAlarm", {"AlarmTaskId": other})
        pass_minutes(cloud, 3, 50)
        assert cloud.members(group_id) == []
        cloud.call("ess", "EnableAlarm", {"AlarmTaskId": other})
        pass_minutes(cloud, 2, 50)
        assert len(cloud.ids(group_id)) >= 1

    @pytest.mark.parametrize(("joined_by", "num_members"), [("&&", 0), ("||", 1)])
    def test_several_expressions(self, cloud, joined_by, num_members):
        group_id = cloud.make_group(DefaultCooldown=300)
        common = {"Period": 60, "Statistics": "Average", "ComparisonOperator": ">", "Threshold": 10.0}
        alarm(
            cloud,
            group_id,
            grow_by(cloud, group_id),
            Expressions=[{"MetricName": "queue", **common}, {"MetricName": "waiting", **common}],
            ExpressionsLogicOperator=joined_by,
        )
        for _ in range(3):
            put(cloud, 50)
            put(cloud, 1, "waiting")
            cloud.now += 30
            cloud.look(3)
        assert len(cloud.ids(group_id)) == num_members


class TestTargetTracking:
    def load(self, cloud: ScalingCloud, group_id: str, percent: float, minutes: float) -> None:
        """Let members have a CPU load for some minutes."""
        for _ in range(round(4 * minutes)):
            for instance_id in cloud.ids(group_id):
                key = (ECS_NAMESPACE, CPU, dimension.text_of({"instanceId": instance_id}))
                cloud.cloud.services["cms"].measured.put(key, sample(cloud.now, percent))
            cloud.now += 15
            cloud.look(3)

    def make(self, cloud: ScalingCloud, group_id: str, **settings: object) -> str:
        return make_rule(
            cloud,
            group_id,
            ScalingRuleType="TargetTrackingScalingRule",
            MetricName="CpuUtilization",
            TargetValue=50.0,
            **{"EstimatedInstanceWarmup": 0, **settings},
        )[0]

    def test_a_group_grows_in_proportion_and_shrinks_slowly(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=2)
        cloud.look(3)
        self.make(cloud, group_id, ScaleOutEvaluationCount=2, ScaleInEvaluationCount=5)
        self.load(cloud, group_id, 90, 2)
        assert len(cloud.ids(group_id)) == 2
        self.load(cloud, group_id, 90, 0.25)
        assert len(cloud.ids(group_id)) == 4
        self.load(cloud, group_id, 20, 4.5)
        assert len(cloud.ids(group_id)) == 4
        while len(cloud.ids(group_id)) == 4:
            self.load(cloud, group_id, 20, 0.25)
        assert len(cloud.ids(group_id)) == 2

    def test_members_that_warm_up_are_not_reckoned_with(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=2)
        cloud.look(3)
        cloud.now += 600
        self.make(cloud, group_id, ScaleOutEvaluationCount=1, EstimatedInstanceWarmup=300)
        self.load(cloud, group_id, 90, 3)
        assert len(cloud.ids(group_id)) == 4
        self.load(cloud, group_id, 90, 6)
        assert len(cloud.ids(group_id)) == 8

    def test_scale_in_can_be_left_out(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=2)
        cloud.look(3)
        self.make(cloud, group_id, ScaleInEvaluationCount=1, DisableScaleIn=True)
        self.load(cloud, group_id, 1, 5)
        assert len(cloud.ids(group_id)) == 2

    def test_its_alarms_are_shown_with_it_and_go_with_it(self, cloud):
        group_id = cloud.make_group()
        rule_id = self.make(cloud, group_id)
        params = {"ScalingRuleIds": [rule_id], "ShowAlarmRules": True}
        (rule,) = cloud.call("ess", "DescribeScalingRules", params)["ScalingRules"]
        sides = [
            (one["ComparisonOperator"], one["Threshold"], one["EvaluationCount"]) for one in rule["Alarms"]
        ]
        assert sides == [(">", 50.0, 3), ("<", 45.0, 15)]
        cloud.call("ess", "DeleteScalingRule", {"ScalingRuleId": rule_id})
        assert cloud.ess.alarms.list() == []


class TestSchedule:
    def launch(self, cloud: ScalingCloud, after_s: float) -> str:
        moment = datetime.datetime.fromtimestamp(cloud.now + after_s, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%MZ")

    def test_a_rule_is_executed_at_its_time_once(self, cloud):
        group_id = cloud.make_group()
        ari = grow_by(cloud, group_id)
        cloud.call(
            "ess", "CreateScheduledTask", {"ScheduledAction": ari, "LaunchTime": self.launch(cloud, 120)}
        )
        cloud.now += 100
        cloud.look(3)
        assert cloud.members(group_id) == []
        cloud.now += 25
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1
        cloud.now += 86400
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1

    def test_bounds_are_set_day_by_day(self, cloud):
        group_id = cloud.make_group(DesiredCapacity=0)
        for after_s, desired in ((60, 3), (3600, 0)):
            cloud.call(
                "ess",
                "CreateScheduledTask",
                {
                    "ScalingGroupId": group_id,
                    "DesiredCapacity": desired,
                    "LaunchTime": self.launch(cloud, after_s),
                    "RecurrenceType": "Daily",
                    "RecurrenceValue": "1",
                    "RecurrenceEndTime": self.launch(cloud, 300 * 86400),
                },
            )
        cloud.now += 61
        for _ in range(2):
            cloud.look(4)
            assert len(cloud.ids(group_id)) == 3
            cloud.now += 3540
            cloud.look(4)
            assert cloud.ids(group_id) == []
            cloud.now += 86400 - 3540

    @pytest.mark.parametrize("is_by_rule", [True, False])
    def test_a_group_that_suspends_schedules_passes_one_over(self, cloud, is_by_rule):
        group_id = cloud.make_group(DesiredCapacity=0)
        by_rule = {"ScheduledAction": grow_by(cloud, group_id)}
        bounds = {"ScalingGroupId": group_id, "DesiredCapacity": 1}
        what = by_rule if is_by_rule else bounds
        cloud.call("ess", "CreateScheduledTask", {**what, "LaunchTime": self.launch(cloud, 60)})
        named = {"ScalingGroupId": group_id, "Processes": ["ScheduledAction"]}
        cloud.call("ess", "SuspendProcesses", named)
        cloud.now += 61
        cloud.look(3)
        cloud.call("ess", "ResumeProcesses", named)
        cloud.look(3)
        assert cloud.members(group_id) == []

    def test_one_that_is_too_late_is_passed_over(self, cloud):
        group_id = cloud.make_group()
        task = {
            "ScheduledAction": grow_by(cloud, group_id),
            "LaunchTime": self.launch(cloud, 60),
            "LaunchExpirationTime": 100,
        }
        cloud.call("ess", "CreateScheduledTask", task)
        cloud.now += 200
        cloud.look(3)
        assert cloud.members(group_id) == []

    def test_one_without_time_to_be_tried_again_is_tried_once(self, cloud):
        group_id = cloud.make_group()
        ari = grow_by(cloud, group_id)
        for after_s in (60, 180):
            task = {
                "ScheduledAction": ari,
                "LaunchTime": self.launch(cloud, after_s),
                "LaunchExpirationTime": 0,
            }
            cloud.call("ess", "CreateScheduledTask", task)
        cloud.now += 61
        cloud.look(3)
        assert len(cloud.ids(group_id)) == 1
        cloud.now += 119
        execute(cloud, ari)
        cloud.ess.run_due_tasks()
        cloud.look(6)
        assert len(cloud.ids(group_id)) == 2


def test_a_group_that_is_deleted_takes_its_triggers_along(cloud):
    group_id = cloud.make_group(DesiredCapacity=1)
    cloud.look(2)
    ari = grow_by(cloud, group_id)
    alarm(cloud, group_id, ari)
    cloud.call("ess", "CreateScheduledTask", {"ScheduledAction": ari, "LaunchTime": "2027-02-01T00:00Z"})
    cloud.call("ess", "DeleteScalingGroup", {"ScalingGroupId": group_id, "ForceDelete": True})
    cloud.look(3)
    assert cloud.group(group_id) is None
    left = (cloud.ess.rules, cloud.ess.alarms, cloud.ess.tasks, cloud.ess.members, cloud.ess.configurations)
    assert [records.list() for records in left] == [[], [], [], [], []]
