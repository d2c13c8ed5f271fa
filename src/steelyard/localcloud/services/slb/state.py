from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.proxy.balancer import ProxyBalancer
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, Service
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.models import INACTIVE, Listener, LoadBalancer, Server, ServerGroup
from steelyard.localcloud.services.slb.plan import plan_proxy
from steelyard.localcloud.services.vpc.state import VpcState

logger = logging.getLogger(__name__)


class SlbState(Service):
    """What the parts of the SLB service share: its records, the HAProxy of each load balancer, what others ask."""

    code, version = "slb", "2014-05-15"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.load_balancers = Records(cloud.store, LoadBalancer)
        self.server_groups = Records(cloud.store, ServerGroup)
        self.listeners = Records(cloud.store, Listener)
        self._proxies: dict[str, ProxyBalancer] = {}

    def start(self) -> None:
        """Serve again what was served."""
        with self.cloud.transaction():
            for balancer in self.load_balancers.list():
                try:
                    self.ecs.host.hold_address(balancer.address)
                    self.proxy(balancer.id).apply(self._plan(balancer))
                except (AddressInUse, LocalCloudError) as err:
                    logger.error("%s serves no more: %s", balancer.id, err)
                    self.load_balancers.put(replace(balancer, status=INACTIVE))

    def stop(self) -> None:
        """End every HAProxy."""
        proxies = list(self._proxies.values())
        if proxies:
            with ThreadPoolExecutor(max_workers=len(proxies), thread_name_prefix="end-balancer") as pool:
                list(pool.map(ProxyBalancer.stop, proxies))

    @property
    def ecs(self) -> EcsState:
        """The ECS service."""
        service = self.cloud.services["ecs"]
        assert isinstance(service, EcsState)
        return service

    @property
    def vpc(self) -> VpcState:
        """The VPC service."""
        service = self.cloud.services["vpc"]
        assert isinstance(service, VpcState)
        return service

    def proxy(self, load_balancer_id: str) -> ProxyBalancer:
        """Give the data plane of a load balancer."""
        directory = self.cloud.data_dir / "load-balancers" / load_balancer_id
        return self._proxies.setdefault(load_balancer_id, ProxyBalancer(load_balancer_id, directory))

    def drop_proxy(self, load_balancer_id: str) -> None:
        """End the data plane of a load balancer and remove its files."""
        self.proxy(load_balancer_id).discard()
        del self._proxies[load_balancer_id]

    def load_balancer(self, request: Request) -> LoadBalancer:
        """Give the load balancer that a call names.

        Raises:
            ApiError: `InvalidLoadBalancerId.NotFound`.
        """
        balancer = self.load_balancers.get(request.text("LoadBalancerId"))
        if balancer is None:
            raise errors.load_balancer_not_found()
        return balancer

    def server_group(self, request: Request) -> ServerGroup:
        """Give the server group that a call names.

        Raises:
            ApiError: `InvalidParameter`, status 404.
        """
        group = self.server_groups.get(request.text("VServerGroupId"))
        if group is None:
            raise errors.server_group_not_found()
        return group

    def listeners_of(self, load_balancer_id: str) -> list[Listener]:
        """Give the listeners of a load balancer."""
        return [
            listener for listener in self.listeners.list() if listener.load_balancer_id == load_balancer_id
        ]

    def groups_of(self, load_balancer_id: str) -> dict[str, ServerGroup]:
        """Give the server groups of a load balancer by id."""
        return {
            group.id: group
            for group in self.server_groups.list()
            if group.load_balancer_id == load_balancer_id
        }

    def apply(self, request: Request, load_balancer_id: str) -> None:
        """Bring a load balancer's HAProxy to its records; the last thing that a handler does.

        Raises:
            ApiError: `InternalError` if HAProxy does not take it, and then the records stay as they were.
        """
        request.stop_if_dry_run()
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        try:
            self.proxy(load_balancer_id).apply(self._plan(balancer))
        except LocalCloudError as err:
            raise errors.not_applied(err.message) from err

    def _plan(self, balancer: LoadBalancer) -> ProxyConfig:
        return plan_proxy(
            balancer, self.listeners_of(balancer.id), self.groups_of(balancer.id), self.find_address
        )

    def find_address(self, server_id: str) -> str | None:
        """Give the private address of a server, None where there is no such instance."""
        instance = self.ecs.find_instance(server_id)
        return None if instance is None else instance.private_address

    # What the ECS service tells before it releases an instance (`ServerDirectory`).

    def forget_server(self, instance_id: str) -> None:
        """Take an instance out of every server group, as the release of an instance does."""

        def without(servers: tuple[Server, ...]) -> tuple[Server, ...]:
            return tuple(server for server in servers if server["ServerId"] != instance_id)

        touched = self._rewrite_servers(without)
        for load_balancer_id in touched:
            balancer = self.load_balancers.get(load_balancer_id)
            if balancer is not None:
                try:
                    self.proxy(load_balancer_id).apply(self._plan(balancer))
                except LocalCloudError as err:
                    logger.error("%s may still send traffic to %s: %s", load_balancer_id, instance_id, err)

    def _rewrite_servers(self, rewrite: Callable[[tuple[Server, ...]], tuple[Server, ...]]) -> set[str]:
        touched = set()
        for group in self.server_groups.list():
            servers = rewrite(group.servers)
            if servers != group.servers:
                self.server_groups.put(replace(group, servers=servers))
                touched.add(group.load_balancer_id)
        for balancer in self.load_balancers.list():
            servers = rewrite(balancer.servers)
            if servers != balancer.servers:
                self.load_balancers.put(replace(balancer, servers=servers))
                touched.add(balancer.id)
        return touched

    # What the VPC service asks before it deletes something (`NetworkUser`).

    def in_vpc(self, vpc_id: str) -> str | None:
        """Name what stands directly in a VPC: nothing, since load balancers stand in VSwitches."""
        return None

    def in_vswitch(self, vswitch_id: str) -> str | None:
        """Name what stands in a VSwitch: `LoadBalancer`, or None."""
        return "LoadBalancer" if self.num_addresses(vswitch_id) else None

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that load balancers hold."""
        return sum(balancer.vswitch_id == vswitch_id for balancer in self.load_balancers.list())
