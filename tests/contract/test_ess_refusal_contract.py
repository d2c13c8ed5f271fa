"""What Auto Scaling does not do, and what becomes of members that never came into service."""

from __future__ import annotations

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from contract_fleet import REGION
from contract_sdk import refused, wait_for


def attach(scaling, group_id: str, instance_id: str) -> None:
    scaling.client.attach_instances(
        ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=[instance_id])
    )


def make_hook(scaling, group_id: str, **settings: object) -> str:
    request = ess.CreateLifecycleHookRequest(
        scaling_group_id=group_id, **{"lifecycle_transition": "SCALE_OUT", **settings}
    )
    return scaling.client.create_lifecycle_hook(request).body.lifecycle_hook_id


class TestAdjustment:
    def adjust(self, scaling, group_id: str, kind: str, value: int) -> str:
        request = ess.ScaleWithAdjustmentRequest(
            scaling_group_id=group_id, adjustment_type=kind, adjustment_value=value
        )
        return scaling.client.scale_with_adjustment(request).body.scaling_activity_id

    def test_scales_without_a_rule_up_to_the_groups_limits(self, scaling):
        group_id = scaling.make(max_size=2)
        scaling.wait_activity(self.adjust(scaling, group_id, "TotalCapacity", 1))
        (first,) = scaling.wait_members(group_id, 1)
        scaling.wait_activity(self.adjust(scaling, group_id, "QuantityChangeInCapacity", 5))
        assert first in scaling.wait_members(group_id, 2)
        scaling.wait_activity(self.adjust(scaling, group_id, "PercentChangeInCapacity", -50))
        scaling.wait_members(group_id, 1)

    def test_that_changes_nothing_or_is_none_is_refused(self, scaling):
        group_id = scaling.make(is_enabled=False)
        with refused("IncorrectScalingGroupStatus"):
            self.adjust(scaling, group_id, "TotalCapacity", 1)
        scaling.enable(group_id, scaling.configure(group_id))
        with refused("InvalidParameter", text="AdjustmentType"):
            self.adjust(scaling, group_id, "Twice", 1)
        for kind, value in (
            ("QuantityChangeInCapacity", 1001),
            ("PercentChangeInCapacity", -101),
            ("TotalCapacity", -1),
        ):
            with refused("InvalidParameter", text="AdjustmentValue"):
                self.adjust(scaling, group_id, kind, value)
        with refused("IncorrectCapacity.NoChange"):
            self.adjust(scaling, group_id, "TotalCapacity", 0)

    def test_that_is_to_be_planned_alone_is_not_carried_out(self, scaling):
        group_id = scaling.make()
        request = ess.ScaleWithAdjustmentRequest(
            scaling_group_id=group_id,
            adjustment_type="TotalCapacity",
            adjustment_value=1,
            execution_mode="PlanOnly",
        )
        with refused("UnsupportedOperation", text="PlanOnly"):
            scaling.client.scale_with_adjustment(request)
        assert scaling.members(group_id) == []

    def test_waits_for_the_one_before_it(self, scaling):
        group_id = scaling.make()
        make_hook(scaling, group_id)  # The member waits for it, and so does the activity.
        self.adjust(scaling, group_id, "TotalCapacity", 1)
        with refused("ScalingActivityInProgress"):
            self.adjust(scaling, group_id, "TotalCapacity", 2)


class TestMember:
    def test_of_another_network_is_not_attached(self, scaling, ecs_client, make_vpc, make_vswitch):
        group_id = scaling.make()
        vpc_id = make_vpc("10.79.0.0/16")
        vswitch_id = make_vswitch(vpc_id, "10.79.0.0/24")
        other = ecs_client.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id)
        ).body.security_group_id
        (instance_id,) = scaling.fleet.run(v_switch_id=vswitch_id, security_group_id=other)
        with refused("InvalidInstanceId.VPCMismatch"):
            attach(scaling, group_id, instance_id)
        scaling.fleet.delete(instance_id)
        scaling.fleet.wait_status(instance_id, "gone")
        ecs_client.delete_security_group(
            ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=other)
        )

    def test_that_does_not_run_is_not_attached(self, scaling, ecs_client):
        group_id = scaling.make()
        (instance_id,) = scaling.fleet.run()
        ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        scaling.fleet.wait_status(instance_id, "Stopped")
        with refused("IncorrectInstanceStatus"):
            attach(scaling, group_id, instance_id)

    def test_that_serves_does_not_come_back_from_standby(self, scaling, ess_client):
        group_id = scaling.make(desired_capacity=1)
        (instance_id,) = scaling.wait_members(group_id, 1)
        with refused("IncorrectInstanceStatus"):
            ess_client.exit_standby(
                ess.ExitStandbyRequest(scaling_group_id=group_id, instance_ids=[instance_id])
            )


class TestHook:
    def test_names_are_unique_in_a_group(self, scaling):
        group_id = scaling.make(is_enabled=False)
        make_hook(scaling, group_id, lifecycle_hook_name="e-hook")
        with refused("InvalidLifecycleHookName.Duplicate"):
            make_hook(scaling, group_id, lifecycle_hook_name="e-hook")
        make_hook(scaling, scaling.make(is_enabled=False), lifecycle_hook_name="e-hook")

    def test_that_is_abandoned_fails_the_activity(self, scaling, ess_client):
        group_id = scaling.make()
        make_hook(scaling, group_id)
        rule = scaling.add_rule(group_id)
        activity_id = ess_client.execute_scaling_rule(
            ess.ExecuteScalingRuleRequest(region_id=REGION, scaling_rule_ari=rule)
        ).body.scaling_activity_id
        (member,) = scaling.wait_members(group_id, 1, "Pending:Wait")
        (action,) = wait_for(
            lambda: (
                ess_client.describe_lifecycle_actions(
                    ess.DescribeLifecycleActionsRequest(region_id=REGION, scaling_activity_id=activity_id)
                ).body.lifecycle_actions
                or []
            ),
            bool,
        )
        ess_client.complete_lifecycle_action(
            ess.CompleteLifecycleActionRequest(
                region_id=REGION,
                lifecycle_hook_id=action.lifecycle_hook_id,
                lifecycle_action_token=action.lifecycle_action_token,
                lifecycle_action_result="ABANDON",
            )
        )
        failed = scaling.wait_activity(activity_id, "Failed")
        assert failed.error_code == "LifecycleHook.Abandoned"
        wait_for(lambda: scaling.fleet.status(member), lambda status: status == "gone")

    def test_a_member_that_ends_while_it_waits_fails_the_activity(self, scaling, ecs_client):
        group_id = scaling.make()
        make_hook(scaling, group_id)
        activity_id = TestAdjustment().adjust(scaling, group_id, "TotalCapacity", 1)
        (member,) = scaling.wait_members(group_id, 1, "Pending:Wait")
        ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=member, force_stop=True))
        assert scaling.wait_activity(activity_id, "Failed").error_code == "InstanceNotRunning"


def test_regions_are_told_with_the_endpoint_that_serves_them(local_cloud, ess_client):
    regions = ess_client.describe_regions(ess.DescribeRegionsRequest()).body.regions
    assert {region.region_id for region in regions} >= {REGION, "cn-beijing"}
    assert {region.region_endpoint for region in regions} == {local_cloud.endpoint}


def test_what_a_group_is_not_served_with_is_refused_by_its_name(scaling):
    for settings, text in (
        ({"dbinstance_ids": '["rm-1"]'}, "DBInstanceIds"),
        ({"instance_id": "i-1"}, "InstanceId"),
        ({"removal_policies": ["CustomPolicy"]}, "CustomPolicy"),
    ):
        with refused("UnsupportedOperation", text=text):
            scaling.make(is_enabled=False, **settings)


def test_what_would_fail_only_when_an_instance_is_made_is_refused_before(scaling, fleet):
    group_id = scaling.make(is_enabled=False)
    nameless = ess.CreateScalingConfigurationRequestInstanceTypeOverrides(weighted_capacity=2)
    unlimited = ess.CreateScalingConfigurationRequestSpotPriceLimits(price_limit=1)
    for settings, code, text in (
        ({"instance_type_overrides": [nameless]}, "MissingParameter", "InstanceType"),
        ({"spot_price_limits": [unlimited]}, "MissingParameter", "SpotPriceLimits.InstanceType"),
        ({"load_balancer_weight": 101}, "InvalidParameter", "LoadBalancerWeight"),
    ):
        with refused(code, text=text):
            scaling.configure(group_id, **settings)
    request = ecs.CreateLaunchTemplateRequest(
        region_id=REGION,
        launch_template_name="e-refused",
        image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
        instance_type="ecs.g7.xlarge",
        security_group_id=fleet.group_id,
    )
    template_id = fleet.ecs_client.create_launch_template(request).body.launch_template_id
    with refused("InvalidParameter", text="LaunchTemplateVersion"):
        scaling.make(is_enabled=False, launch_template_id=template_id, launch_template_version="newest")
    fleet.ecs_client.delete_launch_template(
        ecs.DeleteLaunchTemplateRequest(region_id=REGION, launch_template_id=template_id)
    )
