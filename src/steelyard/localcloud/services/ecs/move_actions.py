from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, errors
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.interface_making import InterfaceMaking
from steelyard.localcloud.services.ecs.models import STOPPED, Instance
from steelyard.localcloud.services.ecs.state import ServerFollower
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.wire.error import missing_parameter


class MoveActions(InterfaceMaking):
    """How a stopped instance comes to another address, VSwitch or VPC."""

    # The vendor's provider sends the VSwitch and the address alone, where the VPC stays.
    @action("ModifyInstanceVpcAttribute", optional=("SecurityGroupId",))
    def modify_instance_vpc_attribute(self, request: Request) -> dict[str, object]:
        """Move a stopped instance to an address, a VSwitch of its zone or another VPC."""
        instance = self.instance(request)
        refuse_released(instance)
        if instance.status != STOPPED:
            raise errors.incorrect_status(instance.status)
        vswitch = self.vpc.find_vswitch(request.text("VSwitchId"))
        if vswitch is None or request.text("VpcId") not in ("", vswitch.vpc_id):
            raise errors.vswitch_not_found()
        if vswitch.zone_id != instance.zone_id:
            raise change_errors.address_has_other_place()
        groups = self._groups_there(request, instance, vswitch)
        wanted = request.text("PrivateIpAddress")
        if vswitch.id == instance.vswitch_id and wanted in ("", instance.private_address):
            return {}
        (address,) = self.claim_addresses(vswitch, wanted, amount=1, vpc_id=vswitch.vpc_id)
        given_up = [instance.private_address]
        self.instances.put(
            replace(
                instance,
                vpc_id=vswitch.vpc_id,
                vswitch_id=vswitch.id,
                private_address=address,
                security_group_ids=tuple(groups),
            )
        )
        self.cloud.after_commit(self.giving_back(given_up, instance.vpc_id))
        for service in self.cloud.services.values():
            if isinstance(service, ServerFollower):
                service.follow_server(instance.id)
        return {}

    def _groups_there(self, request: Request, instance: Instance, vswitch: VSwitch) -> Sequence[str]:
        """Give the security groups that the instance will be in: those of the call where it changes its VPC."""
        if vswitch.vpc_id == instance.vpc_id:
            return instance.security_group_ids
        if self.interfaces_of(instance.id) or instance.secondary_addresses:
            raise change_errors.instance_has_interfaces()
        if self.vpc.eips_of(instance.id):
            raise change_errors.instance_has_eip()
        if self.vpc.has_route_to(instance.id):
            raise errors.instance_is_next_hop()
        group_ids = request.texts("SecurityGroupId")
        if not group_ids:
            raise missing_parameter("SecurityGroupId")
        return self.member_groups(group_ids, vswitch.vpc_id)
