"""What leads out of a VPC: NAT gateways, elastic addresses and SNAT entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.vpc.models import status_at
from steelyard.localcloud.tag import tag_list, tag_rows
from steelyard.localcloud.text import utc_text


@dataclass(frozen=True, kw_only=True)
class NatGateway(Record):
    """An enhanced Internet NAT gateway with its two tables."""

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
            "IcmpReplyEnabled": True,
            "PrivateLinkEnabled": False,
            "SnatTableIds": {"SnatTableId": [self.snat_table_id]},
            "ForwardTableIds": {"ForwardTableId": [self.forward_table_id]},
            "FullNatTableIds": {"FullNatTableId": []},
            "IpLists": {
                "IpList": [
                    {"AllocationId": eip.id, "IpAddress": eip.address, "UsingStatus": "Idle"} for eip in eips
                ]
            },
            "NatGatewayPrivateInfo": {"VswitchId": self.vswitch_id, "IzNo": self.zone_id},
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class Eip(Record):
    """An elastic address: of the world's address space for documentation, since nothing here answers at it.

    Attributes:
        instance_id: What it is bound to; empty where it is free.
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

    @property
    def is_bound(self) -> bool:
        """Whether something holds it."""
        return bool(self.instance_id)

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
            "Mode": "NAT" if self.is_bound else "",
            "Name": self.name,
            # The API's own spelling.
            "Descritpion": self.description,
            "Description": self.description,
            "VpcId": self.vpc_id,
            "PrivateIpAddress": "",
            "ResourceGroupId": self.resource_group_id,
            "DeletionProtection": self.is_protected,
            "HDMonitorStatus": "OFF",
            "Tags": {"Tag": tag_list(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class SnatEntry(Record):
    """A rule by which a VSwitch, or a range, reaches the Internet from an elastic address."""

    kind: ClassVar[str] = "snatentry"

    table_id: str
    gateway_id: str
    name: str
    snat_ip: str
    source_vswitch_id: str
    source_cidr: str

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
            "EipAffinity": "0",
        }
