from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, check, errors
from steelyard.localcloud.services.ecs.cpu_option import OF_TYPE
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED, Instance
from steelyard.localcloud.services.ecs.run_setting import read_bandwidth, read_instance_type
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.wire.error import not_served
from steelyard.spec.family import has_erdma

_UNSERVED = ("Disk", "SystemDisk", "Temporary", "AllowMigrateAcrossZone", "MigrateAcrossZone", "RebootTime")


class SpecActions(EcsState):
    """Changes of what an instance is: its type, and how it reaches the Internet."""

    @action("ModifyInstanceSpec")
    def modify_instance_spec(self, request: Request) -> dict[str, object]:
        """Change the type of a stopped instance that is paid for by its use, or its bandwidth."""
        instance = self._changeable(request, "PostPaid")
        if "InternetMaxBandwidthOut" in request.params:
            bandwidth = self._bandwidth(request, instance)
            instance = replace(instance, internet_max_bandwidth_out=bandwidth)
        instance = replace(
            instance,
            internet_max_bandwidth_in=request.number(
                "InternetMaxBandwidthIn", instance.internet_max_bandwidth_in
            ),
        )
        if request.text("InstanceType"):
            instance = self._with_type(instance, request)
        self.instances.put(instance)
        return {}

    @action("ModifyPrepayInstanceSpec", optional=("RegionId",))
    def modify_prepay_instance_spec(self, request: Request) -> dict[str, object]:
        """Change the type of a stopped instance that is paid for in advance."""
        check.read_choice(request, "OperatorType", ("upgrade", "downgrade"), "upgrade")
        self.instances.put(self._with_type(self._changeable(request, "PrePaid"), request))
        return {"OrderId": ""}

    @action("ModifyInstanceNetworkSpec")
    def modify_instance_network_spec(self, request: Request) -> dict[str, object]:
        """Change an instance's Internet bandwidth and how it is charged; with some, it has a public address."""
        instance = self.instance(request)
        refuse_released(instance)
        if request.text("StartTime") or request.text("EndTime"):
            raise not_served("bandwidth for a while (StartTime, EndTime)")
        charge_types = ("PayByTraffic", "PayByBandwidth")
        charge = check.read_choice(request, "NetworkChargeType", charge_types, instance.internet_charge_type)
        self.instances.put(
            replace(
                instance,
                internet_max_bandwidth_in=request.number(
                    "InternetMaxBandwidthIn", instance.internet_max_bandwidth_in
                ),
                internet_charge_type=charge,
                internet_max_bandwidth_out=self._bandwidth(request, instance),
                has_public_address=instance.has_public_address or request.flag("AllocatePublicIp"),
            )
        )
        return {"OrderId": ""}

    @action("AllocatePublicIpAddress")
    def allocate_public_ip_address(self, request: Request) -> dict[str, object]:
        """Give an instance a public address, which on this machine is its own."""
        instance = self.instance(request)
        refuse_released(instance)
        if instance.status not in (RUNNING, STOPPED):
            raise errors.incorrect_status(instance.status)
        if instance.public_addresses:
            raise change_errors.public_address_allocated()
        if self.vpc.eips_of(instance.id):
            raise change_errors.instance_has_eip()
        changed = replace(instance, has_public_address=True)
        self.instances.put(changed)
        return {"IpAddress": changed.public_addresses[0]}

    def _changeable(self, request: Request, charge_type: str) -> Instance:
        request.refuse_unserved(*_UNSERVED)
        instance = self.instance(request)
        refuse_released(instance)
        if instance.charge_type != charge_type:
            raise change_errors.charge_type_violation(instance.charge_type)
        return instance

    def _with_type(self, instance: Instance, request: Request) -> Instance:
        if instance.status != STOPPED:
            raise errors.incorrect_status(instance.status)
        name = read_instance_type(request)
        if name == instance.instance_type:
            raise change_errors.same_instance_type(name)
        if instance.traffic_mode == "HighPerformance" and not has_erdma(name):
            raise errors.no_erdma(name)
        self.check_stock(name, instance.zone_id, 1)
        return replace(instance, instance_type=name, **OF_TYPE)

    def _bandwidth(self, request: Request, instance: Instance) -> int:
        bandwidth = read_bandwidth(request, instance.internet_max_bandwidth_out)
        if bandwidth and self.vpc.eips_of(instance.id):
            raise change_errors.instance_has_eip()
        return bandwidth
