from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from steelyard.localcloud.balancing import BalancingService
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.nlb import errors
from steelyard.localcloud.services.nlb.models import (
    INACTIVE,
    Job,
    Listener,
    LoadBalancer,
    Server,
    ServerGroup,
)
from steelyard.localcloud.services.nlb.plan import plan_proxy

_MAX_JOBS = 1000


class NlbState(BalancingService[LoadBalancer]):
    """What the parts of the NLB service share: its records, and what each load balancer does by them."""

    code, version = "nlb", "2022-04-30"
    inactive_status = INACTIVE

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.load_balancers = Records(cloud.store, LoadBalancer)
        self.server_groups = Records(cloud.store, ServerGroup)
        self.listeners = Records(cloud.store, Listener)
        self.jobs = Records(cloud.store, Job)

    def plan(self, load_balancer_id: str) -> ProxyConfig:
        """Give what a load balancer's HAProxy does, by the records."""
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        groups = {group.id: group for group in self.server_groups.list()}
        return plan_proxy(balancer, self.listeners_of(load_balancer_id), groups, self.find_address)

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

    def load_balancer(self, request: Request) -> LoadBalancer:
        """Give the load balancer that a call names.

        Raises:
            ApiError: `ResourceNotFound.loadBalancer`.
        """
        balancer = self.load_balancers.get(request.text("LoadBalancerId"))
        if balancer is None:
            raise errors.not_found("loadBalancer")
        return balancer

    def server_group(self, group_id: str) -> ServerGroup:
        """Give a server group.

        Raises:
            ApiError: `ResourceNotFound.serverGroup`.
        """
        group = self.server_groups.get(group_id)
        if group is None:
            raise errors.not_found("serverGroup")
        return group

    def listener(self, request: Request) -> Listener:
        """Give the listener that a call names.

        Raises:
            ApiError: `ResourceNotFound.listener`.
        """
        listener = self.listeners.get(request.text("ListenerId"))
        if listener is None:
            raise errors.not_found("listener")
        return listener

    def listeners_of(self, load_balancer_id: str) -> list[Listener]:
        """Give the listeners of a load balancer."""
        return [
            listener for listener in self.listeners.list() if listener.load_balancer_id == load_balancer_id
        ]

    def users_of(self, group_id: str) -> list[str]:
        """Give the ids of the load balancers that send traffic to a server group."""
        found = [item.load_balancer_id for item in self.listeners.list() if item.server_group_id == group_id]
        return list(dict.fromkeys(found))

    def done(self) -> dict[str, object]:
        """Give the id of a job that GetJobStatus knows as done, as what answers a change; the last 1000 are kept."""
        job = Job(id=str(uuid.uuid4()), created_at=self.cloud.clock())
        self.jobs.put(job)
        self.cloud.store.trim(Job.kind, _MAX_JOBS)
        return {"JobId": job.id}
