from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.hosts.choice import make_host
from steelyard.localcloud.hosts.host import Host
from steelyard.localcloud.metadata.items import BYTES_AS_THEY_ARE, InstanceMetadata, InterfaceMetadata
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ecs import change_errors, errors, part_errors
from steelyard.localcloud.services.ecs.deployment_set import MAX_INSTANCES, DeploymentSet
from steelyard.localcloud.services.ecs.disk import Disk
from steelyard.localcloud.services.ecs.firewall import Firewall
from steelyard.localcloud.services.ecs.key_pair import KeyPairs
from steelyard.localcloud.services.ecs.launch_template import LaunchTemplates
from steelyard.localcloud.services.ecs.life import InstanceLife, Survivors
from steelyard.localcloud.services.ecs.models import Instance, SecurityGroup
from steelyard.localcloud.services.ecs.network_interface import NetworkInterface
from steelyard.localcloud.services.ecs.prefix_list import PrefixList
from steelyard.localcloud.services.ecs.snapshot import Snapshot
from steelyard.localcloud.services.ecs.stock import Stock
from steelyard.localcloud.services.ram.state import RamState
from steelyard.localcloud.services.vpc.route_state import RouteState
from steelyard.localcloud.wire.error import invalid_parameter

MAX_MEMBERSHIPS = 5
"""Security groups of an instance or an interface (help page "Limits" of security groups, from memory)."""

_log = logging.getLogger(__name__)


@runtime_checkable
class ServerDirectory(Protocol):
    """A service that sends traffic to instances (slb, ...); it is told before one is released."""

    def forget_server(self, instance_id: str) -> None:
        """Take an instance out of every server group."""


@runtime_checkable
class ServerFollower(Protocol):
    """A service that sends traffic to instances; it is told when one has come to another address."""

    def follow_server(self, instance_id: str) -> None:
        """Send an instance's traffic to where it is now."""


@runtime_checkable
class GroupMember(Protocol):
    """A service of which something may be in a security group besides instances (nlb, alb)."""

    def is_in_group(self, group_id: str) -> bool:
        """Tell whether something of the service is in a security group."""


class EcsState(Service):
    """What the parts of the ECS service share: its records, the host, and what others ask of them."""

    code, version = "ecs", "2014-05-26"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.host: Host = make_host(cloud.data_dir)
        self.firewall = Firewall(cloud, self.host)
        self.instances = self.firewall.instances
        self.security_groups = self.firewall.security_groups
        self.prefix_lists = self.firewall.prefix_lists
        self.launch_templates = LaunchTemplates(cloud.store)
        self.deployment_sets = Records(cloud.store, DeploymentSet)
        self.stock = Stock(cloud.store)
        self.disks = Records(cloud.store, Disk)
        self.snapshots = Records(cloud.store, Snapshot)
        self.interfaces = self.firewall.interfaces
        self.life = InstanceLife(cloud, self.host, self.firewall)
        self.survivors = Survivors()
        """What the start found of the instances that ran before."""
        self.lost_addresses: dict[str, str] = {}
        """Ids of what had the addresses that another local cloud had taken at the start, by the address."""

    def start(self) -> None:
        """Take up every instance that ran, and hold the addresses of interfaces, and instances' further ones."""
        held = [(one.id, address, one.vpc_id) for one in self.interfaces.list() for address in one.addresses]
        held += [(one.id, address, one.vpc_id) for one in self.instances.list() for address in one.addresses]
        for holder_id, address, vpc_id in held:
            self.hold_again(holder_id, address, vpc_id=vpc_id)
        self.survivors = self.life.resume()

    def claim_address(self, cidr: str, wanted: str | None = None, *, vpc_id: str = "") -> str:
        """Claim an address of a VSwitch's block for what the open transaction makes; it is given back with that.

        See `Host.claim_address` for the arguments and the errors.
        """
        address = self.host.claim_address(cidr, wanted, vpc_id=vpc_id)
        self.cloud.on_undo(partial(self.host.release_address, address, vpc_id=vpc_id))
        return address

    def hold_again(self, holder_id: str, address: str, *, vpc_id: str = "") -> bool:
        """Hold an address that was given before the start; one that another local cloud took is noted, and False given.

        Args:
            holder_id: What has it.
            address: The address.
            vpc_id: See `Host.hold_address`.
        """
        try:
            self.host.hold_address(address, vpc_id=vpc_id)
        except AddressInUse:
            _log.error("another local cloud took %s of %s", address, holder_id)
            self.lost_addresses[address] = holder_id
            return False
        return True

    def stop(self) -> None:
        """End every instance's processes; those that ran are booted again at the next start."""
        self.life.close()

    @property
    def vpc(self) -> RouteState:
        """The VPC service."""
        return self.cloud.service(RouteState)

    @property
    def ram(self) -> RamState:
        """The RAM service."""
        return self.cloud.service(RamState)

    def find_instance(self, instance_id: str) -> Instance | None:
        """Give an instance that is not being released, or None; other services ask this, too."""
        instance = self.instances.get(instance_id)
        return None if instance is None or instance.is_released else instance

    def each_instance(self) -> Iterator[Instance]:
        """Give all instances, which are not read before somebody looks at one."""
        yield from self.instances.list()

    def instance(self, request: Request) -> Instance:
        """Give the instance that a call names.

        Raises:
            ApiError: `InvalidInstanceId.NotFound`.
        """
        instance = self.instances.get(request.text("InstanceId"))
        if instance is None or not request.may_mean(instance.region_id):
            raise errors.instance_not_found()
        return instance

    def named_instances(self, request: Request, name: str = "InstanceIds") -> list[Instance]:
        """Give the instances that a call names by a JSON list; an unknown id is left out.

        Raises:
            ApiError: `InvalidParameter` where the parameter is no list of texts.
        """
        ids = read_json_texts(request, name)
        return [instance for i in ids if (instance := self.instances.get(i)) is not None]

    def security_group(self, request: Request) -> SecurityGroup:
        """Give the security group that a call names.

        Raises:
            ApiError: `InvalidSecurityGroupId.NotFound`.
        """
        group = self.security_group_by_id(request.text("SecurityGroupId"))
        if not request.may_mean(group.region_id):
            raise errors.security_group_not_found()
        return group

    def security_group_by_id(self, group_id: str) -> SecurityGroup:
        """Give a security group.

        Raises:
            ApiError: `InvalidSecurityGroupId.NotFound`.
        """
        group = self.security_groups.get(group_id)
        if group is None:
            raise errors.security_group_not_found()
        return group

    def groups_in_vpc(self, group_ids: Sequence[str], vpc_id: str) -> tuple[str, ...]:
        """Check that security groups exist and belong to a VPC, and give their ids without repeats.

        Raises:
            ApiError: `InvalidSecurityGroupId.NotFound` or `InvalidParameter.Mismatch`.
        """
        unique = tuple(dict.fromkeys(group_ids))
        if any(self.security_group_by_id(group_id).vpc_id != vpc_id for group_id in unique):
            raise errors.different_vpc()
        return unique

    def member_groups(self, group_ids: Sequence[str], vpc_id: str) -> tuple[str, ...]:
        """Check that an instance or an interface may be in security groups together; see `groups_in_vpc`.

        Raises:
            ApiError: `InvalidSecurityGroupId.NotFound`, `InvalidParameter.Mismatch`,
                `InstanceSecurityGroupLimitExceeded` or `InvalidOperation.MultiGroupType`.
        """
        unique = self.groups_in_vpc(group_ids, vpc_id)
        if self.cloud.terms.has_quotas and len(unique) > MAX_MEMBERSHIPS:
            raise change_errors.too_many_groups(MAX_MEMBERSHIPS)
        if len({group.group_type for group in self.security_groups.named(unique)}) > 1:
            raise change_errors.mixed_group_types()
        return unique

    def group_sizes(self, vpc_ids: Collection[str]) -> Mapping[str, int]:
        """Count the members of the security groups of VPCs: instances, and interfaces that are in them by themselves.

        Returns:
            The number by the group's id; there is none of a group without members.
        """
        members: list[Instance | NetworkInterface] = []
        for vpc_id in vpc_ids:
            members += self.instances.where("vpc_id", vpc_id)
            members += self.interfaces.where("vpc_id", vpc_id)
        return Counter(group_id for member in members for group_id in member.security_group_ids)

    def disks_of(self, instance: Instance) -> list[Disk]:
        """Give an instance's disks, its system disk first."""
        found = (self.disks.get(disk_id) for disk_id in instance.disk_ids)
        return [disk for disk in found if disk is not None]

    def prefix_list(self, prefix_list_id: str, region_id: str) -> PrefixList:
        """Give a prefix list of a region.

        Raises:
            ApiError: `InvalidPrefixListId.NotFound`.
        """
        one = self.prefix_lists.get(prefix_list_id)
        if one is None or one.region_id != region_id:
            raise part_errors.prefix_list_not_found()
        return one

    def find_snapshot(self, snapshot_id: str, region_id: str) -> Snapshot | None:
        """Give a snapshot of a region; None where no id is given.

        Raises:
            ApiError: `InvalidSnapshotId.NotFound`.
        """
        if not snapshot_id:
            return None
        snapshot = self.snapshots.get(snapshot_id)
        if snapshot is None or snapshot.region_id != region_id or snapshot.is_over(self.cloud.clock()):
            raise part_errors.snapshot_not_found()
        return snapshot

    def rewire(self, instance_id: str) -> None:
        """Bring an instance's network to what its records say, once that is kept; it is called in a transaction."""
        self.cloud.after_commit(lambda: self.life.rewire(instance_id))

    def interfaces_of(self, instance_id: str) -> list[NetworkInterface]:
        """Give an instance's network interfaces, but for the one that it has from the beginning."""
        return list(self.interfaces.where("instance_id", instance_id))

    def instance_of_interface(self, interface_id: str) -> Instance | None:
        """Give the instance whose own network interface it is; None where it is no such."""
        return next(iter(self.instances.where("network_interface_id", interface_id)), None)

    def key_pairs(self, region_id: str) -> KeyPairs:
        """Give a region's key pairs."""
        return KeyPairs(self.cloud.store, region_id)

    def check_key_pair(self, name: str, region_id: str) -> None:
        """Check that a region has a key pair.

        Raises:
            ApiError: `InvalidKeyPairName.NotFound`.
        """
        if self.key_pairs(region_id).get(name) is None:
            raise errors.key_pair_not_found()

    def check_stock(self, instance_type: str, zone_id: str, amount: int) -> None:
        """Check that a zone has enough of an instance type.

        Raises:
            ApiError: `OperationDenied.NoStock`.
        """
        left = self.stock.left(instance_type, zone_id, self.each_instance())
        if left is not None and left < amount:
            raise errors.no_stock()

    def place_in_set(
        self, set_id: str, *, region_id: str, zone_id: str, group_number: int, amount: int
    ) -> int:
        """Check that a deployment set takes instances, and choose their group.

        Args:
            set_id: The deployment set.
            region_id: The instances' region.
            zone_id: Their zone.
            group_number: The group that is asked for; 0 for the emptiest.
            amount: How many instances join.

        Returns:
            The group's number; 0 where the set has no groups.

        Raises:
            ApiError: `InvalidDeploymentSetId.NotFound`, `QuotaExceed.DeploymentSetInstanceQuotaFull`,
                `InvalidParameter.NotMatch` or `InvalidParameter`.
        """
        one = self.deployment_sets.get(set_id)
        if one is None or one.region_id != region_id:
            raise errors.deployment_set_not_found()
        members = one.members(self.instances.list())
        if one.strategy == "LowLatency" and members and members[0].zone_id != zone_id:
            raise errors.deployment_set_in_other_zone(members[0].zone_id)
        here = [member for member in members if member.zone_id == zone_id]
        if one.strategy != "AvailabilityGroup":
            if len(here) + amount > MAX_INSTANCES:
                raise errors.deployment_set_full()
            return 0
        if group_number and group_number > one.group_count:
            raise invalid_parameter("DeploymentSetGroupNo", group_number, f"from 1 to {one.group_count}")
        sizes = {
            number: sum(member.deployment_set_group_number == number for member in here)
            for number in ([group_number] if group_number else range(1, one.group_count + 1))
        }
        number = min(sizes, key=lambda group: sizes[group])
        if sizes[number] + amount > MAX_INSTANCES:
            raise errors.deployment_set_full()
        return number

    # What the metadata service asks (`InstanceDirectory`).

    def instance_metadata(self, instance_id: str) -> InstanceMetadata | None:
        """Give what an instance may know of itself, or None where there is no such instance."""
        instance = self.instances.get(instance_id)
        if instance is None:
            return None
        return InstanceMetadata(
            instance_id=instance.id,
            private_ipv4=instance.private_address,
            region_id=instance.region_id,
            zone_id=instance.zone_id,
            instance_type=instance.instance_type,
            hostname=instance.host_name,
            vpc_id=instance.vpc_id,
            vswitch_id=instance.vswitch_id,
            image_id=instance.image_id,
            owner_account_id=self.cloud.identity.account_id,
            user_data=base64.b64decode(instance.user_data).decode(errors=BYTES_AS_THEY_ARE),
            ram_role_name=instance.ram_role_name,
            http_tokens=instance.http_tokens,
            is_http_enabled=instance.http_endpoint == "enabled",
            public_key=self._public_key(instance),
            spot_termination_at=instance.reclaim_at or None,
            name=instance.name,
            mac_address=instance.mac_address,
            serial_number=instance.serial_number,
            public_ipv4=next(iter(instance.public_addresses), ""),
            elastic_ipv4=next((eip.address for eip in self.vpc.eips_of(instance.id)), ""),
            interfaces=self._interface_metadata(instance),
        )

    def _interface_metadata(self, instance: Instance) -> tuple[InterfaceMetadata, ...]:
        parts: list[tuple[str, Instance | NetworkInterface]] = [(instance.network_interface_id, instance)]
        parts += [(one.id, one) for one in self.interfaces_of(instance.id)]
        return tuple(
            InterfaceMetadata(
                id=interface_id,
                mac_address=one.mac_address,
                addresses=one.addresses,
                vpc_id=one.vpc_id,
                vswitch_id=one.vswitch_id,
                vpc_cidr_block=vpc.cidr_block,
                vswitch_cidr_block=vswitch.cidr_block,
            )
            for interface_id, one in parts
            if (vpc := self.vpc.vpcs.get(one.vpc_id)) and (vswitch := self.vpc.vswitches.get(one.vswitch_id))
        )

    def _public_key(self, instance: Instance) -> str:
        pair = (
            self.key_pairs(instance.region_id).get(instance.key_pair_name) if instance.key_pair_name else None
        )
        return pair.public_key if pair else ""


def read_json_texts(request: Request, name: str) -> list[str]:
    """Read a parameter that holds a list as JSON text, e.g. `InstanceIds=["i-1"]`; empty where it was not sent.

    Raises:
        ApiError: `InvalidParameter` where it holds something else.
    """
    text = request.text(name)
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid_parameter(name, text, 'a JSON list of texts, e.g. ["id-1"]')
    return value
