from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, errors, part_errors
from steelyard.localcloud.services.ecs.instance_actions import refuse_released
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED, Instance, SecurityGroup
from steelyard.localcloud.services.ecs.network_interface import NetworkInterface
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.wire.error import missing_parameter


class GroupMembershipActions(EcsState):
    """How instances and network interfaces come into security groups and leave them."""

    @action("JoinSecurityGroup")
    def join_security_group(self, request: Request) -> dict[str, object]:
        """Put an instance, or a network interface, into a further security group."""
        group, member = self.security_group(request), self._member(request)
        if group.id in member.security_group_ids:
            raise change_errors.already_in_group()
        self._put_member(member, self.member_groups([*member.security_group_ids, group.id], member.vpc_id))
        return {}

    @action("LeaveSecurityGroup")
    def leave_security_group(self, request: Request) -> dict[str, object]:
        """Take an instance, or a network interface, out of a security group that is not its last one."""
        group, member = self.security_group(request), self._member(request)
        if group.id not in member.security_group_ids:
            raise change_errors.not_in_group()
        if len(member.security_group_ids) == 1:
            raise change_errors.last_group()
        self._put_member(member, tuple(one for one in member.security_group_ids if one != group.id))
        return {}

    @action("DescribeSecurityGroupReferences", optional=("RegionId",))
    def describe_security_group_references(self, request: Request) -> dict[str, object]:
        """List the security groups whose rules name one of some groups."""
        rows = []
        for group_id in dict.fromkeys(request.texts("SecurityGroupId")):
            self.security_group_by_id(group_id)
            naming = [
                {"AliUid": self.cloud.identity.account_id, "SecurityGroupId": other.id}
                for other in self.security_groups.list()
                if other.id != group_id and _names(other, group_id)
            ]
            if naming:
                referencing = {"ReferencingSecurityGroup": naming}
                rows.append({"SecurityGroupId": group_id, "ReferencingSecurityGroups": referencing})
        return {"SecurityGroupReferences": {"SecurityGroupReference": rows}}

    def _member(self, request: Request) -> Instance | NetworkInterface:
        interface_id = request.text("NetworkInterfaceId")
        if request.text("InstanceId"):
            instance: Instance | None = self.instance(request)
        elif not interface_id:
            raise missing_parameter("InstanceId")
        else:
            interface = self.interfaces.get(interface_id)
            if interface is not None:
                return interface
            instance = self.instance_of_interface(interface_id)
        if instance is None:
            raise part_errors.interface_not_found()
        refuse_released(instance)
        if instance.status not in (RUNNING, STOPPED):
            raise errors.incorrect_status(instance.status)
        return instance

    def _put_member(self, member: Instance | NetworkInterface, group_ids: Sequence[str]) -> None:
        if isinstance(member, Instance):
            self.instances.put(replace(member, security_group_ids=tuple(group_ids)))
        else:
            self.interfaces.put(replace(member, security_group_ids=tuple(group_ids)))


def _names(group: SecurityGroup, group_id: str) -> bool:
    return any(group_id in (rule.get("SourceGroupId"), rule.get("DestGroupId")) for rule in group.rules)
