"""Auto Scaling through the vendor's SDK: groups, configurations, members, hooks, rules, tasks and alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_ess20220222.client import Client as EssClient
from contract_fleet import IMAGE, REGION, TYPE, Fleet
from contract_sdk import refused, sdk_config, wait_for

from steelyard.localcloud.daemon import CloudInfo


@pytest.fixture
def client(local_cloud: CloudInfo) -> EssClient:
    return EssClient(sdk_config(local_cloud))


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
