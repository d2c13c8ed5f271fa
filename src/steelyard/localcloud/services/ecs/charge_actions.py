from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, check, errors, part_errors
from steelyard.localcloud.services.ecs.auto_release import AutoRelease
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED
from steelyard.localcloud.services.ecs.run_setting import read_release_time
from steelyard.localcloud.services.ecs.state import read_json_texts
from steelyard.localcloud.services.ecs.subscription import PERIODS, RENEWALS, period_end, read_period
from steelyard.localcloud.text import whole_number
from steelyard.localcloud.wire.error import invalid_parameter


class ChargeActions(AutoRelease):
    """How instances are paid for, which is kept and answered; and until when, which is carried out."""

    @action("ModifyInstanceChargeType", optional=("RegionId",))
    def modify_instance_charge_type(self, request: Request) -> dict[str, object]:
        """Change whether instances are paid for in advance or by their use; nothing is billed here."""
        charge = check.read_choice(request, "InstanceChargeType", ("PrePaid", "PostPaid"), "PrePaid")
        expires_at = 0.0
        if charge == "PrePaid":
            expires_at = period_end(self.cloud.clock(), *read_period(request, "Period", PERIODS))
        instances = self.named_instances(request)
        if not instances or len(instances) < len(read_json_texts(request, "InstanceIds")):
            raise errors.instance_not_found()
        for instance in instances:
            refuse_released(instance)
            if instance.status not in (RUNNING, STOPPED):
                raise errors.incorrect_status(instance.status)
            if instance.spot_strategy != "NoSpot":
                raise change_errors.charge_type_violation(instance.spot_strategy)
            release_at = instance.auto_release_at if charge == "PostPaid" else 0.0
            changed = replace(instance, charge_type=charge, auto_release_at=release_at, expires_at=expires_at)
            self.instances.put(changed)
            self.schedule_release(changed)
            for disk in self.disks_of(instance):
                if disk.type == "system" or request.flag("IncludeDataDisks", True):
                    self.disks.put(replace(disk, charge_type=charge))
        return {"OrderId": "", "FeeOfInstances": {"FeeOfInstance": []}}

    @action("ModifyDiskChargeType", optional=("RegionId",))
    def modify_disk_charge_type(self, request: Request) -> dict[str, object]:
        """Change how data disks are paid for: in advance with an instance that is, or by their use."""
        charge = check.read_choice(request, "DiskChargeType", ("PrePaid", "PostPaid"), "PrePaid")
        instance = self.instance(request)
        refuse_released(instance)
        if charge == "PrePaid" and instance.charge_type != "PrePaid":
            raise change_errors.charge_type_violation(instance.charge_type)
        for disk_id in read_json_texts(request, "DiskIds"):
            disk = self.disks.get(disk_id)
            if disk is None:
                raise part_errors.disk_not_found()
            if disk.instance_id != instance.id:
                raise part_errors.disk_of_other_instance()
            if disk.type == "system":
                raise part_errors.disk_is_system()
            self.disks.put(replace(disk, charge_type=charge))
        return {"OrderId": ""}

    @action("RenewInstance")
    def renew_instance(self, request: Request) -> dict[str, object]:
        """Pay for an instance for a further time in advance, from the end of the one that is paid for."""
        request.refuse_unserved("ExpectedRenewDay")
        instance = self.instance(request)
        refuse_released(instance)
        if instance.charge_type != "PrePaid":
            raise change_errors.charge_type_violation(instance.charge_type)
        begin = max(instance.expires_at, self.cloud.clock())
        expires_at = period_end(begin, *read_period(request, "Period", PERIODS))
        self.instances.put(replace(instance, expires_at=expires_at))
        return {"OrderId": ""}

    @action("ModifyInstanceAutoReleaseTime", optional=("RegionId",))
    def modify_instance_auto_release_time(self, request: Request) -> dict[str, object]:
        """Set when an instance is released, or without a time that it is not."""
        instance = self.instance(request)
        refuse_released(instance)
        if instance.charge_type != "PostPaid":
            raise change_errors.charge_type_violation(instance.charge_type)
        changed = replace(instance, auto_release_at=read_release_time(request, self.cloud.clock()))
        self.instances.put(changed)
        self.schedule_release(changed)
        return {}

    @action("DescribeInstanceAutoRenewAttribute", optional=("RegionId",))
    def describe_instance_auto_renew_attribute(self, request: Request) -> dict[str, object]:
        """List whether instances that are paid for in advance are renewed."""
        ids, status = request.texts("InstanceId"), request.text("RenewalStatus")
        found = [
            instance
            for instance in self.instances.list()
            if instance.region_id == request.region_id
            and instance.charge_type == "PrePaid"
            and (not ids or instance.id in ids)
            and status in ("", instance.renewal_status)
        ]
        numbers = {name: _read_number(request, name) for name in ("PageNumber", "PageSize")}
        given = {name: value for name, value in numbers.items() if value is not None}
        params = {name: value for name, value in request.params.items() if name not in numbers}
        page, head = number_page(replace(request, params={**params, **given}), found, max_size=100)
        rows = [
            {
                "InstanceId": instance.id,
                "RenewalStatus": instance.renewal_status,
                "AutoRenewEnabled": instance.renewal_status == "AutoRenewal",
                "Duration": instance.renewal_duration if instance.renewal_status == "AutoRenewal" else 0,
                "PeriodUnit": instance.renewal_unit,
            }
            for instance in page
        ]
        return {**head, "InstanceRenewAttributes": {"InstanceRenewAttribute": rows}}

    @action("ModifyInstanceAutoRenewAttribute", optional=("RegionId",))
    def modify_instance_auto_renew_attribute(self, request: Request) -> dict[str, object]:
        """Set whether instances that are paid for in advance are renewed, and by how much."""
        default = "AutoRenewal" if request.flag("AutoRenew") else "Normal"
        states = ("AutoRenewal", "Normal", "NotRenewal")
        status = check.read_choice(request, "RenewalStatus", states, default)
        for instance_id in request.texts("InstanceId"):
            instance = self.find_instance(instance_id)
            if instance is None:
                raise errors.instance_not_found()
            if instance.charge_type != "PrePaid":
                raise change_errors.charge_type_violation(instance.charge_type)
            duration, unit = instance.renewal_duration, instance.renewal_unit
            if status == "AutoRenewal":
                duration, unit = read_period(request, "Duration", RENEWALS)
            self.instances.put(
                replace(instance, renewal_status=status, renewal_duration=duration, renewal_unit=unit)
            )
        return {}


def _read_number(request: Request, name: str) -> int | None:
    """Read a number of a page, which the schema calls a text here."""
    text = request.text(name)
    number = whole_number(text)
    if text and number is None:
        raise invalid_parameter(name, text, "a number")
    return number
