"""What leads out of a VPC, and in: NAT gateways with their entries, and elastic addresses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.tag import tag_list, tag_rows
from steelyard.localcloud.text import utc_text


@dataclass(frozen=True, kw_only=True)
class NatGateway(Record):
    """An enhanced Internet NAT gateway with its two tables.

    Attributes:
        replies_to_pings: Kept and answered, since nothing answers at an elastic address here.
    """

    kind: ClassVar[str] = "natgateway"

    region_id: str
    vpc_id: str
    vswitch_id: str
    zone_id: str
    name: str
    description: str
    eip_bind_mode: str
    snat_table_id: str
    forward_table_id: str
    is_protected: bool
    replies_to_pings: bool = True

    def to_attribute_answer(
        self, *, now: float, eips: list[Eip], num_snat_entries: int, num_forward_entries: int
    ) -> dict[str, object]:
        """Give the fields of GetNatGatewayAttribute."""
        listed = self.to_answer(now=now, eips=eips)
        names = (
            "NatGatewayId",
            "RegionId",
            "VpcId",
            "Name",
            "Description",
            "Status",
            "BusinessStatus",
            "NatType",
            "NetworkType",
            "CreationTime",
            "EcsMetricEnabled",
            "PrivateLinkEnabled",
        )
        return {
            **{name: listed[name] for name in names},
            "BillingConfig": {
                "InstanceChargeType": listed["InstanceChargeType"],
                "InternetChargeType": listed["InternetChargeType"],
                "Spec": listed["Spec"],
            },
            "DeletionProtectionInfo": {"Enabled": self.is_protected},
            "SnatTable": {"SnatTableId": self.snat_table_id, "SnatEntryCount": num_snat_entries},
            "ForwardTable": {
                "ForwardTableId": self.forward_table_id,
                "ForwardEntryCount": num_forward_entries,
            },
            "IpList": self._addresses(eips),
            "PrivateInfo": {"VswitchId": self.vswitch_id, "IzNo": self.zone_id},
        }

    def _addresses(self, eips: list[Eip]) -> list[dict[str, object]]:
        return [{"AllocationId": eip.id, "IpAddress": eip.address, "UsingStatus": "Idle"} for eip in eips]

    def to_answer(self, *, now: float, eips: list[Eip]) -> dict[str, object]:
        """Give the fields of DescribeNatGateways."""
        return {
            "NatGatewayId": self.id,
            "RegionId": self.region_id,
            "VpcId": self.vpc_id,
            "Name": self.name,
            "Description": self.description,
            "Status": status_at(self.created_at, now),
            "BusinessStatus": "Normal",
            "NatType": "Enhanced",
            "NetworkType": "internet",
            "Spec": "",
            "InternetChargeType": "PayByLcu",
            "InstanceChargeType": "PostPaid",
            "CreationTime": utc_text(self.created_at),
            "EipBindMode": self.eip_bind_mode,
            "DeletionProtection": self.is_protected,
            "EcsMetricEnabled": False,
            "IcmpReplyEnabled": self.replies_to_pings,
            "PrivateLinkEnabled": False,
            "SnatTableIds": {"SnatTableId": [self.snat_table_id]},
            "ForwardTableIds": {"ForwardTableId": [self.forward_table_id]},
            "FullNatTableIds": {"FullNatTableId": []},
            "IpLists": {"IpList": self._addresses(eips)},
            "NatGatewayPrivateInfo": {"VswitchId": self.vswitch_id, "IzNo": self.zone_id},
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class Eip(Record):
    """An elastic address: of the world's address space for documentation, since nothing here answers at it.

    Attributes:
        instance_id: What it is bound to; empty where it is free.
        private_address: The address that it stands for, where an instance or a network interface has it.
        mode: How a network interface sees it: `NAT`, not at all; `BINDED` or `MULTI_BINDED`, as one of its own.
    """

    kind: ClassVar[str] = "eip"

    region_id: str
    address: str
    bandwidth: str
    internet_charge_type: str
    name: str
    description: str
    isp: str
    resource_group_id: str
    instance_id: str
    instance_type: str
    vpc_id: str
    is_protected: bool
    private_address: str = ""
    mode: str = "NAT"

    @property
    def is_bound(self) -> bool:
        """Whether something holds it."""
        return bool(self.instance_id)

    def released(self) -> Self:
        """Give it as it is once nothing holds it."""
        return replace(self, instance_id="", instance_type="", vpc_id="", private_address="", mode="NAT")

    def to_answer(self) -> dict[str, object]:
        """Give the fields of DescribeEipAddresses."""
        return {
            "AllocationId": self.id,
            "RegionId": self.region_id,
            "IpAddress": self.address,
            "Status": "InUse" if self.is_bound else "Available",
            "BusinessStatus": "Normal",
            "InstanceId": self.instance_id,
            "InstanceType": self.instance_type,
            "InstanceRegionId": self.region_id if self.is_bound else "",
            "Bandwidth": self.bandwidth,
            "EipBandwidth": self.bandwidth,
            "InternetChargeType": self.internet_charge_type,
            "ChargeType": "PostPaid",
            "AllocationTime": utc_text(self.created_at),
            "ISP": self.isp,
            "Netmode": "public",
            "Mode": self.mode if self.is_bound else "",
            "Name": self.name,
            # The API's own spelling.
            "Descritpion": self.description,
            "Description": self.description,
            "VpcId": self.vpc_id,
            "PrivateIpAddress": self.private_address,
            "ResourceGroupId": self.resource_group_id,
            "DeletionProtection": self.is_protected,
            "HDMonitorStatus": "OFF",
            "AvailableRegions": {"AvailableRegion": [self.region_id]},
            "PublicIpAddressPoolId": "",
            "SegmentInstanceId": "",
            "SecurityProtectionTypes": {"SecurityProtectionType": []},
            "OperationLocks": {"LockReason": []},
            "Tags": {"Tag": tag_list(self.tags)},
        }

    def to_instance_answer(self) -> dict[str, object]:
        """Give the fields that DescribeInstances shows of an instance that holds it."""
        return {
            "AllocationId": self.id,
            "IpAddress": self.address,
            "InternetChargeType": self.internet_charge_type,
            "Bandwidth": int(self.bandwidth),
            "IsSupportUnassociate": True,
        }


@dataclass(frozen=True, kw_only=True)
class EipHolder:
    """An instance, or a network interface of one, that an elastic address may be bound to.

    Attributes:
        private_address: The address that the elastic one stands for.
        status: The instance's status where it does not let one come; empty where it does.
        has_bandwidth: Whether it has a public address of its own.
        is_secondary: Whether it is a network interface that comes and goes.
    """

    region_id: str
    vpc_id: str
    private_address: str
    status: str = ""
    has_bandwidth: bool = False
    is_secondary: bool = False


@dataclass(frozen=True, kw_only=True)
class SnatEntry(Record):
    """A rule by which a VSwitch, or a range, reaches the Internet from an elastic address.

    Attributes:
        is_sticky: Whether a client keeps to one of several addresses; kept and answered.
    """

    kind: ClassVar[str] = "snatentry"

    table_id: str
    gateway_id: str
    name: str
    snat_ip: str
    source_vswitch_id: str
    source_cidr: str
    is_sticky: bool = False

    @property
    def addresses(self) -> list[str]:
        """The elastic addresses that it sends by."""
        return self.snat_ip.split(",")

    def to_answer(self, *, now: float) -> dict[str, object]:
        """Give the fields of DescribeSnatTableEntries."""
        return {
            "SnatEntryId": self.id,
            "SnatTableId": self.table_id,
            "NatGatewayId": self.gateway_id,
            "SnatEntryName": self.name,
            "SnatIp": self.snat_ip,
            "SourceVSwitchId": self.source_vswitch_id,
            "SourceCIDR": self.source_cidr,
            "Status": status_at(self.created_at, now),
            "EipAffinity": str(int(self.is_sticky)),
        }
