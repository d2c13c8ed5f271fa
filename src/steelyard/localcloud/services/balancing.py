"""What the load balancing products share: an HAProxy for each load balancer, and what other services ask of them."""

from __future__ import annotations

import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.data_plane import DATAGRAMS_SUFFIX, DataPlane
from steelyard.localcloud.datagram.plan import DatagramListener
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.hosts.link import await_end, dismiss
from steelyard.localcloud.pem import KeyPair
from steelyard.localcloud.proxy.config import CONNECTION_HASH, ProxyConfig, Server
from steelyard.localcloud.record import Record, Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.cas.actions import CasService
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.vpc.state import VpcState
from steelyard.localcloud.traffic.server_status import ServerStatus
from steelyard.localcloud.wire.error import ApiError

_log = logging.getLogger(__name__)

_FOLDER = "load-balancers"

INTERNET_CIDR = "47.96.0.0/16"
"""Where internet-facing load balancers get their addresses: a block of the provider's own."""

ALGORITHMS: Mapping[str, str] = {
    "wrr": "roundrobin",
    "rr": "roundrobin",
    "wlc": "leastconn",
    "sch": "source",
    "tch": CONNECTION_HASH,
}
"""HAProxy's word for each scheduler that is served, by the API's in small letters."""


def weight_in_effect(weight: int, scheduler: str) -> int:
    """Give the weight that HAProxy is told; plain round robin takes each server in turn, and 0 still means none."""
    return min(weight, 1) if scheduler.lower() == "rr" else weight


def fits(wanted: str, value: object) -> bool:
    """Tell whether a value is what a list is asked for: any where nothing is, whichever letters are capitals."""
    return not wanted or wanted.lower() == str(value).lower()


def not_applied(reason: str) -> ApiError:
    """Tell that HAProxy did not take a change."""
    return ApiError(
        "InternalError", f"The load balancer could not be brought to what was asked for: {reason}", 500
    )


@dataclass(frozen=True, kw_only=True)
class Balancer(Record, ABC):
    """What every product keeps of a load balancer.

    Attributes:
        vpc_id: The VPC that it stands in; empty for one that stands in none.
        status: Its state, in the product's own words.
    """

    vpc_id: str
    status: str

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that it has."""
        return self.lit_addresses(())

    @abstractmethod
    def lit_addresses(self, dark_zones: Collection[str]) -> tuple[str, ...]:
        """Give the addresses that it serves on while some zones are without power."""

    @abstractmethod
    def fails_over(self, dark_zone: str) -> bool:
        """Tell whether all of its traffic moves to another zone when one loses its power."""


B = TypeVar("B", bound=Balancer)


class BalancingService(Service, Generic[B]):
    """Base of a load balancing product.

    A product says what each of its load balancers does (`plan`) and which servers it has; this class keeps the
    HAProxys at it, takes up what was served at the cloud's start, and answers the VPC and ECS services.

    Attributes:
        inactive_status: The product's word for a load balancer that does not serve.
        load_balancers: The records of its load balancers.
    """

    inactive_status: ClassVar[str]
    load_balancers: Records[B]

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._planes: dict[str, DataPlane] = {}
        self._is_over = False

    @abstractmethod
    def plan(self, load_balancer_id: str) -> ProxyConfig:
        """Give what a load balancer's HAProxy does, by the records, while every zone has power."""

    @abstractmethod
    def rewrite_servers(self, keeps: Callable[[Mapping[str, Any]], bool]) -> set[str]:
        """Drop the servers that are not to be kept from all records, and give the load balancers that had them."""

    @abstractmethod
    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that load balancers hold."""

    def start(self) -> None:
        """Serve again what was served."""
        with self.cloud.transaction():
            for balancer in self.load_balancers.list():
                held = [self.ecs.hold_again(balancer.id, address) for address in balancer.addresses]
                try:
                    self._put_status(balancer, self.status_at_start(balancer, is_whole=all(held)))
                    self._serve(balancer.id)
                except LocalCloudError as err:
                    _log.error("%s serves no more: %s", balancer.id, err)
                    self._put_status(balancer, self.inactive_status)

    def _put_status(self, balancer: B, status: str) -> None:
        if balancer.status != status:
            self.load_balancers.put(replace(balancer, status=status))

    def status_at_start(self, balancer: B, *, is_whole: bool) -> str:
        """Give the status of a load balancer at the cloud's start.

        Args:
            balancer: The load balancer.
            is_whole: Whether it has its addresses still; else it is not to serve.
        """
        return balancer.status if is_whole else self.inactive_status

    def stop(self) -> None:
        """End every load balancer's processes; what changes around them starts none again."""
        with self.cloud.transaction():
            self._is_over = True
        planes = list(self._planes.values())
        if planes:
            with ThreadPoolExecutor(max_workers=len(planes), thread_name_prefix="end-balancer") as pool:
                list(pool.map(DataPlane.stop, planes))

    @property
    def ecs(self) -> EcsState:
        """The ECS service."""
        return self.cloud.service(EcsState)

    @property
    def vpc(self) -> VpcState:
        """The VPC service."""
        return self.cloud.service(VpcState)

    @property
    def dark_zones(self) -> Collection[str]:
        """The zones that are without power."""
        return self.ecs.stock.closed_zones()

    def data_plane(self, load_balancer_id: str) -> DataPlane:
        """Give the data plane of a load balancer."""
        directory = self.cloud.data_dir / _FOLDER / load_balancer_id
        host = self.ecs.host
        plane = DataPlane(load_balancer_id, directory, host.proxy_placement, host.claim_files)
        return self._planes.setdefault(load_balancer_id, plane)

    def apply(self, request: Request, *load_balancer_ids: str) -> None:
        """Bring load balancers' HAProxys to their records; the last thing that a handler does.

        Raises:
            ApiError: `InternalError` if HAProxy does not take it, and then the records stay as they were.
        """
        request.stop_if_dry_run()
        for load_balancer_id in load_balancer_ids:
            try:
                self._serve(load_balancer_id)
            except LocalCloudError as err:
                raise not_applied(err.message) from err
            self.cloud.on_undo(partial(self._return, load_balancer_id))

    def _return(self, load_balancer_id: str) -> None:
        """Bring a load balancer's HAProxy back to the records, of which a change was undone."""
        if self.load_balancers.get(load_balancer_id) is not None:
            self.follow(load_balancer_id)

    def follow(self, load_balancer_id: str) -> None:
        """Bring a load balancer's HAProxy to what has changed around it; nobody waits for the answer."""
        try:
            self._serve(load_balancer_id)
        except LocalCloudError as err:
            _log.error("%s does as it did before a change: %s", load_balancer_id, err)

    def _serve(self, load_balancer_id: str) -> None:
        if self._is_over:
            return
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        plan = self.plan(load_balancer_id).at(balancer.lit_addresses(self.dark_zones))
        if plan.listeners or plan.datagrams:
            self._hold(balancer)
        self.data_plane(load_balancer_id).apply(self._placed(plan, balancer.vpc_id))

    def _hold(self, balancer: B) -> None:
        """Hold the addresses of a load balancer that is to serve, which may have been lost at the cloud's start.

        Raises:
            LocalCloudError: Another local cloud has one of them.
        """
        for address in balancer.addresses:
            try:
                self.ecs.host.hold_address(address)
            except AddressInUse as err:
                raise LocalCloudError(f"another local cloud has {address} of {balancer.id}") from err

    def _placed(self, plan: ProxyConfig, vpc_id: str) -> ProxyConfig:
        """Say of a plan's listeners and servers in which network namespaces they are, as the host has it."""

        def placed(server: Server) -> Server:
            instance = self.ecs.find_instance(server.instance_id) if server.instance_id else None
            home = instance.vpc_id if instance is not None else vpc_id
            return replace(server, namespace=self.ecs.host.namespace(home) if home else "")

        def reached(listener: DatagramListener) -> DatagramListener:
            namespace = self.ecs.host.namespace(vpc_id) if vpc_id else ""
            targets = tuple(replace(target, namespace=namespace) for target in listener.targets)
            return replace(listener, targets=targets)

        blocks = [vswitch.cidr_block for vswitch in self.vpc.vswitches_of(vpc_id)] if vpc_id else []
        return replace(
            plan.with_servers(lambda servers: tuple(map(placed, servers))),
            datagrams=tuple(map(reached, plan.datagrams)),
            inner=tuple(
                entrance
                for address in plan.addresses
                for entrance in self.ecs.host.inner_entrances(address, vpc_id, blocks)
            ),
        )

    def statuses(self, load_balancer_id: str) -> Mapping[tuple[str, str], ServerStatus]:
        """Give the health of a load balancer's servers, by the names of its plan's pools and servers.

        Raises:
            ApiError: `InternalError` if HAProxy does not answer.
        """
        try:
            return self.data_plane(load_balancer_id).statuses()
        except LocalCloudError as err:
            raise not_applied(err.message) from err

    def discard(self, load_balancer_id: str, addresses: Sequence[str]) -> None:
        """End the data plane of a load balancer that is deleted, once the deletion is kept."""

        def end() -> None:
            self.data_plane(load_balancer_id).discard()
            del self._planes[load_balancer_id]
            for address in addresses:
                self.ecs.host.release_address(address)

        self.cloud.after_commit(end)

    def find_pair(self, certificate_id: str) -> KeyPair | None:
        """Give a certificate of the certificate service with its key, None where there is none of this id."""
        return self.cloud.service(CasService).find_pair(certificate_id)

    def find_address(self, server_id: str) -> str | None:
        """Give the private address of a server, None where there is no such instance."""
        instance = self.ecs.find_instance(server_id)
        return None if instance is None else instance.private_address

    # What the certificate service asks before it deletes one (`CertificateUser`).

    def certificate_user(self, certificate_id: str) -> str | None:
        """Name a listener that uses a certificate of this number: none, unless a product says so."""
        return None

    # What the ECS service tells before it releases an instance (`ServerDirectory`).

    def forget_server(self, instance_id: str) -> None:
        """Take an instance out of every server group, as the release of an instance does."""
        for load_balancer_id in self.rewrite_servers(lambda server: server["ServerId"] != instance_id):
            self.follow(load_balancer_id)

    # What the ECS service tells when an instance has come to another address (`ServerFollower`).

    def follow_server(self, instance_id: str) -> None:
        """Send an instance's traffic to where it is now."""
        for balancer in self.load_balancers.list():
            self.follow(balancer.id)

    # What the fault of a zone tells (`ZoneTenant`).

    def follow_zone(self, zone_id: str, *, has_power: bool) -> None:
        """Let load balancers serve without a zone that has lost its power, or with one that has it again."""
        with self.cloud.transaction():
            for balancer in self.load_balancers.list():
                if not has_power and balancer.fails_over(zone_id):
                    self.data_plane(balancer.id).stop()
                self.follow(balancer.id)

    # What the VPC service asks before it deletes something (`NetworkUser`).

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what stands directly in a VPC: nothing, since load balancers stand in VSwitches."""
        return None

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what stands in a VSwitch: `LoadBalancer`, or None."""
        return "LoadBalancer" if self.num_addresses(vswitch_id) else None


def sweep_folders(cloud: Cloud) -> None:
    """Remove what a kill has left of load balancers between the deletion of their records and of their files.

    Args:
        cloud: The cloud, whose services have started.
    """
    services = [one for one in cloud.services.values() if isinstance(one, BalancingService)]
    known = {balancer.id for service in services for balancer in service.load_balancers.list()}
    for folder in (cloud.data_dir / _FOLDER).glob("*/"):
        if folder.name.removesuffix(DATAGRAMS_SUFFIX) not in known:
            dismiss(folder)
            await_end(folder)
            shutil.rmtree(folder, ignore_errors=True)
