"""How instances are paid for, and when they are released; by the vendor's SDK."""

from __future__ import annotations

import calendar
import json
import time

import pytest
from alibabacloud_ecs20140526 import models
from contract_fleet import REGION
from contract_sdk import refused


def in_days(text: str) -> int:
    """Tell how many days ahead a time lies that is told to the minute."""
    moment = time.strptime(text, "%Y-%m-%dT%H:%MZ")
    return int((calendar.timegm(moment) - time.time()) // 86400)


class TestPayment:
    def change(self, fleet, *ids: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_charge_type(
            models.ModifyInstanceChargeTypeRequest(
                region_id=REGION, instance_ids=json.dumps(list(ids)), **settings
            )
        )

    def renewals(self, fleet, **filters: object):
        request = models.DescribeInstanceAutoRenewAttributeRequest(region_id=REGION, **filters)
        return fleet.ecs_client.describe_instance_auto_renew_attribute(
            request
        ).body.instance_renew_attributes.instance_renew_attribute

    def renew(self, fleet, instance_id: str, **settings: object) -> None:
        fleet.ecs_client.modify_instance_auto_renew_attribute(
            models.ModifyInstanceAutoRenewAttributeRequest(
                region_id=REGION, instance_id=instance_id, **settings
            )
        )

    def test_it_becomes_one_in_advance_with_its_disks_and_back(self, fleet):
        (instance_id,) = fleet.run()
        self.change(fleet, instance_id, instance_charge_type="PrePaid", period=1, period_unit="Month")
        assert fleet.instance(instance_id).instance_charge_type == "PrePaid"
        assert {disk.disk_charge_type for disk in fleet.disks(instance_id)} == {"PrePaid"}
        assert in_days(fleet.instance(instance_id).expired_time) in range(27, 32)
        self.change(fleet, instance_id, instance_charge_type="PostPaid")
        assert fleet.instance(instance_id).instance_charge_type == "PostPaid"
        assert in_days(fleet.instance(instance_id).expired_time) > 10_000

    def test_one_in_advance_stays_for_as_long_as_it_is_paid_for(self, fleet):
        (instance_id,) = fleet.run(instance_charge_type="PrePaid", period=2, period_unit="Week")
        assert in_days(fleet.instance(instance_id).expired_time) in range(13, 15)
        for settings in ({}, {"terminate_subscription": True}):
            with refused("ChargeTypeViolation", 403):
                fleet.ecs_client.delete_instance(
                    models.DeleteInstanceRequest(instance_id=instance_id, force=True, **settings)
                )
            with refused("ChargeTypeViolation", 403):
                fleet.ecs_client.delete_instances(
                    models.DeleteInstancesRequest(
                        region_id=REGION, instance_id=[instance_id], force=True, **settings
                    )
                )
        self.change(fleet, instance_id, instance_charge_type="PostPaid")
        fleet.delete(instance_id)
        fleet.wait_status(instance_id, "gone")

    def test_what_one_in_advance_is_made_with_is_checked(self, fleet):
        with refused("MissingParameter", text="Period"):
            fleet.run(status="", instance_charge_type="PrePaid")
        with refused("InvalidParameter", text="Period"):
            fleet.run(status="", instance_charge_type="PrePaid", period=11)
        with refused("InvalidParameter", text="AutoRenewPeriod"):
            fleet.run(
                status="", instance_charge_type="PrePaid", period=1, auto_renew=True, auto_renew_period=5
            )

    def test_data_disks_are_paid_for_in_advance_with_their_instance(self, fleet):
        data = [models.RunInstancesRequestDataDisk(size=20)]
        (instance_id,) = fleet.run(instance_charge_type="PrePaid", period=1, data_disk=data)
        system, held = fleet.disks(instance_id)
        (other,) = fleet.run(data_disk=data)
        foreign = fleet.disks(other)[1]

        def change(owner: str, disk_id: str, charge: str = "PrePaid") -> None:
            fleet.ecs_client.modify_disk_charge_type(
                models.ModifyDiskChargeTypeRequest(
                    region_id=REGION,
                    instance_id=owner,
                    disk_ids=json.dumps([disk_id]),
                    disk_charge_type=charge,
                )
            )

        for charge in ("PostPaid", "PrePaid"):
            change(instance_id, held.disk_id, charge)
            assert fleet.disks(instance_id)[1].disk_charge_type == charge
        for owner, disk_id, code, status in (
            (other, foreign.disk_id, "ChargeTypeViolation", 403),
            (instance_id, foreign.disk_id, "DependencyViolation", 403),
            (instance_id, system.disk_id, "DiskTypeViolation", 403),
            (instance_id, "d-nowhere", "InvalidDiskId.NotFound", 404),
        ):
            with refused(code, status):
                change(owner, disk_id)
        with refused("InvalidDiskChargeType.ValueNotSupported"):
            change(instance_id, held.disk_id, "Never")

    def test_one_in_advance_is_paid_for_longer(self, fleet):
        (instance_id,) = fleet.run(instance_charge_type="PrePaid", period=1, period_unit="Week")
        (other,) = fleet.run(status="")
        renew = fleet.ecs_client.renew_instance
        renew(models.RenewInstanceRequest(instance_id=instance_id, period=2, period_unit="Week"))
        assert in_days(fleet.instance(instance_id).expired_time) in range(20, 22)
        with refused("ChargeTypeViolation", 403):
            renew(models.RenewInstanceRequest(instance_id=other, period=1))
        with refused("MissingParameter", text="Period"):
            renew(models.RenewInstanceRequest(instance_id=instance_id))

    def test_one_can_be_made_to_be_renewed(self, fleet):
        (instance_id,) = fleet.run(
            status="", instance_charge_type="PrePaid", period=1, auto_renew=True, auto_renew_period=3
        )
        (told,) = self.renewals(fleet, instance_id=instance_id)
        assert (told.renewal_status, told.duration, told.period_unit) == ("AutoRenewal", 3, "Month")
        fleet.wait_status(instance_id, "Running")

    def test_what_is_asked_for_is_checked(self, fleet):
        (instance_id,) = fleet.run()
        (spot,) = fleet.run(spot_strategy="SpotAsPriceGo")
        with refused("MissingParameter", text="Period"):
            self.change(fleet, instance_id)
        with refused("InvalidParameter", text="Period"):
            self.change(fleet, instance_id, period=10)
        with refused("InvalidPeriodUnit.ValueNotSupported"):
            self.change(fleet, instance_id, period=1, period_unit="Decade")
        with refused("InvalidInstanceId.NotFound", 404):
            self.change(fleet, instance_id, "i-nowhere", period=1)
        with refused("ChargeTypeViolation", 403):
            self.change(fleet, spot, period=1)

    def test_renewal_is_of_those_that_are_paid_for_in_advance(self, fleet):
        (instance_id,) = fleet.run(instance_charge_type="PrePaid", period=1)
        (other,) = fleet.run()
        (told,) = self.renewals(fleet, instance_id=instance_id)
        assert (told.renewal_status, told.auto_renew_enabled, told.duration) == ("Normal", False, 0)
        self.renew(fleet, instance_id, renewal_status="AutoRenewal", duration=3, period_unit="Month")
        (told,) = self.renewals(fleet, renewal_status="AutoRenewal")
        assert (told.instance_id, told.duration, told.period_unit) == (instance_id, 3, "Month")
        self.renew(fleet, instance_id, auto_renew=False)
        assert self.renewals(fleet, instance_id=instance_id)[0].renewal_status == "Normal"
        assert self.renewals(fleet, instance_id=other) == []
        with refused("ChargeTypeViolation", 403):
            self.renew(fleet, other, renewal_status="NotRenewal")
        with refused("InvalidParameter", text="Duration"):
            self.renew(fleet, instance_id, renewal_status="AutoRenewal", duration=5)
        with refused("InvalidRenewalStatus.ValueNotSupported"):
            self.renew(fleet, instance_id, renewal_status="Perhaps")
        with refused("InvalidInstanceId.NotFound", 404):
            self.renew(fleet, "i-nowhere", renewal_status="Normal")


class TestReleaseTime:
    def change(self, fleet, instance_id: str, text: str) -> None:
        fleet.ecs_client.modify_instance_auto_release_time(
            models.ModifyInstanceAutoReleaseTimeRequest(
                region_id=REGION, instance_id=instance_id, auto_release_time=text
            )
        )

    def test_it_is_told_to_the_minute_and_taken_back(self, fleet):
        in_an_hour = time.gmtime(time.time() + 3600)
        (instance_id,) = fleet.run(auto_release_time=time.strftime("%Y-%m-%dT%H:%M:59Z", in_an_hour))
        assert fleet.instance(instance_id).auto_release_time == time.strftime("%Y-%m-%dT%H:%MZ", in_an_hour)
        in_a_day = time.gmtime(time.time() + 86400)
        self.change(fleet, instance_id, time.strftime("%Y-%m-%dT%H:%M:%SZ", in_a_day))
        assert fleet.instance(instance_id).auto_release_time == time.strftime("%Y-%m-%dT%H:%MZ", in_a_day)
        self.change(fleet, instance_id, "")
        assert fleet.instance(instance_id).auto_release_time == ""

    @pytest.mark.parametrize("seconds", [60, 4 * 366 * 86400])
    def test_it_lies_from_half_an_hour_to_three_years_ahead(self, fleet, seconds):
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        with refused("InvalidAutoReleaseTime.Malformed"):
            fleet.run(status="", auto_release_time=text)

    def test_it_is_a_time_of_one_that_is_paid_for_by_its_use(self, fleet):
        (instance_id,) = fleet.run(instance_charge_type="PrePaid", period=1)
        with refused("ChargeTypeViolation", 403):
            self.change(fleet, instance_id, "2099-01-01T00:00:00Z")
        (other,) = fleet.run()
        with refused("InvalidAutoReleaseTime.Malformed"):
            self.change(fleet, other, "tomorrow")
