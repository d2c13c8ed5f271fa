"""What the cloud would do to instances by itself, and how they fare, by the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models
from contract_fleet import REGION
from contract_sdk import refused


def maintenance(fleet, instance_id: str):
    request = models.DescribeInstanceMaintenanceAttributesRequest(region_id=REGION, instance_id=[instance_id])
    (row,) = fleet.ecs_client.describe_instance_maintenance_attributes(
        request
    ).body.maintenance_attributes.maintenance_attribute
    return row


def pool(fleet, instance_id: str):
    request = models.DescribeInstanceAttachmentAttributesRequest(
        region_id=REGION, instance_ids=f'["{instance_id}"]'
    )
    (row,) = fleet.ecs_client.describe_instance_attachment_attributes(request).body.instances.instance
    return row


def full_status(fleet, **filters: object):
    request = models.DescribeInstancesFullStatusRequest(region_id=REGION, **filters)
    return fleet.ecs_client.describe_instances_full_status(
        request
    ).body.instance_full_status_set.instance_full_status_type


class TestMaintenance:
    def change(self, fleet, instance_id: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_maintenance_attributes(
            models.ModifyInstanceMaintenanceAttributesRequest(
                region_id=REGION, instance_id=[instance_id], **settings
            )
        )

    def test_what_is_wanted_is_kept(self, fleet):
        (instance_id,) = fleet.run()
        before = maintenance(fleet, instance_id)
        assert (before.action_on_maintenance.value, before.notify_on_maintenance) == ("AutoRecover", False)
        window = models.ModifyInstanceMaintenanceAttributesRequestMaintenanceWindow(
            start_time="02:00:00", end_time="03:00:00"
        )
        self.change(
            fleet,
            instance_id,
            action_on_maintenance="Stop",
            notify_on_maintenance=True,
            maintenance_window=[window],
        )
        after = maintenance(fleet, instance_id)
        assert (after.action_on_maintenance.value, after.notify_on_maintenance) == ("Stop", True)
        (kept,) = after.maintenance_windows.maintenance_window
        assert (kept.start_time, kept.end_time) == ("02:00:00", "03:00:00")

    def test_what_cannot_be_is_refused(self, fleet):
        (instance_id,) = fleet.run()
        with refused("InvalidActionOnMaintenance.ValueNotSupported"):
            self.change(fleet, instance_id, action_on_maintenance="Pray")
        with refused("InvalidParameter", text="MaintenanceWindow"):
            window = models.ModifyInstanceMaintenanceAttributesRequestMaintenanceWindow(start_time="25:00:00")
            self.change(fleet, instance_id, maintenance_window=[window])
        with refused("InvalidInstanceId.NotFound", 404):
            self.change(fleet, "i-nowhere", action_on_maintenance="Stop")


class TestPrivatePools:
    def change(self, fleet, instance_id: str, criteria: str, pool_id: str | None = None) -> None:
        options = models.ModifyInstanceAttachmentAttributesRequestPrivatePoolOptions(
            match_criteria=criteria, id=pool_id
        )
        fleet.ecs_client.modify_instance_attachment_attributes(
            models.ModifyInstanceAttachmentAttributesRequest(
                region_id=REGION, instance_id=instance_id, private_pool_options=options
            )
        )

    def test_an_instance_may_draw_from_any_or_none(self, fleet):
        (instance_id,) = fleet.run()
        self.change(fleet, instance_id, "Open")
        assert pool(fleet, instance_id).private_pool_options_match_criteria == "Open"
        self.change(fleet, instance_id, "None")
        assert pool(fleet, instance_id).private_pool_options_match_criteria == "None"

    def test_there_is_none_to_name(self, fleet):
        (instance_id,) = fleet.run()
        with refused("InvalidPrivatePoolOptionsId.NotFound", 404):
            self.change(fleet, instance_id, "Target", "eap-nowhere")
        with refused("MissingParameter", text="PrivatePoolOptions.Id"):
            self.change(fleet, instance_id, "Target")
        with refused("InvalidParameter", text="MatchCriteria"):
            self.change(fleet, instance_id, "Closed")


class TestStatus:
    def test_a_running_instance_is_well_and_nothing_waits_for_it(self, fleet):
        (instance_id,) = fleet.run()
        (told,) = full_status(fleet, instance_id=[instance_id])
        assert (told.status.name, told.health_status.name) == ("Running", "Ok")
        assert told.scheduled_system_event_set.scheduled_system_event_type == []
        assert full_status(fleet, instance_id=[instance_id], health_status="Impaired") == []
        assert full_status(fleet, instance_id=[instance_id], status="Stopped") == []
        assert full_status(fleet, instance_id=[instance_id], event_type="SystemMaintenance.Reboot") == []

    @pytest.mark.parametrize("style", [{"page_size": 5}, {"max_results": 5}])
    def test_nothing_has_happened(self, fleet, style):
        request = models.DescribeInstanceHistoryEventsRequest(region_id=REGION, **style)
        told = fleet.ecs_client.describe_instance_history_events(request).body
        assert (told.total_count, told.instance_system_event_set.instance_system_event_type) == (0, [])
