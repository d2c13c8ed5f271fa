"""What scaling groups do by themselves, suspended and resumed, and what is asked of them, through the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from contract_fleet import REGION, TYPE
from contract_scaling import Scaling
from contract_sdk import refused, wait_for
from own_range import inner


def suspend(scaling: Scaling, group_id: str, *processes: str) -> None:
    scaling.client.suspend_processes(
        ess.SuspendProcessesRequest(scaling_group_id=group_id, processes=list(processes))
    )


def resume(scaling: Scaling, group_id: str, *processes: str) -> None:
    scaling.client.resume_processes(
        ess.ResumeProcessesRequest(scaling_group_id=group_id, processes=list(processes))
    )


def adjust(scaling: Scaling, group_id: str, value: int) -> str:
    request = ess.ScaleWithAdjustmentRequest(
        scaling_group_id=group_id, adjustment_type="QuantityChangeInCapacity", adjustment_value=value
    )
    return scaling.client.scale_with_adjustment(request).body.scaling_activity_id


class TestProcess:
    def test_what_is_suspended_is_shown_and_each_once(self, scaling):
        group_id = scaling.make(is_enabled=False)
        suspend(scaling, group_id, "ScaleOut", "ScaleOut", "AlarmNotification")
        suspend(scaling, group_id, "ScaleIn")
        shown = scaling.group(group_id).suspended_processes
        assert sorted(shown) == ["AlarmNotification", "ScaleIn", "ScaleOut"]
        resume(scaling, group_id, "ScaleOut", "HealthCheck")
        assert sorted(scaling.group(group_id).suspended_processes) == ["AlarmNotification", "ScaleIn"]

    def test_a_group_that_may_not_grow_rejects_it_and_grows_once_it_may(self, scaling):
        group_id = scaling.make(desired_capacity=0)
        suspend(scaling, group_id, "ScaleOut")
        activity = scaling.wait_activity(adjust(scaling, group_id, 1), "Rejected")
        assert "ScaleOut" in activity.status_message
        assert scaling.members(group_id) == []
        resume(scaling, group_id, "ScaleOut")
        scaling.wait_members(group_id, 1)

    def test_a_group_that_may_not_shrink_rejects_it(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        wait_for(lambda: scaling.group(group_id).active_capacity, lambda count: count == 1)
        suspend(scaling, group_id, "ScaleIn")
        _call_when_calm(lambda: adjust(scaling, group_id, -1))
        wait_for(
            lambda: [one.status_code for one in _activities(scaling, group_id)],
            lambda states: "Rejected" in states,
        )
        assert scaling.ids(group_id) == [member]

    def test_without_health_checks_a_dead_member_stays_until_they_are_resumed(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        (first,) = scaling.wait_members(group_id, 1)
        suspend(scaling, group_id, "HealthCheck")
        scaling.fleet.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=first, force_stop=True))
        scaling.fleet.wait_status(first, "Stopped")
        # A change that is carried out by later looks shows that the dead member was looked at.
        scaling.modify(group_id, desired_capacity=2)
        wait_for(lambda: scaling.ids(group_id), lambda ids: len(ids) == 2)
        assert first in scaling.ids(group_id)
        resume(scaling, group_id, "HealthCheck")
        wait_for(lambda: scaling.ids(group_id), lambda ids: len(ids) == 2 and first not in ids)

    def test_malformed_calls_are_refused(self, scaling):
        group_id = scaling.make(is_enabled=False)
        with refused("InvalidParameter", text="Lunch"):
            suspend(scaling, group_id, "Lunch")
        with refused("MissingParameter", text="Process"):
            resume(scaling, group_id)
        with refused("InvalidScalingGroupId.NotFound", 404):
            suspend(scaling, "asg-0", "ScaleIn")


def _activities(scaling: Scaling, group_id: str):
    request = ess.DescribeScalingActivitiesRequest(region_id=REGION, scaling_group_id=group_id)
    return scaling.client.describe_scaling_activities(request).body.scaling_activities


def _call_when_calm(call):
    """Call what is refused while an activity is in progress, once none is."""

    def tried():
        try:
            return call()
        except AlibabaCloudException as err:
            if err.code != "ScalingActivityInProgress":
                raise
            return None

    return wait_for(tried, lambda answer: answer is not None)


class TestDetail:
    def test_an_activity_tells_its_instances(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        (activity,) = _activities(scaling, group_id)
        request = ess.DescribeScalingActivityDetailRequest(scaling_activity_id=activity.scaling_activity_id)
        body = scaling.client.describe_scaling_activity_detail(request).body
        assert (body.scaling_activity_id, body.detail) == (
            activity.scaling_activity_id,
            f"new ECS instances: {member}",
        )
        assert activity.detail == body.detail
        with refused("InvalidScalingActivityId.NotFound", 404):
            scaling.client.describe_scaling_activity_detail(
                ess.DescribeScalingActivityDetailRequest(scaling_activity_id="asa-0")
            )

    def test_one_group_is_told_as_the_list_tells_it(self, scaling):
        group_id = scaling.make(is_enabled=False, min_size=1)
        request = ess.DescribeScalingGroupDetailRequest(region_id=REGION, scaling_group_id=group_id)
        found = scaling.client.describe_scaling_group_detail(request).body.scaling_group
        listed = scaling.group(group_id)
        assert (found.scaling_group_id, found.min_size) == (group_id, 1)
        assert (found.v_switch_ids, found.health_check_type) == (
            listed.v_switch_ids,
            listed.health_check_type,
        )
        request = ess.DescribeScalingGroupDetailRequest(region_id=REGION, scaling_group_id="asg-0")
        with refused("InvalidScalingGroupId.NotFound", 404):
            scaling.client.describe_scaling_group_detail(request)

    @pytest.mark.parametrize(("is_entrusted", "ending"), [(True, "gone"), (False, "Running")])
    def test_a_group_releases_what_it_is_entrusted_with(self, scaling, is_entrusted, ending):
        group_id = scaling.make()
        (own,) = scaling.fleet.run()
        scaling.client.attach_instances(
            ess.AttachInstancesRequest(
                scaling_group_id=group_id, instance_ids=[own], entrusted=not is_entrusted
            )
        )
        scaling.wait_members(group_id, 1)
        entrust = ess.ModifyInstanceAttributeRequest(
            region_id=REGION, scaling_group_id=group_id, instance_ids=[own], entrusted=is_entrusted
        )
        scaling.client.modify_instance_attribute(entrust)
        assert [one.entrusted for one in scaling.members(group_id)] == [is_entrusted]
        scaling.client.remove_instances(
            ess.RemoveInstancesRequest(scaling_group_id=group_id, instance_ids=[own])
        )
        wait_for(lambda: scaling.members(group_id), lambda left: left == [])
        scaling.fleet.wait_status(own, ending)

    def test_what_a_group_made_itself_is_its_own_anyway(self, scaling):
        group_id = scaling.make(desired_capacity=1)
        (member,) = scaling.wait_members(group_id, 1)
        request = ess.ModifyInstanceAttributeRequest(
            region_id=REGION, scaling_group_id=group_id, instance_ids=[member], entrusted=True
        )
        with refused("InvalidParameter", text=member):
            scaling.client.modify_instance_attribute(request)


def test_members_are_evened_out_over_the_zones(scaling, make_vswitch):
    fleet = scaling.fleet
    group_id = scaling.make(multi_azpolicy="BALANCE", desired_capacity=2)
    before = scaling.wait_members(group_id, 2)
    rebalance = ess.RebalanceInstancesRequest(region_id=REGION, scaling_group_id=group_id)
    with refused("IncorrectCapacity.NoChange"):
        _call_when_calm(lambda: scaling.client.rebalance_instances(rebalance))
    second = make_vswitch(fleet.vpc_id, inner("1.0/24"), "cn-hangzhou-i")
    scaling.modify(group_id, v_switch_ids=[fleet.vswitch_id, second])
    activity_id = scaling.client.rebalance_instances(rebalance).body.scaling_activity_id
    activity = scaling.wait_activity(activity_id)
    assert (len(activity.created_instances), len(activity.destroyed_instances)) == (1, 1)
    members = scaling.members(group_id)
    assert {one.zone_id for one in members} == {"cn-hangzhou-h", "cn-hangzhou-i"}
    assert len({one.instance_id for one in members} & set(before)) == 1

    plain_id = scaling.make()
    with refused("IncorrectScalingGroupMultiAZPolicy"):
        scaling.client.rebalance_instances(
            ess.RebalanceInstancesRequest(region_id=REGION, scaling_group_id=plain_id)
        )
    disabled_id = scaling.make(is_enabled=False, multi_azpolicy="BALANCE")
    with refused("IncorrectScalingGroupStatus"):
        scaling.client.rebalance_instances(
            ess.RebalanceInstancesRequest(region_id=REGION, scaling_group_id=disabled_id)
        )


def test_how_surely_a_group_can_grow_is_told(scaling):
    def strength(**settings: object):
        request = ess.DescribeElasticStrengthRequest(region_id=REGION, **settings)
        return scaling.client.describe_elastic_strength(request).body

    group_id = scaling.make()
    told = strength(scaling_group_id=group_id)
    (pool,) = told.resource_pools
    assert (told.elastic_strength, told.total_strength) == ("Strong", 1)
    assert (pool.instance_type, pool.zone_id, pool.status) == (TYPE, "cn-hangzhou-h", "Available")
    assert pool.v_switch_ids == [scaling.fleet.vswitch_id]
    told = strength(scaling_group_id=group_id, instance_types=[TYPE, "ecs.none.large"])
    assert told.elastic_strength == "Medium"
    assert [one.code for one in told.resource_pools] == ["", "OperationDenied.NoStock"]
    (model,) = strength(scaling_group_ids=[group_id]).elastic_strength_models
    assert (model.scaling_group_id, model.elastic_strength) == (group_id, "Strong")
    alone = strength(instance_types=[TYPE], v_switch_ids=[scaling.fleet.vswitch_id])
    assert alone.elastic_strength == "Strong"
    for settings, code, status in (
        ({"instance_types": [TYPE]}, "MissingParameter", 400),
        ({"instance_types": [TYPE], "v_switch_ids": ["vsw-0"]}, "InvalidVSwitchId.NotFound", 404),
        ({"scaling_group_id": "asg-0"}, "InvalidScalingGroupId.NotFound", 404),
        ({"scaling_group_ids": ["asg-0"]}, "InvalidScalingGroupId.NotFound", 404),
    ):
        with refused(code, status):
            strength(**settings)


def test_keys_and_values_of_tags_are_listed(scaling):
    for value in ("test", "live"):
        tag = ess.CreateScalingGroupRequestTags(key="stage", value=value)
        scaling.make(is_enabled=False, tags=[tag])
    kind = {"region_id": REGION, "resource_type": "scalinggroup"}
    keys = scaling.client.list_tag_keys(ess.ListTagKeysRequest(**kind)).body.keys
    assert "stage" in keys
    first = scaling.client.list_tag_values(ess.ListTagValuesRequest(**kind, key="stage", page_size=1)).body
    assert (first.values, first.page_size) == (["live"], 1)
    rest = ess.ListTagValuesRequest(**kind, key="stage", page_size=1, next_token=first.next_token)
    assert scaling.client.list_tag_values(rest).body.values == ["test"]
    with refused("InvalidParameter", text="ResourceType"):
        scaling.client.list_tag_keys(ess.ListTagKeysRequest(region_id=REGION, resource_type="instance"))
