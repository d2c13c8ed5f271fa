"""Auto Scaling through the vendor's SDK: groups, configurations, members and hooks."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from contract_fleet import REGION, TYPE, encoded
from contract_sdk import refused, wait_for


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
        with refused("InvalidParameter", text="MaxInstanceLifetime"):
            scaling.modify(group_id, max_instance_lifetime=3600)
        scaling.modify(group_id, max_instance_lifetime=86400)
        assert scaling.group(group_id).max_instance_lifetime == 86400
        scaling.modify(group_id, max_instance_lifetime=0)
        with refused("InvalidParameter", text="PriceComparisonMode"):
            options = ess.CreateScalingGroupRequestCapacityOptions(price_comparison_mode="PricePerMoon")
            scaling.make(is_enabled=False, capacity_options=options)
        with refused("InvalidParameter", text="MultiAZPolicy"):
            scaling.make(is_enabled=False, multi_azpolicy="ANY")
        with refused("InvalidVSwitchId.NotFound", 404):
            scaling.make(is_enabled=False, v_switch_ids=["vsw-0"])
        with refused("UnsupportedOperation", text="recycle"):
            scaling.modify(group_id, scaling_policy="recycle")

    def test_groups_are_listed_by_their_resource_group(self, scaling):
        group_id = scaling.make(is_enabled=False, resource_group_id="rg-team")
        for wanted, found in (("rg-team", [group_id]), ("rg-other", [])):
            request = ess.DescribeScalingGroupsRequest(
                region_id=REGION, scaling_group_ids=[group_id], resource_group_id=wanted
            )
            listed = scaling.client.describe_scaling_groups(request).body.scaling_groups or []
            assert [one.scaling_group_id for one in listed] == found

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
    def test_instances_are_attached_set_aside_and_detached(self, scaling, ess_client):
        group_id = scaling.make()
        (instance_id,) = scaling.fleet.run()
        named = {"scaling_group_id": group_id, "instance_ids": [instance_id]}
        made = ess_client.attach_instances(ess.AttachInstancesRequest(**named)).body.scaling_activity_id
        scaling.wait_members(group_id, 1)
        assert scaling.wait_activity(made).created_instances == [instance_id]
        (member,) = scaling.members(group_id)
        assert (member.creation_type, member.health_status) == ("Attached", "Healthy")
        with refused("InvalidInstanceId.InUse"):
            ess_client.attach_instances(ess.AttachInstancesRequest(**named))
        scaling.wait_activity(
            ess_client.enter_standby(ess.EnterStandbyRequest(**named)).body.scaling_activity_id
        )
        assert scaling.ids(group_id, "Standby") == [instance_id]
        ess_client.exit_standby(ess.ExitStandbyRequest(**named))
        assert scaling.ids(group_id) == [instance_id]
        ess_client.set_instances_protection(
            ess.SetInstancesProtectionRequest(**named, protected_from_scale_in=True)
        )
        assert scaling.ids(group_id, "Protected") == [instance_id]
        gone = ess_client.detach_instances(ess.DetachInstancesRequest(**named)).body.scaling_activity_id
        scaling.wait_activity(gone)
        assert scaling.members(group_id) == []
        assert scaling.fleet.status(instance_id) == "Running"

    def test_an_instance_that_is_named_twice_counts_once(self, scaling, ess_client):
        group_id = scaling.make(desired_capacity=0)
        (instance_id,) = scaling.fleet.run()
        named = {"scaling_group_id": group_id, "instance_ids": [instance_id] * 2}
        made = ess_client.attach_instances(ess.AttachInstancesRequest(**named)).body.scaling_activity_id
        assert scaling.wait_activity(made).created_instances == [instance_id]
        asked = ess.DescribeScalingGroupsRequest(region_id=REGION, scaling_group_ids=[group_id])
        (group,) = ess_client.describe_scaling_groups(asked).body.scaling_groups
        assert group.desired_capacity == 1
        gone = ess_client.detach_instances(ess.DetachInstancesRequest(**named)).body.scaling_activity_id
        assert scaling.wait_activity(gone).destroyed_instances == [instance_id]

    def test_of_several_those_that_cannot_be_are_passed_over_if_the_call_says_so(self, scaling, ess_client):
        group_id = scaling.make()
        (instance_id,) = scaling.fleet.run()
        named = {"scaling_group_id": group_id, "instance_ids": [instance_id, "i-0"]}
        with refused("InvalidInstanceId.NotFound", 404):
            ess_client.attach_instances(ess.AttachInstancesRequest(**named))
        made = ess_client.attach_instances(ess.AttachInstancesRequest(**named, ignore_invalid_instance=True))
        activity = scaling.wait_activity(made.body.scaling_activity_id, "Warning")
        assert activity.created_instances == [instance_id]
        assert "i-0" in activity.detail
        gone = ess_client.detach_instances(ess.DetachInstancesRequest(**named, ignore_invalid_instance=True))
        scaling.wait_activity(gone.body.scaling_activity_id, "Warning")
        assert scaling.members(group_id) == []

    def test_weights_of_attached_instances_are_told_and_checked(self, scaling, ess_client):
        group_id = scaling.make()
        (instance_id,) = scaling.fleet.run()
        named = {"scaling_group_id": group_id, "instance_ids": [instance_id]}
        for weights in ([101], [1, 2]):
            with refused("InvalidParameter", text="LoadBalancerWeights"):
                ess_client.attach_instances(
                    ess.AttachInstancesRequest(**named, load_balancer_weights=weights)
                )
        ess_client.attach_instances(ess.AttachInstancesRequest(**named, load_balancer_weights=[80]))
        assert [one.load_balancer_weight for one in scaling.members(group_id)] == [80]
        scaling.wait_members(group_id, 1)

    @pytest.mark.parametrize(("policy", "is_told"), [("release", True), ("forceRelease", False)])
    def test_a_leavers_processes_are_told_unless_it_goes_by_force(self, scaling, tmp_path, policy, is_told):
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        script = f"#!/bin/bash\ntrap 'touch {ended}; exit' TERM\ntouch {begun}\nwhile :; do sleep 0.1; done\n"
        group_id = scaling.make(is_enabled=False, desired_capacity=1, scaling_policy=policy)
        scaling.enable(group_id, scaling.configure(group_id, user_data=encoded(script)))
        (instance_id,) = scaling.wait_members(group_id, 1)
        wait_for(begun.exists, bool)
        scaling.modify(group_id, desired_capacity=0)
        scaling.wait_members(group_id, 0)
        wait_for(lambda: scaling.fleet.status(instance_id), lambda status: status == "gone")
        assert ended.exists() is is_told

    def test_a_removed_member_is_released_and_not_replaced(self, scaling, ess_client):
        group_id = scaling.make(min_size=0, desired_capacity=1)
        (instance_id,) = scaling.wait_members(group_id, 1)
        request = ess.RemoveInstancesRequest(scaling_group_id=group_id, instance_ids=[instance_id])
        scaling.wait_activity(ess_client.remove_instances(request).body.scaling_activity_id)
        assert scaling.group(group_id).desired_capacity == 0
        wait_for(lambda: scaling.fleet.status(instance_id), lambda status: status == "gone")
        with refused("InvalidInstanceId.NotFound", 404):
            ess_client.remove_instances(request)

    def test_what_cannot_be_is_refused(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False, max_size=0)
        with refused("IncorrectScalingGroupStatus"):
            ess_client.attach_instances(
                ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=["i-0"])
            )
        with refused("InvalidInstanceId.NotFound", 404):
            ess_client.set_instance_health(
                ess.SetInstanceHealthRequest(instance_id="i-0", health_status="Unhealthy")
            )
        with refused("InvalidParameter", text="HealthStatus"):
            ess_client.set_instance_health(
                ess.SetInstanceHealthRequest(instance_id="i-0", health_status="Ill")
            )
        scaling.enable(group_id, scaling.configure(group_id))
        with refused("IncorrectCapacity.MaxSize"):
            ess_client.attach_instances(
                ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=["i-0"])
            )


class TestHook:
    def test_hooks_are_kept_changed_and_deleted(self, scaling, ess_client):
        group_id = scaling.make(is_enabled=False)
        hook_id = ess_client.create_lifecycle_hook(
            ess.CreateLifecycleHookRequest(
                scaling_group_id=group_id,
                lifecycle_hook_name="drain",
                lifecycle_transition="SCALE_IN",
                heartbeat_timeout=120,
                default_result="ABANDON",
            )
        ).body.lifecycle_hook_id
        ess_client.modify_lifecycle_hook(
            ess.ModifyLifecycleHookRequest(lifecycle_hook_id=hook_id, heartbeat_timeout=60)
        )
        request = ess.DescribeLifecycleHooksRequest(region_id=REGION, scaling_group_id=group_id)
        (hook,) = ess_client.describe_lifecycle_hooks(request).body.lifecycle_hooks
        assert (hook.lifecycle_hook_name, hook.lifecycle_transition) == ("drain", "SCALE_IN")
        assert (hook.heartbeat_timeout, hook.default_result) == (60, "ABANDON")
        ess_client.delete_lifecycle_hook(ess.DeleteLifecycleHookRequest(lifecycle_hook_id=hook_id))
        assert ess_client.describe_lifecycle_hooks(request).body.lifecycle_hooks == []
        with refused("InvalidLifecycleHookId.NotExist", 404):
            ess_client.delete_lifecycle_hook(ess.DeleteLifecycleHookRequest(lifecycle_hook_id=hook_id))

    def test_a_member_waits_for_its_completion(self, scaling, ess_client):
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
        waiting = ess_client.describe_lifecycle_actions(
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
        ess_client.record_lifecycle_action_heartbeat(ess.RecordLifecycleActionHeartbeatRequest(**names))
        with refused("InvalidParameter", text="LifecycleActionResult"):
            ess_client.complete_lifecycle_action(
                ess.CompleteLifecycleActionRequest(**names, lifecycle_action_result="DONE")
            )
        ess_client.complete_lifecycle_action(
            ess.CompleteLifecycleActionRequest(**names, lifecycle_action_result="CONTINUE")
        )
        scaling.wait_members(group_id, 0)
        with refused("InvalidLifecycleActionToken.NotFound", 404):
            ess_client.complete_lifecycle_action(ess.CompleteLifecycleActionRequest(**names))

    def test_malformed_hooks_are_refused(self, scaling, ess_client):
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
                ess_client.create_lifecycle_hook(request)
