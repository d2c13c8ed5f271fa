"""Several instances by one call, and the older way to make one, by the vendor's SDK."""

from __future__ import annotations

import pytest
from alibabacloud_ecs20140526 import models
from contract_fleet import IMAGE, REGION, TYPE
from contract_sdk import refused, wait_for
from own_range import served


def rows(response) -> dict[str, tuple[str, str, str]]:
    """Give code, previous and current status by instance."""
    return {
        row.instance_id: (row.code, row.previous_status, row.current_status)
        for row in response.body.instance_responses.instance_response
    }


class TestPower:
    def test_all_stop_start_and_reboot_together(self, fleet):
        ids = fleet.run("#!/bin/bash\necho booted\nexec sleep 1000\n", amount=2)
        named = {"region_id": REGION, "instance_id": ids}

        def wait_boot(number: int) -> None:
            for instance_id in ids:
                wait_for(
                    lambda one=instance_id: fleet.console(one).count("booted"), lambda count: count == number
                )

        wait_boot(1)
        stopped = fleet.ecs_client.stop_instances(models.StopInstancesRequest(**named, force_stop=True))
        assert rows(stopped) == dict.fromkeys(ids, ("200", "Running", "Stopping"))
        for instance_id in ids:
            fleet.wait_status(instance_id, "Stopped")

        started = fleet.ecs_client.start_instances(models.StartInstancesRequest(**named))
        assert rows(started) == dict.fromkeys(ids, ("200", "Stopped", "Starting"))
        for instance_id in ids:
            fleet.wait_status(instance_id, "Running")

        wait_boot(2)
        rebooted = fleet.ecs_client.reboot_instances(
            models.RebootInstancesRequest(**named, force_reboot=True)
        )
        assert rows(rebooted) == dict.fromkeys(ids, ("200", "Running", "Stopping"))
        wait_boot(3)
        for instance_id in ids:
            fleet.wait_status(instance_id, "Running")

    def test_one_that_cannot_be_worked_on_leaves_all_as_they_are(self, fleet):
        running, stopped = fleet.run(amount=2)
        fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=stopped, force_stop=True))
        fleet.wait_status(stopped, "Stopped")
        with refused("IncorrectInstanceStatus", 403):
            fleet.ecs_client.stop_instances(
                models.StopInstancesRequest(region_id=REGION, instance_id=[running, stopped])
            )
        assert (fleet.status(running), fleet.status(stopped)) == ("Running", "Stopped")

    def test_where_each_counts_the_answer_tells_of_each(self, fleet):
        running, stopped = fleet.run(amount=2)
        fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=stopped, force_stop=True))
        fleet.wait_status(stopped, "Stopped")
        told = fleet.ecs_client.start_instances(
            models.StartInstancesRequest(
                region_id=REGION,
                instance_id=[running, stopped, "i-nowhere"],
                batch_optimization="SuccessFirst",
            )
        )
        assert rows(told) == {
            running: ("IncorrectInstanceStatus", "Running", "Running"),
            stopped: ("200", "Stopped", "Starting"),
            "i-nowhere": ("InvalidInstanceId.NotFound", "", ""),
        }
        fleet.wait_status(stopped, "Running")

    def test_what_is_asked_for_is_checked(self, fleet):
        (instance_id,) = fleet.run()
        with refused("InvalidInstanceId.NotFound", 404):
            fleet.ecs_client.start_instances(
                models.StartInstancesRequest(region_id=REGION, instance_id=["i-nowhere"])
            )
        with refused("InvalidBatchOptimization.ValueNotSupported"):
            fleet.ecs_client.start_instances(
                models.StartInstancesRequest(
                    region_id=REGION, instance_id=[instance_id], batch_optimization="Maybe"
                )
            )
        with refused("InvalidParameter", text="100"):
            fleet.ecs_client.start_instances(
                models.StartInstancesRequest(
                    region_id=REGION, instance_id=[f"i-{number}" for number in range(101)]
                )
            )
        with refused("DryRunOperation"):
            fleet.ecs_client.stop_instances(
                models.StopInstancesRequest(region_id=REGION, instance_id=[instance_id], dry_run=True)
            )
        assert fleet.status(instance_id) == "Running"


class TestRelease:
    def test_all_are_released_or_none(self, fleet):
        first, second = fleet.run(amount=2)
        fleet.ecs_client.modify_instance_attribute(
            models.ModifyInstanceAttributeRequest(instance_id=second, deletion_protection=True)
        )
        request = models.DeleteInstancesRequest(region_id=REGION, instance_id=[first, second])
        with refused("IncorrectInstanceStatus", 403):
            fleet.ecs_client.delete_instances(request)
        request.force = True
        with refused("InvalidOperation.DeletionProtection", 403):
            fleet.ecs_client.delete_instances(request)
        request.instance_id = [first, "i-nowhere"]
        with refused("InvalidInstanceId.NotFound", 404):
            fleet.ecs_client.delete_instances(request)
        assert (fleet.status(first), fleet.status(second)) == ("Running", "Running")

        fleet.ecs_client.modify_instance_attribute(
            models.ModifyInstanceAttributeRequest(instance_id=second, deletion_protection=False)
        )
        request.instance_id = [first, second]
        fleet.ecs_client.delete_instances(request)
        for instance_id in (first, second):
            fleet.wait_status(instance_id, "gone")


class TestCreateInstance:
    def test_one_is_stopped_until_it_is_started(self, fleet):
        made = fleet.ecs_client.create_instance(
            models.CreateInstanceRequest(
                region_id=REGION,
                image_id=IMAGE,
                instance_type=TYPE,
                security_group_id=fleet.group_id,
                v_switch_id=fleet.vswitch_id,
                instance_name="older",
            )
        ).body.instance_id
        fleet.instance_ids.append(made)
        assert (fleet.status(made), fleet.instance(made).instance_name) == ("Stopped", "older")
        assert fleet.address(made).startswith(served("0."))
        fleet.ecs_client.start_instance(models.StartInstanceRequest(instance_id=made))
        fleet.wait_status(made, "Running")

    @pytest.mark.parametrize(
        ("settings", "code", "status"),
        [
            ({"instance_type": "ecs.nothing"}, "InvalidInstanceType.ValueNotSupported", 403),
            ({"image_id": "nothing"}, "InvalidImageId.NotFound", 404),
            ({"v_switch_id": "vsw-nowhere"}, "InvalidVSwitchId.NotFound", 404),
            ({"security_group_id": None}, "MissingParameter", 400),
        ],
    )
    def test_it_is_checked_as_run_instances_is(self, fleet, settings, code, status):
        request = models.CreateInstanceRequest(
            **{
                "region_id": REGION,
                "image_id": IMAGE,
                "instance_type": TYPE,
                "security_group_id": fleet.group_id,
                "v_switch_id": fleet.vswitch_id,
                **settings,
            }
        )
        with refused(code, status):
            fleet.ecs_client.create_instance(request)
