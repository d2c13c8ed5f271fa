from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors, part_errors
from steelyard.localcloud.services.ecs.auto_release import AutoRelease
from steelyard.localcloud.services.ecs.cpu_option import OF_TYPE, read_cpu_options
from steelyard.localcloud.services.ecs.disk import Disk
from steelyard.localcloud.services.ecs.disk_setting import DiskOrder, read_disks
from steelyard.localcloud.services.ecs.image_state import ImageState
from steelyard.localcloud.services.ecs.interface_making import InterfaceMaking
from steelyard.localcloud.services.ecs.launch_template import Settings, merged
from steelyard.localcloud.services.ecs.models import PENDING, STOPPED, Instance
from steelyard.localcloud.services.ecs.network_interface import UNSERVED as UNSERVED_INTERFACES
from steelyard.localcloud.services.ecs.run_interface import Secondary, read_interfaces, read_primary
from steelyard.localcloud.services.ecs.run_setting import (
    Deployment,
    Identity,
    read_billing,
    read_instance_type,
    read_metadata_options,
    read_options,
    read_release_time,
)
from steelyard.localcloud.services.ecs.sequence_name import INSTANCE_ID, Names, read_names
from steelyard.localcloud.services.ecs.snapshot_actions import restored
from steelyard.localcloud.services.ecs.subscription import read_subscription
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served
from steelyard.spec.catalogue import REGIONS
from steelyard.spec.family import has_erdma

MAX_AMOUNT = 100

_UNSERVED = (
    *UNSERVED_INTERFACES,
    "CreditSpecification",
    "DedicatedHostId",
    "HibernationOptions",
    "HpcClusterId",
    "PrivateDnsNameOptions",
    "SchedulerOptions",
    "ClockOptions",
    "SecurityOptions",
    "StorageSetId",
)

_OF_HOSTS = ("Tenancy", "Affinity")


class RunActions(InterfaceMaking, ImageState, AutoRelease):
    """The making of instances."""

    # The schema calls HpcClusterId required, which the API does not.
    @action("RunInstances", optional=("HpcClusterId",))
    def run_instances(self, request: Request) -> dict[str, object]:
        """Make instances, by the call's own parameters and a launch template's; they boot on their own."""
        return {"InstanceIdSets": {"InstanceIdSet": self._run(request)}}

    def start_instances(self, settings: Settings, *, region_id: str) -> list[str]:
        """Make instances for another service, such as a scaling group; it is called inside of a transaction.

        Args:
            settings: Parameters of RunInstances by wire name, typed as a request's: `LaunchTemplateId` and
                `LaunchTemplateVersion` (a number, 0 for the default) name a template, all others lie over its own.
            region_id: Where they are to be.

        Returns:
            Their ids, in Pending.

        Raises:
            ApiError: As RunInstances answers, e.g. where a setting is wrong or there is no stock.
        """
        request = Request(
            action="RunInstances",
            params=settings,
            region_id=region_id,
            dry_run=False,
            request_id="",
            caller=self.cloud.identity.root_key(),
        )
        return self._run(request)

    @action("CreateInstance", optional=("RegionId", "ImageId", "Period", "AutoRenewPeriod"))
    def create_instance(self, request: Request) -> dict[str, object]:
        """Make one instance, which is stopped until a call starts it."""
        (instance_id,) = self._run(request, starts=False)
        return {"InstanceId": instance_id, "OrderId": ""}

    def _run(self, request: Request, *, starts: bool = True) -> list[str]:
        request = replace(request, params=self._settings(request))
        request.refuse_unserved(*_UNSERVED)
        for name in _OF_HOSTS:
            if request.text(name, "default") != "default":
                raise not_served(f"dedicated hosts ({name})")
        order = read_interfaces(request)
        vswitch = self._vswitch(request, order.primary)
        amount = self._amount(request, vswitch.zone_id)
        request = request.with_params({"Amount": amount})
        names = read_names(request, amount)
        draft = self._draft(request, order.primary, vswitch)
        if not starts:
            draft = replace(draft, status=STOPPED, stopped_mode="KeepCharging")
        disks = read_disks(request, self.read_image(request), self.find_snapshot)
        secondaries = [self._secondary(given, request, draft) for given in order.secondaries]
        request.stop_if_dry_run()
        wanted = request.text("PrivateIpAddress") or str(order.primary.get("PrimaryIpAddress") or "")
        with ExitStack() as undo:
            addresses = self.claim_addresses(vswitch, wanted, amount=amount, vpc_id=draft.vpc_id)
            undo.callback(self.giving_back(addresses, draft.vpc_id))
            instances = [
                self._complete(draft, address, named) for address, named in zip(addresses, names, strict=True)
            ]
            for secondary in secondaries:
                self._make_secondaries(secondary, instances, undo)
            undo.pop_all()
        for instance in instances:
            self._put_with_disks(instance, disks)
            self.schedule_release(instance)
            if starts:
                self.cloud.after_commit(partial(self.life.launch, instance.id))
        return [instance.id for instance in instances]

    def _amount(self, request: Request, zone_id: str) -> int:
        """Give how many instances are made: as many as are in stock, where that is between `MinAmount` and `Amount`."""
        amount = request.number("Amount", 1)
        if not 1 <= amount <= MAX_AMOUNT:
            raise invalid_parameter("Amount", amount, f"from 1 to {MAX_AMOUNT}")
        least = request.number("MinAmount", amount)
        if not 1 <= least <= amount:
            raise invalid_parameter("MinAmount", least, f"from 1 to {amount}, the Amount")
        left = self.stock.left(read_instance_type(request), zone_id, self.each_instance())
        return amount if left is None or left < least else min(amount, left)

    def _put_with_disks(self, instance: Instance, orders: Sequence[DiskOrder]) -> None:
        disks = [self._ordered(instance, order) for order in orders]
        for disk in disks:
            self.disks.put(disk)
        self.instances.put(replace(instance, disk_ids=tuple(disk.id for disk in disks)))

    def _secondary(self, given: Mapping[str, object], request: Request, draft: Instance) -> Secondary:
        """Check what a call says of a secondary interface, to be made with the instances or there already."""
        part = replace(request, params=given)
        if part.text("NetworkInterfaceId"):
            if request.number("Amount", 1) > 1:
                raise invalid_parameter("Amount", request.number("Amount", 1), "1 with a NetworkInterfaceId")
            interface = self.interfaces.get(part.text("NetworkInterfaceId"))
            if interface is None or interface.region_id != draft.region_id:
                raise part_errors.interface_not_found()
            if interface.instance_id:
                raise part_errors.incorrect_interface_state(interface.status)
            made = Secondary(interface=interface)
        else:
            drafted, vswitch = self.draft_interface(
                part, draft.region_id, draft.vswitch_id, draft.security_group_ids
            )
            made = Secondary(interface=drafted, vswitch=vswitch, wanted=part.text("PrimaryIpAddress"))
        if made.interface.traffic_mode == "HighPerformance" and not has_erdma(draft.instance_type):
            raise errors.no_erdma(draft.instance_type)
        if made.interface.zone_id != draft.zone_id:
            raise part_errors.interface_in_other_zone()
        if made.interface.vpc_id != draft.vpc_id:
            raise part_errors.interface_in_other_vpc()
        return made

    def _make_secondaries(self, secondary: Secondary, instances: Sequence[Instance], undo: ExitStack) -> None:
        """Give each instance an interface of its own, as drafted, or the one instance the one that is there."""
        attached_at, draft = self.cloud.clock(), secondary.interface
        if secondary.vswitch is None:
            self.interfaces.put(replace(draft, instance_id=instances[0].id, attached_at=attached_at))
            return
        addresses = self.claim_addresses(
            secondary.vswitch, secondary.wanted, amount=len(instances), vpc_id=draft.vpc_id
        )
        undo.callback(self.giving_back(addresses, draft.vpc_id))
        for instance, address in zip(instances, addresses, strict=True):
            self.interfaces.put(
                replace(
                    draft,
                    id=self.cloud.new_id("eni"),
                    mac_address=self.new_mac_address(),
                    private_address=address,
                    instance_id=instance.id,
                    attached_at=attached_at,
                )
            )

    def _settings(self, request: Request) -> Settings:
        """Give a call's parameters, over those of the launch template that it names, if any."""
        template_id, name = request.text("LaunchTemplateId"), request.text("LaunchTemplateName")
        if not template_id and not name:
            return request.params
        template = self.launch_templates.find(request.region_id, template_id, name)
        version = self.launch_templates.version(template, request.number("LaunchTemplateVersion", 0))
        return merged(version.settings, request.params)

    def _draft(self, request: Request, interface: Mapping[str, object], vswitch: VSwitch) -> Instance:
        """Check a call, and give an instance without an id, an address and disks."""
        check.read_password(request)
        identity = self._identity(request)
        instance_type, image = read_instance_type(request), self.read_image(request)
        amount = request.number("Amount", 1)
        self.check_stock(instance_type, vswitch.zone_id, amount)
        return Instance(
            id="",
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            zone_id=vswitch.zone_id,
            vpc_id=vswitch.vpc_id,
            vswitch_id=vswitch.id,
            private_address="",
            network_interface_id="",
            mac_address="",
            security_group_ids=self._groups(request, interface, vswitch.vpc_id),
            name="",
            host_name="",
            image_id=image.image_id,
            os_name=image.os_name,
            instance_type=instance_type,
            status=PENDING,
            boot_number=0,
            started_at=0.0,
            is_released=False,
            **identity,
            **read_metadata_options(request),
            **read_billing(request, instance_type, vswitch.zone_id, self.cloud.clock()),
            **read_subscription(request, self.cloud.clock()),
            **read_cpu_options(request, instance_type, OF_TYPE),
            **read_options(request),
            stopped_mode="",
            **self._deployment(request, vswitch.zone_id, amount),
            auto_release_at=read_release_time(request, self.cloud.clock()),
            **read_primary(request, interface, instance_type),
        )

    def _identity(self, request: Request) -> Identity:
        """Read the RAM role that an instance acts in and the key pair by which it is entered."""
        role_name, key_pair_name = request.text("RamRoleName"), request.text("KeyPairName")
        if role_name:
            self.check_role(role_name)
        if key_pair_name:
            self.check_key_pair(key_pair_name, request.region_id)
        return Identity(ram_role_name=role_name, key_pair_name=key_pair_name)

    def _deployment(self, request: Request, zone_id: str, amount: int) -> Deployment:
        set_id, number = request.text("DeploymentSetId"), request.number("DeploymentSetGroupNo", 0)
        if set_id:
            number = self.place_in_set(
                set_id, region_id=request.region_id, zone_id=zone_id, group_number=number, amount=amount
            )
        return Deployment(deployment_set_id=set_id, deployment_set_group_number=number if set_id else 0)

    def _vswitch(self, request: Request, interface: Mapping[str, object]) -> VSwitch:
        vswitch_id = request.text("VSwitchId") or str(interface.get("VSwitchId") or "")
        if not vswitch_id:
            raise missing_parameter("VSwitchId")
        vswitch = self.vpc.find_vswitch(vswitch_id)
        if vswitch is None or vswitch.region_id != request.region_id:
            raise errors.vswitch_not_found()
        zone_id = request.text("ZoneId")
        if zone_id and zone_id not in REGIONS[request.region_id]:
            raise errors.zone_not_found()
        if zone_id not in ("", vswitch.zone_id):
            raise errors.zone_mismatch()
        return vswitch

    def _groups(self, request: Request, interface: Mapping[str, object], vpc_id: str) -> tuple[str, ...]:
        listed = interface.get("SecurityGroupIds")
        group_ids = [
            request.text("SecurityGroupId"),
            *request.texts("SecurityGroupIds"),
            str(interface.get("SecurityGroupId") or ""),
            *(map(str, listed) if isinstance(listed, list) else ()),
        ]
        given = [group_id for group_id in group_ids if group_id]
        if not given:
            raise missing_parameter("SecurityGroupId")
        return self.member_groups(given, vpc_id)

    def _ordered(self, instance: Instance, order: DiskOrder) -> Disk:
        disk = Disk(
            id=self.cloud.new_id("d"),
            created_at=instance.created_at,
            tags=instance.tags,
            was_attached=True,
            region_id=instance.region_id,
            zone_id=instance.zone_id,
            instance_id=instance.id,
            device=order.device,
            deletes_with_instance=order.deletes_with_instance,
            image_id=order.image_id,
            charge_type=instance.charge_type,
            attached_at=instance.created_at,
            resource_group_id=instance.resource_group_id,
            **order.settings,
        )
        return restored(disk, order.snapshot, self.cloud.clock())

    def _complete(self, draft: Instance, address: str, named: Names) -> Instance:
        instance_id = self.cloud.new_id("i")
        host_name = named.host_name.replace(INSTANCE_ID, instance_id)
        return replace(
            draft,
            id=instance_id,
            private_address=address,
            network_interface_id=self.cloud.new_id("eni"),
            mac_address=self.new_mac_address(),
            name=named.name or instance_id,
            host_name=host_name or f"iZ{instance_id[2:]}Z",
        )

    def check_role(self, role_name: str) -> None:
        """Check that a RAM role exists and that an instance may act in it.

        Raises:
            ApiError: `InvalidRamRole.NotFound` or `InvalidRamRole.NotEcsRole`.
        """
        role = self.ram.find_role(role_name)
        if role is None:
            raise errors.role_not_found()
        if "ecs.aliyuncs.com" not in role.trust_policy:
            raise errors.role_not_for_ecs()
