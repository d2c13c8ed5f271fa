from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.balancing import BalancingService
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.guard import guarded
from steelyard.localcloud.services.zonal.models import (
    ACTIVE,
    INACTIVE,
    Job,
    Listener,
    SecurityPolicy,
    Server,
    ServerGroup,
    Settling,
    ZonalBalancer,
)
from steelyard.localcloud.wire.error import ApiError

_MAX_JOBS = 1000

B = TypeVar("B", bound=ZonalBalancer)
G = TypeVar("G", bound=ServerGroup)
L = TypeVar("L", bound=Listener)
S = TypeVar("S", bound=Settling)


class ZonalState(BalancingService[B], Generic[B, G, L]):
    """What the parts of such a product share: its records, and how they are found and change.

    Attributes:
        settle_s: Seconds for which a change is told as being taken in; it is in force when its call is answered.
        group_type: The type of its server groups' records.
        listener_type: The type of its listeners' records.
        job_type: The type of its jobs' records.
        policy_type: The type of its TLS policies' records.
        server_groups: Its server groups.
        listeners: Its listeners.
        jobs: The last changes.
        security_policies: TLS policies of the user's own.
    """

    inactive_status = INACTIVE
    settle_s: ClassVar[float] = 0.0
    balancer_type: ClassVar[type[ZonalBalancer]]
    group_type: ClassVar[type[ServerGroup]]
    listener_type: ClassVar[type[Listener]]
    job_type: ClassVar[type[Job]]
    policy_type: ClassVar[type[SecurityPolicy]]
    server_groups: Records[G]
    listeners: Records[L]

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.load_balancers = Records(cloud.store, self.balancer_type)  # type: ignore[arg-type]
        self.server_groups = Records(cloud.store, self.group_type)  # type: ignore[arg-type]
        self.listeners = Records(cloud.store, self.listener_type)  # type: ignore[arg-type]
        self.jobs = Records(cloud.store, self.job_type)
        self.security_policies = Records(cloud.store, self.policy_type)

    def start(self) -> None:
        """Serve again what was served, and follow the security groups from now on."""
        self.ecs.firewall.watch(self._follow_groups)
        super().start()

    def status_at_start(self, balancer: B, *, is_whole: bool) -> str:
        """Give the status of a load balancer at the cloud's start: nothing but a start makes one inactive."""
        return ACTIVE if is_whole else INACTIVE

    @abstractmethod
    def plan_serving(self, balancer: B) -> ProxyConfig:
        """Give what a load balancer's HAProxy does by its listeners, whoever the clients are."""

    def plan(self, load_balancer_id: str) -> ProxyConfig:
        """Give what a load balancer's HAProxy does, by the records."""
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        config = self.plan_serving(balancer)
        if not balancer.security_group_ids:
            return config
        return guarded(config, self.ecs.firewall.filter_for(balancer.security_group_ids, balancer.vpc_id))

    @abstractmethod
    def not_found(self, what: str) -> ApiError:
        """Tell that a thing is not there.

        Args:
            what: NLB's word for it, e.g. `serverGroup`.
        """

    def rewrite_servers(self, keeps: Callable[[Server], bool]) -> set[str]:
        """Drop servers from server groups, and give the load balancers whose listeners use those."""
        touched: set[str] = set()
        for group in self.server_groups.list():
            servers = tuple(filter(keeps, group.servers))
            if servers != group.servers:
                self.server_groups.put(replace(group, servers=servers))
                touched.update(self.users_of(group.id))
        return touched

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that load balancers hold."""
        return sum(
            zone["VSwitchId"] == vswitch_id
            for balancer in self.load_balancers.list()
            for zone in balancer.zones
        )

    def tls_policies(self) -> dict[str, TlsPolicy]:
        """Give all TLS policies by id, the system's and the user's own."""
        return {**POLICIES, **{one.id: one.policy for one in self.security_policies.list()}}

    def is_in_group(self, group_id: str) -> bool:
        """Tell whether a load balancer is in a security group (`GroupMember`)."""
        return any(group_id in balancer.security_group_ids for balancer in self.load_balancers.list())

    def _follow_groups(self) -> None:
        """Let load balancers take just the clients that their security groups let in by now."""
        with self.cloud.transaction():
            for balancer in self.load_balancers.list():
                if balancer.security_group_ids:
                    self.follow(balancer.id)

    def load_balancer(self, request: Request) -> B:
        """Give the load balancer that a call names.

        Raises:
            ApiError: `ResourceNotFound.loadBalancer`.
        """
        balancer = self.load_balancers.get(request.text("LoadBalancerId"))
        if balancer is None:
            raise self.not_found("loadBalancer")
        return balancer

    def settled_load_balancer(self, request: Request) -> B:
        """Give the load balancer that a call names, if it can be changed.

        Raises:
            ApiError: `ResourceNotFound.loadBalancer` or `IncorrectStatus.LoadBalancer`.
        """
        return self.settled(self.load_balancer(request), "LoadBalancer")

    def server_group(self, group_id: str) -> G:
        """Give a server group.

        Raises:
            ApiError: `ResourceNotFound.serverGroup`.
        """
        group = self.server_groups.get(group_id)
        if group is None:
            raise self.not_found("serverGroup")
        return group

    def settled_group(self, request: Request) -> G:
        """Give the server group that a call names, if it can be changed; other services of the cloud need not wait.

        Raises:
            ApiError: `ResourceNotFound.serverGroup` or `IncorrectStatus.ServerGroup`.
        """
        group = self.server_group(request.text("ServerGroupId"))
        return group if request.is_own else self.settled(group, "ServerGroup")

    def listener(self, request: Request) -> L:
        """Give the listener that a call names.

        Raises:
            ApiError: `ResourceNotFound.listener`.
        """
        listener = self.listeners.get(request.text("ListenerId"))
        if listener is None:
            raise self.not_found("listener")
        return listener

    def settled_listener(self, request: Request) -> L:
        """Give the listener that a call names, if it can be changed.

        Raises:
            ApiError: `ResourceNotFound.listener` or `IncorrectStatus.Listener`.
        """
        return self.settled(self.listener(request), "Listener")

    def listeners_of(self, load_balancer_id: str) -> list[L]:
        """Give the listeners of a load balancer."""
        return [
            listener for listener in self.listeners.list() if listener.load_balancer_id == load_balancer_id
        ]

    def users_of(self, group_id: str) -> list[str]:
        """Give the ids of the load balancers that send traffic to a server group."""
        found = [item.load_balancer_id for item in self.listeners.list() if item.server_group_id == group_id]
        return list(dict.fromkeys(found))

    def settled(self, record: S, what: str) -> S:
        """Give a record back, if it has taken in the last change.

        Raises:
            ApiError: `IncorrectStatus.` and what it is.
        """
        if self.cloud.clock() < record.settled_at:
            raise errors.incorrect_status(what, record.settling_as)
        return record

    def settling(self, record: S, word: str = "Configuring") -> S:
        """Give a record that takes a moment to take a change in.

        Args:
            record: The record.
            word: The product's word for its state until then.
        """
        return replace(record, settled_at=self.cloud.clock() + self.settle_s, settling_as=word)

    def done(self, request: Request, resource_id: str, resource_type: str) -> dict[str, object]:
        """Give the id of the job that stands for a change, as what answers it; the last 1000 are kept.

        Args:
            request: The call that makes the change.
            resource_id: What it changes.
            resource_type: Which sort of thing that is, e.g. `listener`.
        """
        job = self.job_type(
            id=str(uuid.uuid4()),
            created_at=self.cloud.clock(),
            action=request.action,
            resource_id=resource_id,
            resource_type=resource_type,
        )
        job = self.settling(job, "Processing")
        self.jobs.put(job)
        self.cloud.store.trim(job.kind, _MAX_JOBS)
        return {"JobId": job.id}
