"""Auto Scaling through the vendor's SDK: groups, configurations, members, hooks, rules, tasks and alarms."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_ess20220222.client import Client as EssClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_tea_openapi.client import Client as PlainClient
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from contract_fleet import IMAGE, REGION, SERVER, TYPE, Fleet, encoded
from contract_sdk import refused, sdk_config, wait_for
from darabonba.runtime import RuntimeOptions

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def client(local_cloud: CloudInfo) -> EssClient:
    return EssClient(sdk_config(local_cloud))


@pytest.fixture
def cms_client(local_cloud: CloudInfo) -> CmsClient:
    return CmsClient(sdk_config(local_cloud))


def later(*, days: int) -> str:
    """Give a time some days from now, as scheduled tasks take it."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + days * 86400))


class Scaling:
    """Makes scaling groups in a fleet's network, and asks for what is in them."""

    def __init__(self, client: EssClient, fleet: Fleet) -> None:
        self.client = client
        self.fleet = fleet
        self.group_ids: list[str] = []

    def make(self, *, is_enabled: bool = True, **settings: object) -> str:
        request = ess.CreateScalingGroupRequest(
            **{
                "region_id": REGION,
                "min_size": 0,
                "max_size": 4,
                "default_cooldown": 0,
                "v_switch_ids": [self.fleet.vswitch_id],
                **settings,
            }
        )
        group_id = self.client.create_scaling_group(request).body.scaling_group_id
        self.group_ids.append(group_id)
        if is_enabled:
            self.enable(group_id, self.configure(group_id))
        return group_id

    def configure(self, group_id: str, **settings: object) -> str:
        request = ess.CreateScalingConfigurationRequest(
            **{
                "scaling_group_id": group_id,
                "image_id": IMAGE,
                "instance_type": TYPE,
                "security_group_id": self.fleet.group_id,
                **settings,
            }
        )
        return self.client.create_scaling_configuration(request).body.scaling_configuration_id

    def enable(self, group_id: str, configuration_id: str | None = None) -> None:
        self.client.enable_scaling_group(
            ess.EnableScalingGroupRequest(
                scaling_group_id=group_id, active_scaling_configuration_id=configuration_id
            )
        )

    def modify(self, group_id: str, **settings: object) -> None:
        self.client.modify_scaling_group(ess.ModifyScalingGroupRequest(scaling_group_id=group_id, **settings))

    def group(self, group_id: str):
        request = ess.DescribeScalingGroupsRequest(region_id=REGION, scaling_group_ids=[group_id])
        found = self.client.describe_scaling_groups(request).body.scaling_groups
        return found[0] if found else None

    def members(self, group_id: str, **filters: object):
        request = ess.DescribeScalingInstancesRequest(
            region_id=REGION, scaling_group_id=group_id, page_size=50, **filters
        )
        return self.client.describe_scaling_instances(request).body.scaling_instances or []

    def ids(self, group_id: str, state: str = "InService") -> list[str]:
        return [one.instance_id for one in self.members(group_id) if one.lifecycle_state == state]

    def wait_members(self, group_id: str, count: int, state: str = "InService") -> list[str]:
        """Wait until a group has so many members, all of them in a state."""
        wait_for(
            lambda: [one.lifecycle_state for one in self.members(group_id)],
            lambda states: states == [state] * count,
        )
        return self.ids(group_id, state)

    def activity(self, activity_id: str):
        request = ess.DescribeScalingActivitiesRequest(region_id=REGION, scaling_activity_ids=[activity_id])
        return self.client.describe_scaling_activities(request).body.scaling_activities[0]

    def wait_activity(self, activity_id: str, status: str = "Successful"):
        return wait_for(lambda: self.activity(activity_id), lambda activity: activity.status_code == status)

    def delete(self, group_id: str, *, is_forced: bool = True) -> None:
        self.client.delete_scaling_group(
            ess.DeleteScalingGroupRequest(scaling_group_id=group_id, force_delete=is_forced)
        )

    def clear(self) -> None:
        for group_id in self.group_ids:
            group = self.group(group_id)
            if group is None:
                continue
            if group.group_deletion_protection:
                self.modify(group_id, group_deletion_protection=False)
            self.delete(group_id)
        for group_id in self.group_ids:
            wait_for(lambda group_id=group_id: self.group(group_id), lambda group: group is None)
        # Instances go after their groups.
        wait_for(
            lambda: [one for one in self.fleet.instances() if one.vpc_attributes.vpc_id == self.fleet.vpc_id],
            lambda left: {one.instance_id for one in left} <= set(self.fleet.instance_ids),
        )


@pytest.fixture
def scaling(client: EssClient, fleet: Fleet) -> Iterator[Scaling]:
    scaling = Scaling(client, fleet)
    yield scaling
    scaling.clear()


class TestGroup:
    def test_a_group_is_inactive_until_it_is_enabled(self, scaling):
        group_id = scaling.make(is_enabled=False, min_size=1, scaling_group_name="e-workers")
        group = scaling.group(group_id)
        assert (group.scaling_group_name, group.lifecycle_state) == ("e-workers", "Inactive")
        assert (group.min_size, group.max_size, group.default_cooldown) == (1, 4, 0)
        assert group.removal_policies == ["OldestScalingConfiguration", "OldestInstance"]
        assert group.v_switch_ids == [scaling.fleet.vswitch_id]
        assert group.vpc_id == scaling.fleet.vpc_id
        assert group.multi_azpolicy == "PRIORITY"
        assert not group.enable_desired_capacity
        assert scaling.members(group_id) == []

    def test_it_makes_its_least_members_and_keeps_what_is_wanted(self, scaling):
        group_id = scaling.make(min_size=1, tags=[ess.CreateScalingGroupRequestTags(key="team", value="a")])
        (first,) = scaling.wait_members(group_id, 1)
        instance = scaling.fleet.instance(first)
        tags = {tag.tag_key: tag.tag_value for tag in instance.tags.tag}
        assert tags == {"team": "a", "acs:autoscaling:scalingGroupId": group_id}
        scaling.modify(group_id, desired_capacity=2)
        assert first in scaling.wait_members(group_id, 2)
        group = scaling.group(group_id)
        assert (group.total_capacity, group.active_capacity, group.desired_capacity) == (2, 2, 2)
        scaling.modify(group_id, desired_capacity=1)
        (left,) = scaling.wait_members(group_id, 1)
        assert left != first  # The oldest instance goes.

    def test_a_dead_member_is_replaced(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        (first,) = scaling.wait_members(group_id, 1)
        scaling.fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=first, force_stop=True))
        wait_for(lambda: scaling.ids(group_id), lambda ids: len(ids) == 1 and ids != [first])
        wait_for(lambda: scaling.fleet.status(first), lambda status: status == "gone")

    def test_settings_change_and_limits_hold(self, scaling):
        group_id = scaling.make(is_enabled=False)
        scaling.modify(
            group_id, min_size=1, max_size=2, default_cooldown=60, removal_policies=["NewestInstance"]
        )
        group = scaling.group(group_id)
        assert (group.min_size, group.max_size, group.default_cooldown) == (1, 2, 60)
        assert group.removal_policies == ["NewestInstance"]
        with refused("InvalidParameter", text="MinSize"):
            scaling.modify(group_id, min_size=3)
        with refused("IncorrectCapacity.MaxSize"):
            scaling.modify(group_id, desired_capacity=3)
        with refused("IncorrectCapacity.MinSize"):
            scaling.modify(group_id, desired_capacity=0)
        with refused("InvalidParameter", text="RemovalPolicies"):
            scaling.modify(group_id, removal_policies=["Any"])
        with refused("InvalidParameter", text="MultiAZPolicy"):
            scaling.make(is_enabled=False, multi_azpolicy="ANY")
        with refused("InvalidVSwitchId.NotFound", 404):
            scaling.make(is_enabled=False, v_switch_ids=["vsw-0"])
        with refused("UnsupportedOperation", text="LOAD_BALANCER"):
            scaling.modify(group_id, health_check_type="LOAD_BALANCER")

    def test_names_are_unique(self, scaling):
        scaling.make(is_enabled=False, scaling_group_name="e-twice")
        with refused("InvalidScalingGroupName.Duplicate"):
            scaling.make(is_enabled=False, scaling_group_name="e-twice")
        with refused("InvalidParameter", text="ScalingGroupName"):
            scaling.make(is_enabled=False, scaling_group_name="e")

    def test_states_allow_some_actions(self, scaling):
        group_id = scaling.make(is_enabled=False)
        with refused("MissingActiveScalingConfiguration"):
            scaling.enable(group_id)
        with refused("IncorrectScalingGroupStatus"):
            scaling.client.disable_scaling_group(ess.DisableScalingGroupRequest(scaling_group_id=group_id))
        configuration_id = scaling.configure(group_id)
        scaling.enable(group_id, configuration_id)
        with refused("IncorrectScalingGroupStatus"):
            scaling.enable(group_id, configuration_id)
        scaling.client.disable_scaling_group(ess.DisableScalingGroupRequest(scaling_group_id=group_id))
        assert scaling.group(group_id).lifecycle_state == "Inactive"

    def test_a_group_with_members_or_protection_is_not_deleted(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        scaling.wait_members(group_id, 1)
        with refused("InstanceInUse"):
            scaling.delete(group_id, is_forced=False)
        scaling.client.set_group_deletion_protection(
            ess.SetGroupDeletionProtectionRequest(
                region_id=REGION, scaling_group_id=group_id, group_deletion_protection=True
            )
        )
        with refused("OperationDenied.GroupDeletionProtection"):
            scaling.delete(group_id)
        with refused("InvalidScalingGroupId.NotFound", 404):
            scaling.delete("asg-0")

    def test_tags(self, scaling):
        group_id = scaling.make(is_enabled=False)
        names = {"region_id": REGION, "resource_type": "scalinggroup", "resource_ids": [group_id]}
        tag = ess.TagResourcesRequestTags(key="team", value="a")
        scaling.client.tag_resources(ess.TagResourcesRequest(**names, tags=[tag]))
        listed = scaling.client.list_tag_resources(ess.ListTagResourcesRequest(**names)).body.tag_resources
        assert [(one.tag_key, one.tag_value) for one in listed] == [("team", "a")]
        scaling.client.untag_resources(ess.UntagResourcesRequest(**names, tag_keys=["team"]))
        assert scaling.group(group_id).tags == []
        with refused("InvalidResourceId.NotFound", 404):
            scaling.client.tag_resources(
                ess.TagResourcesRequest(**{**names, "resource_ids": ["asg-0"]}, tags=[tag])
            )
        with refused("InvalidParameter", text="ResourceType"):
            scaling.client.tag_resources(
                ess.TagResourcesRequest(**{**names, "resource_type": "instance"}, tags=[tag])
            )


class TestConfiguration:
    def read(self, scaling, configuration_id: str):
        request = ess.DescribeScalingConfigurationsRequest(
            region_id=REGION, scaling_configuration_ids=[configuration_id]
        )
        found = scaling.client.describe_scaling_configurations(request).body.scaling_configurations
        return found[0] if found else None

    def test_it_says_how_members_are_made(self, scaling):
        group_id = scaling.make(is_enabled=False)
        configuration_id = scaling.configure(
            group_id,
            scaling_configuration_name="e-gpu",
            instance_name="e-worker",
            spot_strategy="SpotWithPriceLimit",
            spot_price_limits=[
                ess.CreateScalingConfigurationRequestSpotPriceLimits(instance_type=TYPE, price_limit=9.5)
            ],
            system_disk=ess.CreateScalingConfigurationRequestSystemDisk(category="cloud_essd", size=60),
            http_tokens="required",
            tags='{"role":"worker"}',
        )
        kept = self.read(scaling, configuration_id)
        assert (kept.scaling_configuration_name, kept.lifecycle_state) == ("e-gpu", "Inactive")
        assert (kept.instance_types, kept.http_tokens, kept.system_disk_size) == ([TYPE], "required", 60)
        assert kept.spot_price_limits[0].price_limit == 9.5
        scaling.enable(group_id, configuration_id)
        scaling.modify(group_id, desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        instance = scaling.fleet.instance(member)
        assert instance.instance_name == "e-worker"
        assert instance.spot_strategy == "SpotWithPriceLimit"
        assert instance.metadata_options.http_tokens == "required"
        assert {tag.tag_key: tag.tag_value for tag in instance.tags.tag}["role"] == "worker"
        with refused("IncorrectScalingConfigurationLifecycleState"):
            scaling.client.delete_scaling_configuration(
                ess.DeleteScalingConfigurationRequest(scaling_configuration_id=configuration_id)
            )

    def test_it_is_changed_and_deleted(self, scaling):
        group_id = scaling.make(is_enabled=False)
        configuration_id = scaling.configure(group_id)
        scaling.client.modify_scaling_configuration(
            ess.ModifyScalingConfigurationRequest(
                scaling_configuration_id=configuration_id, instance_name="other"
            )
        )
        assert self.read(scaling, configuration_id).instance_name == "other"
        request = ess.DeleteScalingConfigurationRequest(scaling_configuration_id=configuration_id)
        scaling.client.delete_scaling_configuration(request)
        assert self.read(scaling, configuration_id) is None
        with refused("InvalidScalingConfigurationId.NotFound", 404):
            scaling.client.delete_scaling_configuration(request)
        with refused("InvalidScalingConfigurationId.NotFound", 404):
            scaling.enable(group_id, configuration_id)

    def test_what_is_malformed_is_refused(self, scaling):
        group_id = scaling.make(is_enabled=False)
        scaling.configure(group_id, scaling_configuration_name="e-one")
        with refused("InvalidScalingConfigurationName.Duplicate"):
            scaling.configure(group_id, scaling_configuration_name="e-one")
        with refused("InvalidParameter", text="ecs.none"):
            scaling.configure(group_id, instance_type="ecs.none")
        with refused("MissingParameter", text="InstanceType"):
            scaling.configure(group_id, instance_type=None)
        with refused("MissingParameter", text="ImageId"):
            scaling.configure(group_id, image_id=None)
        with refused("InvalidParameter", text="Tags"):
            scaling.configure(group_id, tags="role=worker")
        with refused("InvalidParameter", text="SpotStrategy"):
            scaling.configure(group_id, spot_strategy="Cheap")


class TestMember:
    def test_instances_are_attached_set_aside_and_detached(self, scaling, client):
        group_id = scaling.make()
        (instance_id,) = scaling.fleet.run()
        named = {"scaling_group_id": group_id, "instance_ids": [instance_id]}
        made = client.attach_instances(ess.AttachInstancesRequest(**named)).body.scaling_activity_id
        scaling.wait_members(group_id, 1)
        assert scaling.wait_activity(made).created_instances == [instance_id]
        (member,) = scaling.members(group_id)
        assert (member.creation_type, member.health_status) == ("Attached", "Healthy")
        with refused("InvalidInstanceId.InUse"):
            client.attach_instances(ess.AttachInstancesRequest(**named))
        scaling.wait_activity(client.enter_standby(ess.EnterStandbyRequest(**named)).body.scaling_activity_id)
        assert scaling.ids(group_id, "Standby") == [instance_id]
        client.exit_standby(ess.ExitStandbyRequest(**named))
        assert scaling.ids(group_id) == [instance_id]
        client.set_instances_protection(
            ess.SetInstancesProtectionRequest(**named, protected_from_scale_in=True)
        )
        assert scaling.ids(group_id, "Protected") == [instance_id]
        gone = client.detach_instances(ess.DetachInstancesRequest(**named)).body.scaling_activity_id
        scaling.wait_activity(gone)
        assert scaling.members(group_id) == []
        assert scaling.fleet.status(instance_id) == "Running"

    def test_a_removed_member_is_released_and_not_replaced(self, scaling, client):
        group_id = scaling.make(min_size=0, desired_capacity=1)
        (instance_id,) = scaling.wait_members(group_id, 1)
        request = ess.RemoveInstancesRequest(scaling_group_id=group_id, instance_ids=[instance_id])
        scaling.wait_activity(client.remove_instances(request).body.scaling_activity_id)
        assert scaling.group(group_id).desired_capacity == 0
        wait_for(lambda: scaling.fleet.status(instance_id), lambda status: status == "gone")
        with refused("InvalidInstanceId.NotFound", 404):
            client.remove_instances(request)

    def test_what_cannot_be_is_refused(self, scaling, client):
        group_id = scaling.make(is_enabled=False, max_size=0)
        with refused("IncorrectScalingGroupStatus"):
            client.attach_instances(
                ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=["i-0"])
            )
        with refused("InvalidInstanceId.NotFound", 404):
            client.set_instance_health(
                ess.SetInstanceHealthRequest(instance_id="i-0", health_status="Unhealthy")
            )
        with refused("InvalidParameter", text="HealthStatus"):
            client.set_instance_health(ess.SetInstanceHealthRequest(instance_id="i-0", health_status="Ill"))
        scaling.enable(group_id, scaling.configure(group_id))
        with refused("IncorrectCapacity.MaxSize"):
            client.attach_instances(
                ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=["i-0"])
            )


class TestHook:
    def test_hooks_are_kept_changed_and_deleted(self, scaling, client):
        group_id = scaling.make(is_enabled=False)
        hook_id = client.create_lifecycle_hook(
            ess.CreateLifecycleHookRequest(
                scaling_group_id=group_id,
                lifecycle_hook_name="drain",
                lifecycle_transition="SCALE_IN",
                heartbeat_timeout=120,
                default_result="ABANDON",
            )
        ).body.lifecycle_hook_id
        client.modify_lifecycle_hook(
            ess.ModifyLifecycleHookRequest(lifecycle_hook_id=hook_id, heartbeat_timeout=60)
        )
        request = ess.DescribeLifecycleHooksRequest(region_id=REGION, scaling_group_id=group_id)
        (hook,) = client.describe_lifecycle_hooks(request).body.lifecycle_hooks
        assert (hook.lifecycle_hook_name, hook.lifecycle_transition) == ("drain", "SCALE_IN")
        assert (hook.heartbeat_timeout, hook.default_result) == (60, "ABANDON")
        client.delete_lifecycle_hook(ess.DeleteLifecycleHookRequest(lifecycle_hook_id=hook_id))
        assert client.describe_lifecycle_hooks(request).body.lifecycle_hooks == []
        with refused("InvalidLifecycleHookId.NotExist", 404):
            client.delete_lifecycle_hook(ess.DeleteLifecycleHookRequest(lifecycle_hook_id=hook_id))

    def test_a_member_waits_for_its_completion(self, scaling, client):
        group_id = scaling.make(
            lifecycle_hooks=[
                ess.CreateScalingGroupRequestLifecycleHooks(
                    lifecycle_hook_name="drain", lifecycle_transition="SCALE_IN", heartbeat_timeout=600
                )
            ]
        )
        scaling.modify(group_id, desired_capacity=1)
        (instance_id,) = scaling.wait_members(group_id, 1)
        scaling.modify(group_id, desired_capacity=0)
        scaling.wait_members(group_id, 1, "Removing:Wait")
        (member,) = scaling.members(group_id)
        waiting = client.describe_lifecycle_actions(
            ess.DescribeLifecycleActionsRequest(
                region_id=REGION, scaling_activity_id=member.scaling_activity_id
            )
        ).body.lifecycle_actions
        assert [(one.instance_ids, one.lifecycle_action_status) for one in waiting] == [
            ([instance_id], "Pending")
        ]
        names = {
            "lifecycle_hook_id": waiting[0].lifecycle_hook_id,
            "lifecycle_action_token": waiting[0].lifecycle_action_token,
        }
        client.record_lifecycle_action_heartbeat(ess.RecordLifecycleActionHeartbeatRequest(**names))
        with refused("InvalidParameter", text="LifecycleActionResult"):
            client.complete_lifecycle_action(
                ess.CompleteLifecycleActionRequest(**names, lifecycle_action_result="DONE")
            )
        client.complete_lifecycle_action(
            ess.CompleteLifecycleActionRequest(**names, lifecycle_action_result="CONTINUE")
        )
        scaling.wait_members(group_id, 0)
        with refused("InvalidLifecycleActionToken.NotFound", 404):
            client.complete_lifecycle_action(ess.CompleteLifecycleActionRequest(**names))

    def test_malformed_hooks_are_refused(self, scaling, client):
        group_id = scaling.make(is_enabled=False)
        for changes, text in (
            ({"lifecycle_transition": "SIDEWAYS"}, "LifecycleTransition"),
            ({"heartbeat_timeout": 5}, "HeartbeatTimeout"),
            ({"default_result": "MAYBE"}, "DefaultResult"),
        ):
            request = ess.CreateLifecycleHookRequest(
                **{"scaling_group_id": group_id, "lifecycle_transition": "SCALE_IN", **changes}
            )
            with refused("InvalidParameter", text=text):
                client.create_lifecycle_hook(request)


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

    def test_rules_are_executed_changed_and_deleted(self, scaling, client):
        group_id = scaling.make()
        rule = self.rule(scaling, group_id, scaling_rule_name="e-out", cooldown=0)
        ari = rule.scaling_rule_ari
        assert ari.startswith("ari:acs:ess:cn-hangzhou:")
        request = ess.DescribeScalingRulesRequest(region_id=REGION, scaling_rule_ids=[rule.scaling_rule_id])
        (kept,) = client.describe_scaling_rules(request).body.scaling_rules
        assert (kept.scaling_rule_name, kept.scaling_rule_type) == ("e-out", "SimpleScalingRule")
        assert (kept.adjustment_type, kept.adjustment_value) == ("QuantityChangeInCapacity", 1)
        execute = ess.ExecuteScalingRuleRequest(region_id=REGION, scaling_rule_ari=ari)
        scaling.wait_activity(client.execute_scaling_rule(execute).body.scaling_activity_id)
        assert len(scaling.ids(group_id)) == 1
        client.modify_scaling_rule(
            ess.ModifyScalingRuleRequest(scaling_rule_id=rule.scaling_rule_id, adjustment_value=-5)
        )
        scaling.wait_activity(client.execute_scaling_rule(execute).body.scaling_activity_id)
        assert scaling.members(group_id) == []
        with refused("IncorrectCapacity.NoChange"):
            client.execute_scaling_rule(execute)
        delete = ess.DeleteScalingRuleRequest(scaling_rule_id=rule.scaling_rule_id)
        client.delete_scaling_rule(delete)
        for call, wanted in ((client.delete_scaling_rule, delete), (client.execute_scaling_rule, execute)):
            with refused("InvalidScalingRuleId.NotFound", 404):
                call(wanted)

    def test_malformed_rules_are_refused(self, scaling):
        group_id = scaling.make(is_enabled=False)
        for changes, code, text in (
            ({"adjustment_type": "Double"}, "InvalidParameter", "AdjustmentType"),
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

    def test_alarms_are_kept_switched_and_deleted(self, scaling, client):
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
        alarm_id = client.create_alarm(ess.CreateAlarmRequest(**settings)).body.alarm_task_id
        named = {"region_id": REGION, "alarm_task_id": alarm_id}

        def read():
            found = client.describe_alarms(ess.DescribeAlarmsRequest(**named)).body.alarm_list
            return found[0] if found else None

        kept = read()
        assert (kept.name, kept.metric_type, kept.threshold, kept.enable) == ("e-busy", "system", 70.5, True)
        assert (kept.alarm_actions, kept.state, kept.period) == ([ari], "INSUFFICIENT_DATA", 60)
        client.modify_alarm(ess.ModifyAlarmRequest(**named, threshold=80))
        client.disable_alarm(ess.DisableAlarmRequest(**named))
        assert (read().threshold, read().enable) == (80, False)
        client.enable_alarm(ess.EnableAlarmRequest(**named))
        assert read().enable
        client.delete_alarm(ess.DeleteAlarmRequest(**named))
        assert read() is None
        with refused("InvalidAlarmTaskId.NotFound", 404):
            client.delete_alarm(ess.DeleteAlarmRequest(**named))
        for changes, code, text in (
            ({"period": 7}, "InvalidParameter", "Period"),
            ({"metric_name": "Moonlight"}, "UnsupportedOperation", "Moonlight"),
            ({"threshold": None}, "MissingParameter", "Threshold"),
            ({"comparison_operator": "~"}, "InvalidParameter", "ComparisonOperator"),
        ):
            with refused(code, text=text):
                client.create_alarm(ess.CreateAlarmRequest(**{**settings, **changes}))

    def test_scheduled_tasks_are_kept_changed_and_deleted(self, scaling, client):
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
        task_id = client.create_scheduled_task(
            ess.CreateScheduledTaskRequest(**settings)
        ).body.scheduled_task_id
        client.modify_scheduled_task(
            ess.ModifyScheduledTaskRequest(scheduled_task_id=task_id, desired_capacity=3, task_enabled=False)
        )
        request = ess.DescribeScheduledTasksRequest(region_id=REGION, scheduled_task_ids=[task_id])
        (task,) = client.describe_scheduled_tasks(request).body.scheduled_tasks
        assert (task.desired_capacity, task.task_enabled, task.recurrence_value) == (3, False, "1,5")
        assert task.launch_expiration_time == 600
        client.delete_scheduled_task(ess.DeleteScheduledTaskRequest(scheduled_task_id=task_id))
        assert client.describe_scheduled_tasks(request).body.scheduled_tasks == []
        with refused("InvalidScheduledTaskId.NotFound", 404):
            client.delete_scheduled_task(ess.DeleteScheduledTaskRequest(scheduled_task_id=task_id))
        for changes, code, text in (
            ({"launch_time": "soon"}, "InvalidParameter", "LaunchTime"),
            ({"launch_time": later(days=91)}, "InvalidParameter", "LaunchTime"),
            ({"recurrence_end_time": later(days=366)}, "InvalidParameter", "RecurrenceEndTime"),
            ({"recurrence_end_time": None}, "MissingParameter", "RecurrenceEndTime"),
            ({"recurrence_value": "9"}, "InvalidParameter", "RecurrenceValue"),
            ({"desired_capacity": None}, "MissingParameter", "DesiredCapacity"),
            ({"scaling_group_id": None}, "MissingParameter", "ScheduledAction"),
        ):
            with refused(code, text=text):
                client.create_scheduled_task(ess.CreateScheduledTaskRequest(**{**settings, **changes}))


class TestOlderVersion:
    """What the Terraform provider and Go's SDK send and read: version 2014-08-28."""

    @pytest.fixture
    def call(self, local_cloud: CloudInfo):
        client = PlainClient(sdk_config(local_cloud))

        def call(action: str, **query: str) -> dict:
            params = Params(
                action=action,
                version="2014-08-28",
                protocol="HTTP",
                pathname="/",
                method="POST",
                auth_type="AK",
                style="RPC",
                req_body_type="formData",
                body_type="json",
            )
            named = {key.replace("__", "."): value for key, value in query.items()}
            request = OpenApiRequest(query={"RegionId": REGION, **named})
            return client.call_api(params, request, RuntimeOptions())["body"]

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
        call(
            "CreateScalingConfiguration",
            ScalingGroupId=group_id,
            ImageId=IMAGE,
            SecurityGroupId=scaling.fleet.group_id,
            InstanceTypes__1=TYPE,
            SpotStrategy="SpotWithPriceLimit",
            SpotPriceLimit__1__InstanceType=TYPE,
            SpotPriceLimit__1__PriceLimit="2.5",
        )
        (one,) = call("DescribeScalingConfigurations", ScalingGroupId=group_id)["ScalingConfigurations"][
            "ScalingConfiguration"
        ]
        assert one["SpotPriceLimits"] == {"SpotPriceModel": [{"InstanceType": TYPE, "PriceLimit": 2.5}]}
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
    def test_members_serve_and_an_alarm_adds_one(self, scaling, client, cms_client, fleet: Fleet):
        balancer = fleet.balance()
        slb_client = fleet.slb_client
        servers = slb_client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=balancer.load_balancer_id)
        ).body.vserver_group_id
        slb_client.create_load_balancer_httplistener(
            slb.CreateLoadBalancerHTTPListenerRequest(
                region_id=REGION,
                load_balancer_id=balancer.load_balancer_id,
                listener_port=80,
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
                region_id=REGION, load_balancer_id=balancer.load_balancer_id, listener_port=80
            )
        )
        group_id = scaling.make(is_enabled=False, desired_capacity=2)
        attribute = ess.AttachVServerGroupsRequestVServerGroupsVServerGroupAttributes(
            vserver_group_id=servers, port=8000, weight=40
        )
        client.attach_vserver_groups(
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

        ari = client.create_scaling_rule(
            ess.CreateScalingRuleRequest(
                region_id=REGION,
                scaling_group_id=group_id,
                adjustment_type="QuantityChangeInCapacity",
                adjustment_value=1,
            )
        ).body.scaling_rule_ari
        client.create_alarm(
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
