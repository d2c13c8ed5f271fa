from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.ecs.cpu_option import CpuOptions
from steelyard.localcloud.services.ecs.image import IMAGES
from steelyard.localcloud.services.ecs.network_interface import address_sets
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text
from steelyard.spec.catalogue import INSTANCE_TYPES
from steelyard.spec.family import family_of

PENDING, STARTING, RUNNING, STOPPING, STOPPED = "Pending", "Starting", "Running", "Stopping", "Stopped"


def minute_text(unix_time: float) -> str:
    """Write a time as ECS does in most answers: to the minute, e.g. `2026-11-24T14:00Z`."""
    return utc_text(unix_time)[:16] + "Z"


@dataclass(frozen=True, kw_only=True)
class Instance(Record):
    """An instance with the network interface that it has from the beginning.

    Attributes:
        boot_number: Counts its boots, so that news of an earlier boot is told apart.
        is_released: Whether it is on its way to be deleted.
        is_rebooting: Whether it is `Stopping` to be booted again.
        user_data: Base64 text, as it came.
        private_address: As answered: reachable on the host that it runs on.
        disk_ids: Its system disk and then its data disks.
        traffic_mode: Of its primary interface: `Standard`, or `HighPerformance` for elastic RDMA.
        reclaim_at: Unix time at which a spot instance will be taken back; 0 where that was not announced.
        auto_release_at: Unix time at which it will be released, as a call wanted; 0 for never.
        has_public_address: Whether a call gave it one, whatever its bandwidth.
        pool_criteria: Which private pools it may draw from: `Open`, `Target` or `None`.
        maintenance_action: What is done with it when its host is maintained: `Stop`, `AutoRecover` or `AutoRedeploy`.
        maintenance_windows: `StartTime` and `EndTime` of each.
        renewal_status: What becomes of one that is paid for in advance: `AutoRenewal`, `Normal` or `NotRenewal`.
        os_name: Of the image; empty in records of an older cloud, whose images are all public.
        renewal_duration: By how much it is renewed, in `renewal_unit`s.
        checks_source: Whether its primary interface is to drop what is sent from other addresses; kept and answered.
        queue_pair_number: Of its primary interface, as is the next: see `NetworkInterface`.
        expires_at: Unix time until which it is paid for in advance; 0 for one that is paid for by its use.
        internet_max_bandwidth_in: What a call said; 0 for as much as out.
        cpu_core_count: Cores that it is to show; 0 for those of its type, as with the next.
    """

    kind: ClassVar[str] = "instance"
    is_remembered: ClassVar[bool] = True

    region_id: str
    zone_id: str
    vpc_id: str
    vswitch_id: str
    private_address: str
    network_interface_id: str
    mac_address: str
    security_group_ids: tuple[str, ...]
    name: str
    host_name: str
    description: str
    image_id: str
    instance_type: str
    status: str
    boot_number: int
    started_at: float
    is_released: bool
    user_data: str
    key_pair_name: str
    ram_role_name: str
    http_endpoint: str
    http_tokens: str
    http_hop_limit: int
    charge_type: str
    spot_strategy: str
    spot_price_limit: float
    spot_duration: int
    spot_interruption_behavior: str
    internet_charge_type: str
    internet_max_bandwidth_out: int
    has_deletion_protection: bool
    stopped_mode: str
    resource_group_id: str
    deployment_set_id: str
    deployment_set_group_number: int = 0
    reclaim_at: float = 0.0
    disk_ids: tuple[str, ...] = ()
    interface_name: str = ""
    interface_description: str = ""
    traffic_mode: str = "Standard"
    auto_release_at: float = 0.0
    has_public_address: bool = False
    pool_criteria: str = "None"
    maintenance_action: str = "AutoRecover"
    maintenance_windows: tuple[Mapping[str, str], ...] = ()
    notifies_on_maintenance: bool = False
    renewal_status: str = "Normal"
    renewal_duration: int = 1
    renewal_unit: str = "Month"
    secondary_addresses: tuple[str, ...] = ()
    os_name: str = ""
    checks_source: bool = False
    queue_pair_number: int = 0
    card_index: int = 0
    expires_at: float = 0.0
    internet_max_bandwidth_in: int = 0
    has_jumbo_frame: bool = False
    logs_in_as_non_root: bool = False
    is_rebooting: bool = False
    cpu_core_count: int = 0
    cpu_threads_per_core: int = 0
    cpu_topology: str = ""

    def starting(self) -> Instance:
        """Give it as it is when it begins to boot: news of the boot before counts no more."""
        return replace(self, status=STARTING, is_rebooting=False, boot_number=self.boot_number + 1)

    @property
    def cpu_options(self) -> CpuOptions:
        """What calls said of its cores."""
        return CpuOptions(
            cpu_core_count=self.cpu_core_count,
            cpu_threads_per_core=self.cpu_threads_per_core,
            cpu_topology=self.cpu_topology,
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The private addresses of its own interface, the first one first."""
        return (self.private_address, *self.secondary_addresses)

    @property
    def serial_number(self) -> str:
        """What its firmware would tell."""
        return self.mac_address.replace(":", "")

    @property
    def public_addresses(self) -> list[str]:
        """The addresses by which it can be reached from outside: on one machine there is no other than its own."""
        is_public = self.has_public_address or self.internet_max_bandwidth_out > 0
        return [self.private_address] if is_public else []

    def to_answer(self) -> dict[str, object]:
        """Give the fields that DescribeInstances and DescribeInstanceAttribute share."""
        instance_type = INSTANCE_TYPES[self.instance_type]
        return {
            "InstanceId": self.id,
            "InstanceName": self.name,
            "Description": self.description,
            "HostName": self.host_name,
            "ImageId": self.image_id,
            "InstanceType": self.instance_type,
            "RegionId": self.region_id,
            "ZoneId": self.zone_id,
            "Status": self.status,
            "StoppedMode": self.stopped_mode if self.status == STOPPED else "Not-applicable",
            "Cpu": instance_type.vcpus,
            "Memory": int(instance_type.memory_gib * 1024),
            "SerialNumber": self.serial_number,
            "CreationTime": minute_text(self.created_at),
            "ExpiredTime": minute_text(self.expires_at) if self.expires_at else "2099-12-31T15:59Z",
            "AutoReleaseTime": minute_text(self.auto_release_at) if self.auto_release_at else "",
            "InstanceChargeType": self.charge_type,
            "InstanceNetworkType": "vpc",
            "InternetChargeType": self.internet_charge_type,
            "InternetMaxBandwidthIn": self.internet_max_bandwidth_in or self.internet_max_bandwidth_out,
            "InternetMaxBandwidthOut": self.internet_max_bandwidth_out,
            "SecurityGroupIds": {"SecurityGroupId": list(self.security_group_ids)},
            "PublicIpAddress": {"IpAddress": self.public_addresses},
            "InnerIpAddress": {"IpAddress": []},
            "OperationLocks": {"LockReason": [{"LockReason": "Recycling"}] if self.reclaim_at else []},
            "EnableJumboFrame": self.has_jumbo_frame,
            "ClusterId": "",
            "VlanId": "",
            "VpcAttributes": {
                "VpcId": self.vpc_id,
                "VSwitchId": self.vswitch_id,
                "NatIpAddress": "",
                "PrivateIpAddress": {"IpAddress": [self.private_address]},
            },
            "EipAddress": {"AllocationId": "", "IpAddress": "", "InternetChargeType": ""},
        }

    def to_list_answer(
        self,
        other_interfaces: Sequence[Mapping[str, object]] = (),
        eip: Mapping[str, object] = MappingProxyType({}),
    ) -> dict[str, object]:
        """Give the fields of DescribeInstances.

        Args:
            other_interfaces: What it tells of the instance's secondary network interfaces.
            eip: What it tells of its elastic address; empty where it has none.
        """
        return {
            **self.to_answer(),
            **self._machine_answer(),
            **({"EipAddress": eip} if eip else {}),
            "IoOptimized": True,
            "StartTime": minute_text(self.started_at) if self.started_at else "",
            "DeletionProtection": self.has_deletion_protection,
            "DeviceAvailable": True,
            "KeyPairName": self.key_pair_name,
            "ResourceGroupId": self.resource_group_id,
            "DeploymentSetId": self.deployment_set_id,
            "DeploymentSetGroupNo": self.deployment_set_group_number,
            "SpotStrategy": self.spot_strategy,
            "SpotPriceLimit": self.spot_price_limit,
            "SpotDuration": self.spot_duration,
            "SpotInterruptionBehavior": self.spot_interruption_behavior,
            "CreditSpecification": "",
            "HpcClusterId": "",
            "Recyclable": False,
            "MetadataOptions": {
                "HttpEndpoint": self.http_endpoint,
                "HttpTokens": self.http_tokens,
                "HttpPutResponseHopLimit": self.http_hop_limit,
            },
            "NetworkInterfaces": {"NetworkInterface": [self._short_interface(), *other_interfaces]},
            "Tags": {"Tag": tag_rows(self.tags)},
        }

    def _machine_answer(self) -> dict[str, object]:
        """Give what DescribeInstances tells of the machine and the system on it."""
        instance_type = INSTANCE_TYPES[self.instance_type]
        os_name = self.os_name or IMAGES[self.image_id].os_name
        return {
            "InstanceTypeFamily": family_of(self.instance_type),
            "GPUAmount": instance_type.num_gpus,
            "GPUSpec": instance_type.gpu,
            "OSName": os_name,
            "OSNameEn": os_name,
            "OSType": "linux",
            "ImageOptions": {"LoginAsNonRoot": self.logs_in_as_non_root},
            "CpuOptions": {
                "CoreCount": self.cpu_core_count or max(1, instance_type.vcpus // 2),
                "ThreadsPerCore": self.cpu_threads_per_core or 2,
                "TopologyType": self.cpu_topology or None,
                "Numa": "ON",
            },
        }

    def to_network_interface_answer(self, owner_id: str) -> dict[str, object]:
        """Give the fields of DescribeNetworkInterfaces."""
        return {
            "NetworkInterfaceId": self.network_interface_id,
            "NetworkInterfaceName": self.interface_name,
            "Description": self.interface_description,
            "InstanceId": self.id,
            "Type": "Primary",
            "Status": "InUse",
            "MacAddress": self.mac_address,
            "PrivateIpAddress": self.private_address,
            **address_sets(self.addresses),
            "SecurityGroupIds": {"SecurityGroupId": list(self.security_group_ids)},
            "VpcId": self.vpc_id,
            "VSwitchId": self.vswitch_id,
            "ZoneId": self.zone_id,
            "OwnerId": owner_id,
            "CreationTime": utc_text(self.created_at),
            "DeleteOnRelease": True,
            "NetworkInterfaceTrafficMode": self.traffic_mode,
            "SourceDestCheck": self.checks_source,
            "QueuePairNumber": self.queue_pair_number or None,
            "ResourceGroupId": self.resource_group_id,
            "Attachment": {"InstanceId": self.id, "DeviceIndex": 0, "NetworkCardIndex": self.card_index},
            "Tags": {"Tag": []},
        }

    def _short_interface(self) -> dict[str, object]:
        return {
            "NetworkInterfaceId": self.network_interface_id,
            "MacAddress": self.mac_address,
            "PrimaryIpAddress": self.private_address,
            "Type": "Primary",
            **address_sets(self.addresses),
        }


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Record):
    """A security group with its rules: `Permission`s of DescribeSecurityGroupAttribute, by the API's names."""

    kind: ClassVar[str] = "security_group"

    region_id: str
    vpc_id: str
    name: str
    description: str
    group_type: str
    inner_access_policy: str
    resource_group_id: str
    rules: tuple[Mapping[str, object], ...] = ()

    def to_answer(self, num_instances: int) -> dict[str, object]:
        """Give the fields of DescribeSecurityGroups."""
        return {
            "SecurityGroupId": self.id,
            "SecurityGroupName": self.name,
            "Description": self.description,
            "SecurityGroupType": self.group_type,
            "VpcId": self.vpc_id,
            "ResourceGroupId": self.resource_group_id,
            "CreationTime": utc_text(self.created_at),
            "EcsCount": num_instances,
            "RuleCount": len(self.rules),
            "ServiceManaged": False,
            "Tags": {"Tag": tag_rows(self.tags)},
        }
