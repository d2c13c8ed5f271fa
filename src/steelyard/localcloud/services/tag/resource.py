"""What has tags, across the products, under the names that RAM gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.services.alb import models as alb
from steelyard.localcloud.services.ecs.custom_image import CustomImage
from steelyard.localcloud.services.ecs.deployment_set import DeploymentSet
from steelyard.localcloud.services.ecs.disk import Disk
from steelyard.localcloud.services.ecs.key_pair import KeyPair, KeyPairs
from steelyard.localcloud.services.ecs.launch_template import LaunchTemplate
from steelyard.localcloud.services.ecs.models import Instance, SecurityGroup
from steelyard.localcloud.services.ecs.network_interface import NetworkInterface
from steelyard.localcloud.services.ecs.prefix_list import PrefixList
from steelyard.localcloud.services.ecs.snapshot import Snapshot
from steelyard.localcloud.services.ess.models import ScalingGroup
from steelyard.localcloud.services.nas.models import FileSystem
from steelyard.localcloud.services.nlb import models as nlb
from steelyard.localcloud.services.ram.models import Policy, Role
from steelyard.localcloud.services.slb.models import LoadBalancer
from steelyard.localcloud.services.tag import errors
from steelyard.localcloud.services.vpc.egress_models import Eip, NatGateway
from steelyard.localcloud.services.vpc.models import Vpc, VSwitch
from steelyard.localcloud.services.vpc.route_models import RouteTable
from steelyard.localcloud.store import Store
from steelyard.localcloud.wire.error import ApiError

KINDS: Mapping[tuple[str, str], type[Record]] = {
    ("ecs", "instance"): Instance,
    ("ecs", "securitygroup"): SecurityGroup,
    ("ecs", "launchtemplate"): LaunchTemplate,
    ("ecs", "deploymentset"): DeploymentSet,
    ("ecs", "disk"): Disk,
    ("ecs", "snapshot"): Snapshot,
    ("ecs", "image"): CustomImage,
    ("ecs", "prefixlist"): PrefixList,
    ("ecs", "eni"): NetworkInterface,
    ("ecs", "keypair"): KeyPair,
    ("vpc", "vpc"): Vpc,
    ("vpc", "vswitch"): VSwitch,
    ("vpc", "routetable"): RouteTable,
    ("vpc", "natgateway"): NatGateway,
    ("vpc", "eip"): Eip,
    ("slb", "loadbalancer"): LoadBalancer,
    ("nlb", "loadbalancer"): nlb.LoadBalancer,
    ("nlb", "servergroup"): nlb.ServerGroup,
    ("nlb", "listener"): nlb.Listener,
    ("alb", "loadbalancer"): alb.LoadBalancer,
    ("alb", "servergroup"): alb.ServerGroup,
    ("alb", "listener"): alb.Listener,
    ("ess", "scalinggroup"): ScalingGroup,
    ("nas", "filesystem"): FileSystem,
    ("ram", "role"): Role,
    ("ram", "policy"): Policy,
}
"""What may be tagged, by product and kind. A bucket's tags are one of its configurations and not here."""

_NAME = re.compile(r"acs:(?P<product>[^:]+):(?P<region>[^:]*):(?P<account>\d+):(?P<kind>[^/:]+)/(?P<id>.+)")
_EVERYWHERE = ("", "*")


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A resource and where its record is.

    Attributes:
        name: As RAM names it.
        kind: Its product and kind.
        records: The records of its kind.
        record: Its own.
    """

    name: str
    kind: tuple[str, str]
    records: Records[Any]
    record: Record


class TaggedResources:
    """The resources of one account that have tags.

    Args:
        store: The cloud's state.
        account_id: The account.
    """

    def __init__(self, store: Store, account_id: str) -> None:
        self._store = store
        self._account_id = account_id

    def find(self, name: str, region_id: str) -> Tagged:
        """Find a resource by its name.

        Raises:
            ApiError: It is no name, another account's or region's, has no tags or is not there.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise errors.malformed_name(name)
        kind = (match["product"].lower(), match["kind"].lower())
        if match["account"] != self._account_id or match["region"] not in (region_id, *_EVERYWHERE):
            raise errors.foreign_resource(name)
        if kind not in KINDS:
            raise errors.unknown_resource_type("/".join(kind))
        records = self._records(kind, region_id)
        record = records.get(match["id"])
        if record is None or getattr(record, "region_id", region_id) != region_id:
            raise errors.resource_not_found(name)
        return Tagged(name=name, kind=kind, records=records, record=record)

    def tags_of(self, name: str, region_id: str) -> Mapping[str, str]:
        """Give a resource's tags; none where there is no such resource, or one that has none."""
        try:
            return self.find(name, region_id).record.tags
        except ApiError:
            return {}

    def list(self, region_id: str) -> Iterator[Tagged]:
        """Give everything of a region that may be tagged, and what belongs to none, in an order that stays."""
        for kind in KINDS:
            records = self._records(kind, region_id)
            for record in records.list():
                if getattr(record, "region_id", region_id) == region_id:
                    name = self._name(kind, record)
                    yield Tagged(name=name, kind=kind, records=records, record=record)

    def _records(self, kind: tuple[str, str], region_id: str) -> Records[Any]:
        if KINDS[kind] is KeyPair:
            return KeyPairs(self._store, region_id)
        return Records(self._store, KINDS[kind])

    def _name(self, kind: tuple[str, str], record: Record) -> str:
        region_id = getattr(record, "region_id", "*")
        return f"acs:{kind[0]}:{region_id}:{self._account_id}:{kind[1]}/{record.id}"
