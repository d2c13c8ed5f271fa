from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.vpc import check, errors
from steelyard.localcloud.services.vpc.models import Vpc
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.wire.error import missing_parameter, not_served

MAX_SECONDARY_CIDRS = 5
"""Secondary IPv4 ranges of a VPC (help page of AssociateVpcCidrBlock, 2024)."""


class CidrBlockActions(VpcState):
    """Further address ranges of VPCs."""

    @action("AssociateVpcCidrBlock")
    def associate_vpc_cidr_block(self, request: Request) -> dict[str, object]:
        """Give a VPC a further range, for VSwitches to come."""
        vpc, block = self._named(request)
        network = check.read_vpc_cidr(block, errors.malformed_cidr)
        if any(network.overlaps(other) for other in vpc.networks):
            raise errors.cidr_overlaps()
        if self.cloud.terms.has_quotas and len(vpc.secondary_cidrs) >= MAX_SECONDARY_CIDRS:
            raise errors.quota_exceeded("SecondaryCidrBlock")
        self.put_blocks(replace(vpc, secondary_cidrs=(*vpc.secondary_cidrs, str(network))))
        return {"CidrBlock": str(network), "IpVersion": "IPV4"}

    @action("UnassociateVpcCidrBlock", optional=("RegionId",))
    def unassociate_vpc_cidr_block(self, request: Request) -> dict[str, object]:
        """Take a further range from a VPC again, once no VSwitch lies in it."""
        vpc, block = self._named(request)
        if block not in vpc.secondary_cidrs:
            raise errors.cidr_not_associated()
        network = check.read_vpc_cidr(block, errors.malformed_cidr)
        if any(vswitch.network.subnet_of(network) for vswitch in self.vswitches_of(vpc.id)):
            raise errors.cidr_in_use()
        kept = tuple(other for other in vpc.secondary_cidrs if other != block)
        self.put_blocks(replace(vpc, secondary_cidrs=kept))
        return {}

    def _named(self, request: Request) -> tuple[Vpc, str]:
        if request.text("IPv6CidrBlock") or request.text("IpVersion").upper() == "IPV6":
            raise not_served("address ranges of IPv6")
        if request.text("IpamPoolId"):
            raise not_served("ranges of an IPAM pool")
        block = request.text("SecondaryCidrBlock")
        if not block:
            raise missing_parameter("SecondaryCidrBlock")
        return self.available_vpc(request), block
