from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.balancing import BalancingService
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.access_list import AccessControlList
from steelyard.localcloud.services.slb.certificate import CaCertificate, ServerCertificate
from steelyard.localcloud.services.slb.cipher_policy import CipherPolicy
from steelyard.localcloud.services.slb.domain_extension import DomainExtension
from steelyard.localcloud.services.slb.models import INACTIVE, Listener, LoadBalancer, Server, ServerGroup
from steelyard.localcloud.services.slb.plan import Shelf, plan_proxy
from steelyard.localcloud.services.slb.rule import Rule


class SlbState(BalancingService[LoadBalancer]):
    """What the parts of the SLB service share: its records, and what each load balancer does by them."""

    code, version = "slb", "2014-05-15"
    inactive_status = INACTIVE

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.load_balancers = Records(cloud.store, LoadBalancer)
        self.server_groups = Records(cloud.store, ServerGroup)
        self.listeners = Records(cloud.store, Listener)
        self.server_certificates = Records(cloud.store, ServerCertificate)
        self.ca_certificates = Records(cloud.store, CaCertificate)
        self.access_lists = Records(cloud.store, AccessControlList)
        self.rules = Records(cloud.store, Rule)
        self.cipher_policies = Records(cloud.store, CipherPolicy)
        self.domain_extensions = Records(cloud.store, DomainExtension)

    def plan(self, load_balancer_id: str) -> ProxyConfig:
        """Give what a load balancer's HAProxy does, by the records."""
        balancer = self.load_balancers.get(load_balancer_id)
        assert balancer is not None
        shelf = Shelf(
            bundles={one.id: one.bundle for one in self.server_certificates.list()},
            authorities={one.id: one.certificate for one in self.ca_certificates.list()},
            ranges={one.id: one.cidrs for one in self.access_lists.list()},
            rules=self.rules.list(),
            policies=self.tls_policies(),
            extensions=self.domain_extensions.list(),
        )
        return plan_proxy(
            balancer, self.listeners_of(balancer.id), self.groups_of(balancer.id), self.find_address, shelf
        )

    def with_owner(self, request: Request) -> Request:
        """Give a call on a server group with the group's load balancer."""
        group_id = request.text("VServerGroupId")
        if not group_id or request.text("LoadBalancerId"):
            return request
        group = self.server_groups.get(group_id)
        return request.with_params({"LoadBalancerId": group.load_balancer_id if group else group_id})

    def tls_policies(self) -> dict[str, TlsPolicy]:
        """Give all TLS policies by id, the system's and the user's own."""
        return {**POLICIES, **{one.id: one.policy for one in self.cipher_policies.list()}}

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
        if group is None or group.is_pair:
            raise errors.server_group_not_found()
        return group

    def listeners_of(self, load_balancer_id: str) -> list[Listener]:
        """Give the listeners of a load balancer."""
        return [
            listener for listener in self.listeners.list() if listener.load_balancer_id == load_balancer_id
        ]

    def rules_of(self, listener_id: str) -> list[Rule]:
        """Give the forwarding rules of a listener, in the order in which they are looked at."""
        found = [rule for rule in self.rules.list() if rule.listener_id == listener_id]
        return sorted(found, key=lambda rule: rule.rank)

    def extensions_of(self, listener_id: str) -> list[DomainExtension]:
        """Give the domains of a listener that have certificates of their own."""
        return [one for one in self.domain_extensions.list() if one.listener_id == listener_id]

    def drop_listener(self, listener: Listener) -> None:
        """Delete a listener's record, its rules' and its domains'."""
        for extension in self.extensions_of(listener.id):
            self.domain_extensions.delete(extension.id)
        for rule in self.rules_of(listener.id):
            self.rules.delete(rule.id)
        self.listeners.delete(listener.id)

    def groups_of(self, load_balancer_id: str) -> dict[str, ServerGroup]:
        """Give the server groups of a load balancer of both sorts by id."""
        return {
            group.id: group
            for group in self.server_groups.list()
            if group.load_balancer_id == load_balancer_id
        }

    def has_group(self, load_balancer_id: str, group_id: str, *, is_pair: bool = False) -> bool:
        """Tell whether a load balancer has a server group of one sort."""
        group = self.server_groups.get(group_id)
        return group is not None and (group.load_balancer_id, group.is_pair) == (load_balancer_id, is_pair)

    def rewrite_servers(self, keeps: Callable[[Server], bool]) -> set[str]:
        """Drop servers from server groups and default servers, and give the load balancers that had them."""
        touched = set()
        for group in self.server_groups.list():
            servers = tuple(filter(keeps, group.servers))
            if servers != group.servers:
                self.server_groups.put(replace(group, servers=servers))
                touched.add(group.load_balancer_id)
        for balancer in self.load_balancers.list():
            servers = tuple(filter(keeps, balancer.servers))
            if servers != balancer.servers:
                self.load_balancers.put(replace(balancer, servers=servers))
                touched.add(balancer.id)
        return touched

    def num_addresses(self, vswitch_id: str) -> int:
        """Count the addresses of a VSwitch that load balancers hold."""
        return sum(balancer.vswitch_id == vswitch_id for balancer in self.load_balancers.list())
