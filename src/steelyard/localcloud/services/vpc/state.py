from __future__ import annotations

from typing import Protocol, runtime_checkable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.vpc import errors
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch, status_at


@runtime_checkable
class NetworkUser(Protocol):
    """A service whose resources stand in VPCs or VSwitches (ecs, slb, ...); it is asked before one is deleted."""

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name the sort of thing that stands directly in a VPC, e.g. `SecurityGroup`; None where nothing does."""

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name the sort of thing that stands in a VSwitch, e.g. `Instance`; None where nothing does."""

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that the service's resources hold."""


@runtime_checkable
class BlockFollower(Protocol):
    """A service whose resources reach a VPC's blocks (ecs); it is told when those have changed."""

    def follow_blocks(self, vpc_id: str) -> None:
        """Let what stands in a VPC reach the blocks that it has now."""


class VpcState(Service):
    """What the parts of the VPC service share: its records, how they are found and what others ask of them."""

    code, version = "vpc", "2016-04-28"
    is_quick = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.vpcs = Records(cloud.store, Vpc)
        self.vswitches = Records(cloud.store, VSwitch)

    def find_vpc(self, vpc_id: str) -> Vpc | None:
        """Give a VPC, or None where there is none of this id."""
        return self.vpcs.get(vpc_id)

    def find_vswitch(self, vswitch_id: str) -> VSwitch | None:
        """Give a VSwitch, or None where there is none of this id."""
        return self.vswitches.get(vswitch_id)

    def names_owner(self, request: Request, name: str) -> bool:
        """Tell whether a call asks for what the account owns, which is all that there is, or names no owner."""
        return request.number(name, 0) in (0, int(self.cloud.identity.account_id))

    def vswitches_of(self, vpc_id: str) -> list[VSwitch]:
        """Give a VPC's VSwitches."""
        return list(self.vswitches.where("vpc_id", vpc_id))

    def network_users(self) -> list[NetworkUser]:
        """Give the services whose resources stand in VPCs and VSwitches."""
        return [service for service in self.cloud.services.values() if isinstance(service, NetworkUser)]

    def put_blocks(self, vpc: Vpc) -> None:
        """Keep a VPC whose blocks have changed, and tell who reaches them."""
        self.vpcs.put(vpc)
        for service in self.cloud.services.values():
            if isinstance(service, BlockFollower):
                service.follow_blocks(vpc.id)

    def vpcs_of(self, region_id: str) -> list[Vpc]:
        """Give a region's VPCs."""
        return list(self.vpcs.where("region_id", region_id))

    def vpc(self, request: Request) -> Vpc:
        """Give the VPC that a call names.

        Raises:
            ApiError: `InvalidVpcId.NotFound`.
        """
        vpc = self.vpcs.get(request.text("VpcId"))
        if vpc is None or not request.may_mean(vpc.region_id):
            raise errors.vpc_not_found()
        return vpc

    def available_vpc(self, request: Request) -> Vpc:
        """Give the VPC that a call names, if it can be worked on.

        Raises:
            ApiError: `InvalidVpcId.NotFound` or `IncorrectVpcStatus`.
        """
        vpc = self.vpc(request)
        if status_at(vpc.created_at, self.cloud.clock()) != "Available":
            raise errors.incorrect_vpc_status()
        return vpc

    def vswitch(self, request: Request) -> VSwitch:
        """Give the VSwitch that a call names.

        Raises:
            ApiError: `InvalidVSwitchId.NotFound`.
        """
        vswitch = self.vswitches.get(request.text("VSwitchId"))
        if vswitch is None or not request.may_mean(vswitch.region_id):
            raise errors.vswitch_not_found()
        return vswitch

    def available_vswitch(self, request: Request) -> VSwitch:
        """Give the VSwitch that a call names, if it can be worked on.

        Raises:
            ApiError: `InvalidVSwitchId.NotFound` or `IncorrectVSwitchStatus`.
        """
        vswitch = self.vswitch(request)
        if status_at(vswitch.created_at, self.cloud.clock()) != "Available":
            raise errors.incorrect_vswitch_status()
        return vswitch
