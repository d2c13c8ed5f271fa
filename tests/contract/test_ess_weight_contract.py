"""Scaling groups whose capacity is more than the number of their instances: types count by their weights."""

from __future__ import annotations

import pytest
from alibabacloud_ess20220222 import models as ess
from contract_fleet import REGION, TYPE
from contract_sdk import refused


def weighing(weight: int) -> dict[str, object]:
    """Give what a scaling configuration says of an instance type that has a weight."""
    row = ess.CreateScalingConfigurationRequestInstanceTypeOverrides(
        instance_type=TYPE, weighted_capacity=weight
    )
    return {"instance_type": None, "instance_type_overrides": [row]}


@pytest.fixture
def heavy(scaling):
    """Make an enabled group whose instances count for 4 each."""

    def make(**settings: object) -> str:
        group_id = scaling.make(is_enabled=False, **settings)
        scaling.enable(group_id, scaling.configure(group_id, **weighing(4)))
        return group_id

    return make


def test_a_group_makes_no_more_instances_than_its_capacity_takes(scaling, heavy):
    """The SDK's example: a capacity of 6 takes two instances of weight 4."""
    group_id = heavy(max_size=6, desired_capacity=6)
    scaling.wait_members(group_id, 2)
    assert [one.weighted_capacity for one in scaling.members(group_id)] == [4, 4]
    group = scaling.group(group_id)
    assert (group.desired_capacity, group.total_capacity, group.active_capacity) == (6, 8, 8)
    assert group.total_instance_count == 2


def test_weights_are_told_with_their_types(scaling, ess_client):
    group_id = scaling.make(is_enabled=False)
    configuration_id = scaling.configure(group_id, **weighing(4))
    request = ess.DescribeScalingConfigurationsRequest(
        region_id=REGION, scaling_configuration_ids=[configuration_id]
    )
    (found,) = ess_client.describe_scaling_configurations(request).body.scaling_configurations
    assert (found.instance_types, found.weighted_capacities) == ([TYPE], [4])


def test_a_group_lets_go_what_its_capacity_no_longer_needs(scaling, heavy):
    group_id = heavy(max_size=8, desired_capacity=8)
    scaling.wait_members(group_id, 2)
    scaling.modify(group_id, desired_capacity=4)
    scaling.wait_members(group_id, 1)


def test_a_rule_reckons_by_capacity(scaling, ess_client, heavy):
    group_id = heavy(max_size=12)
    ari = scaling.add_rule(group_id)
    request = ess.ExecuteScalingRuleRequest(scaling_rule_ari=ari)
    for count in (1, 2):
        scaling.wait_activity(ess_client.execute_scaling_rule(request).body.scaling_activity_id)
        assert len(scaling.ids(group_id)) == count


def test_an_instance_that_is_attached_counts_by_its_type(scaling, ess_client, heavy):
    group_id = heavy(max_size=6)
    first, second = scaling.fleet.run(amount=2)
    attach = ess.AttachInstancesRequest(scaling_group_id=group_id, instance_ids=[first])
    scaling.wait_activity(ess_client.attach_instances(attach).body.scaling_activity_id)
    assert scaling.group(group_id).active_capacity == 4
    attach.instance_ids = [second]
    with refused("IncorrectCapacity.MaxSize"):
        ess_client.attach_instances(attach)


def test_weights_out_of_range_and_refreshes_are_refused(scaling, ess_client, heavy):
    group_id = heavy(desired_capacity=4)
    for weight in (-1, 501):
        with refused("InvalidParameter", text="WeightedCapacity"):
            scaling.configure(group_id, **weighing(weight))
    override = ess.CreateScalingGroupRequestLaunchTemplateOverrides(instance_type=TYPE, weighted_capacity=501)
    with refused("InvalidParameter", text="WeightedCapacity"):
        scaling.make(is_enabled=False, launch_template_overrides=[override])
    scaling.wait_members(group_id, 1)
    request = ess.StartInstanceRefreshRequest(region_id=REGION, scaling_group_id=group_id)
    with refused("UnsupportedOperation", text="WeightedCapacity"):
        ess_client.start_instance_refresh(request)
