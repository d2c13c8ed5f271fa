from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.balancing import fits
from steelyard.localcloud.services.vpc.models import Vpc
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.models import INTERNET, INTRANET, Zone, addresses_of
from steelyard.localcloud.services.zonal.state import B, G, L, ZonalState
from steelyard.localcloud.services.zonal.zone import Place, claim_zones, read_places, release
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import ApiError, invalid_parameter, not_served

RESOURCE_TYPE = "loadbalancer"
_MAX_GROUPS = 4

_FILTERS = (
    *("AddressType", "AddressIpVersion", "Ipv6AddressType", "DNSName"),
    *("LoadBalancerStatus", "ResourceGroupId"),
    # The one is NLB's word, the other ALB's.
    *("LoadBalancerBusinessStatus", "LoadBalancerBussinessStatus", "LoadBalancerType"),
)


class ZonalBalancerActions(ZonalState[B, G, L]):
    """Load balancers: what is done with them once they are made. They are gone when the call is answered.

    Attributes:
        address_name: The product's word for the address that a zone asks for.
        name_pattern: What their names may be.
        name_rule: The same in words.
    """

    address_name: ClassVar[str]
    name_pattern: ClassVar[re.Pattern[str]]
    name_rule: ClassVar[str]

    @action("GetLoadBalancerAttribute")
    def get_load_balancer_attribute(self, request: Request) -> dict[str, object]:
        """Give one load balancer."""
        return self.answered(self.load_balancer(request))

    @action("ListLoadBalancers")
    def list_load_balancers(self, request: Request) -> dict[str, object]:
        """List load balancers by ids, names, VPCs, zone, kind of address, states, way of paying and tags."""
        ids, names, vpc_ids = (
            request.texts(f"{name}s") for name in ("LoadBalancerId", "LoadBalancerName", "VpcId")
        )
        tags, zone_id = read_tags(request), request.text("ZoneId")
        found = [
            answer
            for balancer in self.load_balancers.list()
            for answer in (self.answered(balancer),)
            if balancer.region_id == request.region_id
            and (not ids or balancer.id in ids)
            and (not names or balancer.name in names)
            and (not vpc_ids or balancer.vpc_id in vpc_ids)
            and zone_id in ("", *(zone["ZoneId"] for zone in balancer.zones))
            and has_tags(balancer.tags, tags)
            and all(fits(request.text(name), answer.get(name)) for name in _FILTERS)
            and request.text("PayType") in ("", "PostPay")
        ]
        return token_answer(request, "LoadBalancers", found, dict)

    @action("UpdateLoadBalancerZones", optional=("ZoneMappings.EipType",))
    def update_load_balancer_zones(self, request: Request) -> dict[str, object]:
        """Let a load balancer stand in just the zones that are named; where it stood, it keeps its address."""
        balancer = self.settled_load_balancer(request)
        places = self.read_places(request, balancer.vpc_id)
        request.stop_if_dry_run()
        is_public = balancer.address_type == INTERNET
        zones = claim_zones(self.ecs, places, is_public=is_public, kept=balancer.zones)
        return self._move(request, balancer, zones)

    @action(
        "UpdateLoadBalancerAddressTypeConfig",
        optional=("ZoneMappings.EipType", "ZoneMappings.AllocationId"),
    )
    def update_load_balancer_address_type_config(self, request: Request) -> dict[str, object]:
        """Give a load balancer public addresses, or take them away."""
        balancer = self.settled_load_balancer(request)
        address_type = read_address_type(request)
        if any(mapping.get("AllocationId") for mapping in request.records("ZoneMappings")):
            raise not_served("load balancers on given EIPs")
        vswitches = [self.vpc.find_vswitch(zone["VSwitchId"]) for zone in balancer.zones]
        places = [Place(vswitch=vswitch, wanted="") for vswitch in vswitches if vswitch is not None]
        request.stop_if_dry_run()
        is_public = address_type == INTERNET
        zones = claim_zones(self.ecs, places, is_public=is_public, kept=balancer.zones)
        return self._move(request, replace(balancer, address_type=address_type), zones)

    @action("LoadBalancerJoinSecurityGroup")
    def join_security_group(self, request: Request) -> dict[str, object]:
        """Put a load balancer into security groups of its VPC, whose rules say who may connect from now on."""
        balancer = self.settled_load_balancer(request)
        ids = self.read_groups(
            [*balancer.security_group_ids, *request.texts("SecurityGroupIds")], balancer.vpc_id
        )
        return self._regroup(request, balancer, ids)

    @action("LoadBalancerLeaveSecurityGroup")
    def leave_security_group(self, request: Request) -> dict[str, object]:
        """Take a load balancer out of security groups."""
        balancer, left = self.settled_load_balancer(request), request.texts("SecurityGroupIds")
        ids = tuple(group_id for group_id in balancer.security_group_ids if group_id not in left)
        return self._regroup(request, balancer, ids)

    @action("DeleteLoadBalancer")
    def delete_load_balancer(self, request: Request) -> dict[str, object]:
        """Delete a load balancer with its listeners; its server groups stay."""
        balancer = self.settled_load_balancer(request)
        if balancer.deletion_protection["Enabled"]:
            raise errors.delete_protected()
        for listener in self.listeners_of(balancer.id):
            self.drop_listener(listener)
        self.load_balancers.delete(balancer.id)
        self.discard(balancer.id, balancer.addresses)
        return self.done(request, balancer.id, RESOURCE_TYPE)

    def answered(self, balancer: B) -> dict[str, object]:
        """Give a load balancer as answers hold it."""
        return balancer.to_answer(self.cloud.clock(), self.dark_zones)

    def drop_listener(self, listener: L) -> None:
        """Delete a listener's record and those of what belongs to it."""
        self.listeners.delete(listener.id)

    def put_balancer(self, request: Request, balancer: B) -> dict[str, object]:
        """Keep a changed load balancer whose data plane stays as it is, and answer with the job."""
        self.load_balancers.put(self.settling(balancer))
        return self.done(request, balancer.id, RESOURCE_TYPE)

    def read_places(self, request: Request, vpc_id: str) -> list[Place]:
        """Read and check the zones that a call names; see `zone.read_places`."""
        return read_places(
            request, vpc_id, self.vpc, address_name=self.address_name, not_found=self.not_found
        )

    def read_vpc(self, request: Request) -> Vpc:
        """Give the VPC that a call names.

        Raises:
            ApiError: `ResourceNotFound.vpc`.
        """
        vpc = self.vpc.find_vpc(request.text("VpcId"))
        if vpc is None or vpc.region_id != request.region_id:
            raise self.not_found("vpc")
        return vpc

    def read_groups(self, group_ids: Sequence[str], vpc_id: str) -> tuple[str, ...]:
        """Check the security groups of a load balancer, and give their ids without repeats.

        Their number and their types are those of the help page "Add an NLB instance to a security group".

        Raises:
            ApiError: `InvalidSecurityGroupId.NotFound`, `InvalidParameter.Mismatch`, or `InvalidParameter` for too many
                of them and for basic ones beside enterprise ones.
        """
        ids = self.ecs.groups_in_vpc(group_ids, vpc_id)
        if len(ids) > _MAX_GROUPS:
            raise invalid_parameter("SecurityGroupIds", f"{len(ids)} in all", f"at most {_MAX_GROUPS}")
        if len({group.group_type for group in self.ecs.security_groups.named(ids)}) > 1:
            raise invalid_parameter("SecurityGroupIds", ", ".join(ids), "of one type, basic or enterprise")
        return ids

    def read_name(self, request: Request, parameter: str, default: str) -> str:
        """Read a name.

        Raises:
            ApiError: `InvalidParameter`.
        """
        name = request.text(parameter) or default
        if name and not self.name_pattern.match(name):
            raise invalid_parameter(parameter, name, self.name_rule)
        return name

    def _regroup(self, request: Request, balancer: B, group_ids: tuple[str, ...]) -> dict[str, object]:
        job = self.put_balancer(request, replace(balancer, security_group_ids=group_ids))
        self.apply(request, balancer.id)
        return job

    def _move(self, request: Request, balancer: B, zones: tuple[Zone, ...]) -> dict[str, object]:
        """Let a load balancer stand in other zones; the addresses that it leaves are given back."""
        host, old, new = self.ecs.host, set(balancer.addresses), set(addresses_of(zones))
        job = self.put_balancer(request, replace(balancer, zones=zones))
        try:
            self.apply(request, balancer.id)
        except ApiError:
            release(host, new - old)
            raise
        self.cloud.after_commit(lambda: release(host, old - new))
        return job


def read_address_type(request: Request) -> str:
    """Read which addresses a load balancer is to have.

    Raises:
        ApiError: `InvalidParameter`.
    """
    address_type = request.text("AddressType")
    if address_type not in (INTERNET, INTRANET):
        raise invalid_parameter("AddressType", address_type, f"{INTERNET} or {INTRANET}")
    return address_type


def nested(request: Request, name: str) -> dict[str, object]:
    """Give what a nested parameter holds; nothing where it was not sent."""
    value = request.params.get(name) or {}
    assert isinstance(value, Mapping)
    return {key: item for key, item in value.items() if item is not None}
