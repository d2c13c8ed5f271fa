from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.page import Joined, Pageable
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import change_errors, check, errors, part_errors
from steelyard.localcloud.services.ecs.instance_actions import both_pages, names_no_filter, network_of
from steelyard.localcloud.services.ecs.interface_making import InterfaceMaking
from steelyard.localcloud.services.ecs.models import RUNNING, STOPPED, Instance
from steelyard.localcloud.services.ecs.network_interface import (
    MAX_ADDRESSES,
    MAX_INTERFACES,
    NetworkInterface,
)
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.tag import has_tags, read_tags

_Holder = Instance | NetworkInterface
"""What an interface is kept as: an instance's first one in its own record."""

_TOKEN_PAGE = range(10, 500 + 1)
"""See `both_pages` (help page of DescribeNetworkInterfaces)."""
_FILTERS = (
    "InstanceId",
    "VpcId",
    "VSwitchId",
    "Type",
    "Status",
    "NetworkInterfaceName",
    "ResourceGroupId",
)


class NetworkInterfaceActions(InterfaceMaking):
    """Network interfaces: instances' primary ones, and those that come and go."""

    @action("CreateNetworkInterface")
    def create_network_interface(self, request: Request) -> dict[str, object]:
        """Make a secondary interface that no instance has."""
        draft, vswitch = self.draft_interface(request, request.region_id)
        request.stop_if_dry_run()
        address, *further = self._claim_for_new(request, vswitch)
        made = replace(draft, private_address=address, secondary_addresses=tuple(further))
        self.interfaces.put(made)
        return made.to_answer(self.cloud.identity.account_id)

    def _claim_for_new(self, request: Request, vswitch: VSwitch) -> list[str]:
        """Claim an interface's first address and the further ones that the call names, or as many as it says."""
        further = request.texts("PrivateIpAddress")
        further = further or [""] * request.number("SecondaryPrivateIpAddressCount", 0)
        wanted = [request.text("PrimaryIpAddress"), *further]
        if len(wanted) > MAX_ADDRESSES:
            raise change_errors.too_many_addresses(MAX_ADDRESSES)
        return self.claim_each(vswitch, wanted, vpc_id=vswitch.vpc_id)

    @action("DescribeNetworkInterfaceAttribute", optional=("RegionId",))
    def describe_network_interface_attribute(self, request: Request) -> dict[str, object]:
        """Give one network interface."""
        interface_id = request.text("NetworkInterfaceId")
        one = self.interfaces.get(interface_id) or self.instance_of_interface(interface_id)
        if one is None or one.region_id != request.region_id:
            raise part_errors.interface_not_found()
        return self._row(one)

    @action("DescribeNetworkInterfaces")
    def describe_network_interfaces(self, request: Request) -> dict[str, object]:
        """List network interfaces by ids, instance, network, kind, state, name, group, address and tags."""
        page, head = both_pages(request, self._found_interfaces(request), _TOKEN_PAGE)
        return {**head, "NetworkInterfaceSets": {"NetworkInterfaceSet": [self._row(one) for one in page]}}

    @action("AttachNetworkInterface")
    def attach_network_interface(self, request: Request) -> dict[str, object]:
        """Give an interface to an instance of its zone and VPC."""
        request.refuse_unserved("TrunkNetworkInstanceId")
        interface, instance = self._interface(request), self._owner(request)
        if interface.instance_id:
            raise part_errors.incorrect_interface_state(interface.status)
        if instance.zone_id != interface.zone_id:
            raise part_errors.interface_in_other_zone()
        if instance.vpc_id != interface.vpc_id:
            raise part_errors.interface_in_other_vpc()
        if len(self.interfaces_of(instance.id)) + 1 >= MAX_INTERFACES:
            raise part_errors.too_many_interfaces()
        for address in interface.addresses:
            if not self.hold_again(interface.id, address, vpc_id=interface.vpc_id):
                raise errors.address_duplicated()
        self.interfaces.put(
            replace(
                interface,
                instance_id=instance.id,
                attached_at=self.cloud.clock(),
                card_index=request.number("NetworkCardIndex", 0),
            )
        )
        self.rewire(instance.id)
        return {}

    @action("DetachNetworkInterface")
    def detach_network_interface(self, request: Request) -> dict[str, object]:
        """Take an interface from its instance."""
        instance = self._owner(request)
        if request.text("NetworkInterfaceId") == instance.network_interface_id:
            raise part_errors.primary_interface_stays()
        interface = self._interface(request)
        if interface.instance_id != instance.id:
            raise part_errors.incorrect_interface_state(interface.status)
        self.interfaces.put(replace(interface, instance_id="", attached_at=0.0))
        self.rewire(instance.id)
        return {}

    @action("DeleteNetworkInterface")
    def delete_network_interface(self, request: Request) -> dict[str, object]:
        """Delete an interface that no instance has, and to which neither a route nor an elastic address leads."""
        interface = self._interface(request)
        if interface.instance_id:
            raise part_errors.incorrect_interface_state(interface.status)
        if self.vpc.has_route_to(interface.id):
            raise part_errors.interface_is_next_hop()
        if self.vpc.eips_of(interface.id):
            raise part_errors.interface_has_eip()
        request.stop_if_dry_run()
        self.interfaces.delete(interface.id)
        self.cloud.after_commit(self.giving_back(interface.addresses, interface.vpc_id))
        return {}

    @action("ModifyNetworkInterfaceAttribute")
    def modify_network_interface_attribute(self, request: Request) -> dict[str, object]:
        """Change an interface's name, description and groups; a primary one's groups are its instance's."""
        interface_id, group_ids = request.text("NetworkInterfaceId"), request.texts("SecurityGroupId")
        instance = self.instance_of_interface(interface_id)
        if instance is not None:
            self.instances.put(
                replace(
                    instance,
                    interface_name=check.read_name(request, "NetworkInterfaceName", instance.interface_name),
                    interface_description=check.read_description(request, instance.interface_description),
                    checks_source=request.flag("SourceDestCheck", instance.checks_source),
                    security_group_ids=self.member_groups(group_ids, instance.vpc_id)
                    if group_ids
                    else instance.security_group_ids,
                )
            )
            return {}
        interface = self._interface(request)
        groups = interface.security_group_ids
        self.interfaces.put(
            replace(
                interface,
                name=check.read_name(request, "NetworkInterfaceName", interface.name),
                description=check.read_description(request, interface.description),
                security_group_ids=self.member_groups(group_ids, interface.vpc_id) if group_ids else groups,
                deletes_with_instance=request.flag("DeleteOnRelease", interface.deletes_with_instance),
                checks_source=request.flag("SourceDestCheck", interface.checks_source),
                queue_number=request.number("QueueNumber", interface.queue_number),
            )
        )
        return {}

    def _found_interfaces(self, request: Request) -> Pageable[_Holder]:
        if names_no_filter(request):
            region = ("region_id", request.region_id)
            return Joined[_Holder](self.instances.paged(*region), self.interfaces.paged(*region))
        addresses, primary = frozenset(request.texts("PrivateIpAddress")), request.text("PrimaryIpAddress")
        group_id, tags = request.text("SecurityGroupId"), read_tags(request)
        return [
            one
            for one in self._possible_interfaces(request)
            if one.region_id == request.region_id
            and not request.texts("Ipv6Address")
            and not request.flag("ServiceManaged")
            and (not addresses or not addresses.isdisjoint(one.addresses))
            and primary in ("", one.private_address)
            and (not group_id or group_id in one.security_group_ids)
            and has_tags({} if isinstance(one, Instance) else one.tags, tags)
            and _fits(self._bare_row(one), request)
        ]

    def _possible_interfaces(self, request: Request) -> Sequence[_Holder]:
        """Give what may hold the interfaces that a call names, and no more than what it has to look at."""
        ids = list(dict.fromkeys(request.texts("NetworkInterfaceId")))
        if ids:
            owners = [one for interface_id in ids if (one := self.instance_of_interface(interface_id))]
            return [*owners, *self.interfaces.named(ids)]
        instance_id = request.text("InstanceId")
        if instance_id:
            return [*self.instances.named([instance_id]), *self.interfaces_of(instance_id)]
        return [*self.instances.where(*network_of(request)), *self.interfaces.where(*network_of(request))]

    def _row(self, one: _Holder) -> dict[str, object]:
        row = self._bare_row(one)
        if isinstance(one, Instance):
            return row
        eips = [{"AllocationId": eip.id, "PublicIpAddress": eip.address} for eip in self.vpc.eips_of(one.id)]
        return {**row, "AssociatedPublicIp": eips[0]} if eips else row

    def _bare_row(self, one: _Holder) -> dict[str, object]:
        owner_id = self.cloud.identity.account_id
        if isinstance(one, Instance):
            return one.to_network_interface_answer(owner_id)
        return one.to_answer(owner_id)

    def _interface(self, request: Request) -> NetworkInterface:
        interface = self.interfaces.get(request.text("NetworkInterfaceId"))
        if interface is None or interface.region_id != request.region_id:
            raise part_errors.interface_not_found()
        return interface

    def _owner(self, request: Request) -> Instance:
        instance = self.find_instance(request.text("InstanceId"))
        if instance is None:
            raise part_errors.interface_owner_not_found()
        if instance.status not in (RUNNING, STOPPED):
            raise part_errors.interface_owner_state(instance.status)
        return instance


def _fits(row: Mapping[str, object], request: Request) -> bool:
    return all(request.text(name) in ("", row[name]) for name in _FILTERS)
