"""Scaling groups for the contract tests, by the vendor's SDK."""

from __future__ import annotations

import time

from alibabacloud_ess20220222 import models as ess
from alibabacloud_ess20220222.client import Client as EssClient
from contract_fleet import IMAGE, REGION, TYPE, Fleet
from contract_sdk import wait_for


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

    def add_rule(self, group_id: str) -> str:
        """Make a rule that adds one instance; give what alarms and callers know it by."""
        request = ess.CreateScalingRuleRequest(
            region_id=REGION,
            scaling_group_id=group_id,
            adjustment_type="QuantityChangeInCapacity",
            adjustment_value=1,
        )
        return self.client.create_scaling_rule(request).body.scaling_rule_ari

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
