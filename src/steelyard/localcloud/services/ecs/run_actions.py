from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypedDict

from steelyard.localcloud.hosts.address import AddressExhausted, AddressInUse
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, errors
from steelyard.localcloud.services.ecs.image import IMAGES, Image
from steelyard.localcloud.services.ecs.launch_template import Settings, merged
from steelyard.localcloud.services.ecs.models import PENDING, Instance
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.vpc.models import VSwitch
from steelyard.localcloud.tag import read_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter
from steelyard.spec.catalogue import INSTANCE_TYPES, REGIONS

MAX_AMOUNT = 100
_MIN_DATA_DISK_GIB, _MAX_DISK_GIB = 1, 65536


class RunActions(EcsState):
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

    def _run(self, request: Request) -> list[str]:
        request = replace(request, params=self._settings(request))
        amount = request.number("Amount", 1)
        if not 1 <= amount <= MAX_AMOUNT:
            raise invalid_parameter("Amount", amount, f"from 1 to {MAX_AMOUNT}")
        draft, cidr_block = self._draft(request)
        request.stop_if_dry_run()
        addresses = self._claim_addresses(request, draft, cidr_block, amount)
        instances = [self._complete(draft, address, i, amount) for i, address in enumerate(addresses, 1)]
        for instance in instances:
            self.instances.put(instance)
            self.cloud.after_commit(partial(self.life.launch, instance.id))
        return [instance.id for instance in instances]

    def _settings(self, request: Request) -> Settings:
        """Give a call's parameters, over those of the launch template that it names, if any."""
        template_id, name = request.text("LaunchTemplateId"), request.text("LaunchTemplateName")
        if not template_id and not name:
            return request.params
        template = self.launch_templates.find(request.region_id, template_id, name)
        version = self.launch_templates.version(template, request.number("LaunchTemplateVersion", 0))
        return merged(version.settings, request.params)

    def _draft(self, request: Request) -> tuple[Instance, str]:
        """Check a call, and give an instance without an id and an address, and its VSwitch's block."""
        interface = (request.records("NetworkInterface") or [{}])[0]
        vswitch = self._vswitch(request, interface)
        image = _image(request)
        role_name = request.text("RamRoleName")
        if role_name:
            self.check_role(role_name)
        draft = Instance(
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
            name=check.read_name(request, "InstanceName", ""),
            host_name=check.read_host_name(request, ""),
            description=check.read_description(request),
            image_id=image.image_id,
            instance_type=_instance_type(request),
            status=PENDING,
            boot_number=0,
            started_at=0.0,
            is_released=False,
            user_data=check.read_user_data(request),
            key_pair_name=request.text("KeyPairName"),
            ram_role_name=role_name,
            http_endpoint=check.read_choice(request, "HttpEndpoint", ("enabled", "disabled"), "enabled"),
            http_tokens=check.read_choice(request, "HttpTokens", ("optional", "required"), "optional"),
            http_hop_limit=request.number("HttpPutResponseHopLimit", 1),
            **_billing(request),
            has_deletion_protection=request.flag("DeletionProtection"),
            stopped_mode="",
            resource_group_id=request.text("ResourceGroupId"),
            deployment_set_id=request.text("DeploymentSetId"),
            disks=tuple(_disks(request, image)),
        )
        return draft, vswitch.cidr_block

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
        return self.groups_in_vpc(given, vpc_id)

    def _claim_addresses(self, request: Request, draft: Instance, cidr: str, amount: int) -> list[str]:
        interface = (request.records("NetworkInterface") or [{}])[0]
        wanted = request.text("PrivateIpAddress") or str(interface.get("PrimaryIpAddress") or "")
        if wanted and amount > 1:
            raise invalid_parameter("PrivateIpAddress", wanted, "given for one instance alone")
        claimed: list[str] = []
        try:
            for _ in range(amount):
                claimed.append(self.host.claim_address(cidr, wanted or None, vpc_id=draft.vpc_id))
        except (AddressExhausted, AddressInUse, ValueError) as err:
            for address in claimed:
                self.host.release_address(address, vpc_id=draft.vpc_id)
            if isinstance(err, AddressExhausted):
                raise errors.addresses_exhausted(draft.vswitch_id) from err
            raise (
                errors.address_duplicated() if isinstance(err, AddressInUse) else errors.address_malformed()
            ) from err
        return claimed

    def _complete(self, draft: Instance, address: str, number: int, amount: int) -> Instance:
        instance_id = self.cloud.new_id("i")
        suffix = f"{number:03d}" if amount > 1 else ""
        return replace(
            draft,
            id=instance_id,
            private_address=address,
            network_interface_id=self.cloud.new_id("eni"),
            mac_address="00:16:3e:" + ":".join(f"{secrets.randbelow(256):02x}" for _ in range(3)),
            name=f"{draft.name}{suffix}" if draft.name else instance_id,
            host_name=f"{draft.host_name}{suffix}" if draft.host_name else f"iZ{instance_id[2:]}Z",
            disks=tuple({**disk, "DiskId": self.cloud.new_id("d")} for disk in draft.disks),
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


def _image(request: Request) -> Image:
    image_id, family = request.text("ImageId"), request.text("ImageFamily")
    if not image_id and not family:
        raise missing_parameter("ImageId")
    if image_id:
        found = [image for image in IMAGES.values() if image.image_id == image_id]
    else:
        found = [image for image in IMAGES.values() if image.family == family]
    if not found:
        raise errors.image_not_found()
    return max(found, key=lambda image: image.created_on)


def _instance_type(request: Request) -> str:
    name = request.text("InstanceType")
    if not name:
        raise missing_parameter("InstanceType")
    if name not in INSTANCE_TYPES:
        raise errors.instance_type_not_supported(name)
    return name


class _Billing(TypedDict):
    charge_type: str
    spot_strategy: str
    spot_price_limit: float
    spot_duration: int
    spot_interruption_behavior: str
    internet_charge_type: str
    internet_max_bandwidth_out: int


def _billing(request: Request) -> _Billing:
    """Read how an instance is paid for, which is kept and answered; nothing is billed here."""
    strategies = ("NoSpot", "SpotWithPriceLimit", "SpotAsPriceGo")
    return _Billing(
        charge_type=check.read_choice(request, "InstanceChargeType", ("PostPaid", "PrePaid"), "PostPaid"),
        spot_strategy=check.read_choice(request, "SpotStrategy", strategies, "NoSpot"),
        spot_price_limit=_price(request),
        spot_duration=request.number("SpotDuration", 1),
        spot_interruption_behavior=check.read_choice(
            request, "SpotInterruptionBehavior", ("Terminate", "Stop"), "Terminate"
        ),
        internet_charge_type=check.read_choice(
            request, "InternetChargeType", ("PayByTraffic", "PayByBandwidth"), "PayByTraffic"
        ),
        internet_max_bandwidth_out=request.number("InternetMaxBandwidthOut", 0),
    )


def _price(request: Request) -> float:
    value = request.params.get("SpotPriceLimit", 0.0)
    assert isinstance(value, float)
    return value


def _disks(request: Request, image: Image) -> list[dict[str, object]]:
    system = request.params.get("SystemDisk") or {}
    assert isinstance(system, dict)
    bounds = range(image.size_gib, 2048 + 1)
    disks = [
        _disk("system", system, "SystemDisk", max(40, image.size_gib), bounds)
        | {"ImageId": image.image_id, "Device": "/dev/xvda", "DeleteWithInstance": True}
    ]
    for number, data in enumerate(request.records("DataDisk"), 1):
        if data.get("Size") is None:
            raise missing_parameter(f"DataDisk.{number}.Size")
        bounds = range(_MIN_DATA_DISK_GIB, _MAX_DISK_GIB + 1)
        disk = _disk("data", data, f"DataDisk.{number}", 0, bounds)
        disks.append(
            disk
            | {
                "Device": data.get("Device") or f"/dev/xvd{chr(ord('a') + number)}",
                "DeleteWithInstance": data.get("DeleteWithInstance", True),
            }
        )
    return disks


def _disk(
    kind: str, given: Mapping[str, object], name: str, default_gib: int, bounds: range
) -> dict[str, object]:
    category = str(given.get("Category") or "cloud_essd")
    if category not in check.DISK_CATEGORIES:
        raise errors.value_not_supported(f"{name}.Category", category)
    level = str(given.get("PerformanceLevel") or ("PL1" if category == "cloud_essd" else ""))
    return {
        "Type": kind,
        "Category": category,
        "Size": check.read_disk_size(f"{name}.Size", given.get("Size"), default_gib, bounds),
        "PerformanceLevel": level,
        "DiskName": given.get("DiskName") or "",
        "Description": given.get("Description") or "",
        "Encrypted": str(given.get("Encrypted") or "false").lower() == "true",
        "KMSKeyId": given.get("KMSKeyId") or "",
    }
