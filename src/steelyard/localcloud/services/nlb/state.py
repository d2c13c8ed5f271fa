from __future__ import annotations

from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.services.nlb.models import Job, Listener, LoadBalancer, SecurityPolicy, ServerGroup
from steelyard.localcloud.services.nlb.plan import plan_proxy
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.state import ZonalState
from steelyard.localcloud.wire.error import ApiError


class NlbState(ZonalState[LoadBalancer, ServerGroup, Listener]):
    """What the parts of the NLB service share: its records, and what each load balancer does by them."""

    code, version = "nlb", "2022-04-30"
    balancer_type, group_type, listener_type = LoadBalancer, ServerGroup, Listener
    job_type, policy_type = Job, SecurityPolicy

    def not_found(self, what: str) -> ApiError:
        """Tell that a thing is not there."""
        return errors.not_found(what)

    def plan_serving(self, balancer: LoadBalancer) -> ProxyConfig:
        """Give what a load balancer's HAProxy does by its listeners."""
        groups = {group.id: group for group in self.server_groups.list()}
        listeners, policies = self.listeners_of(balancer.id), self.tls_policies()
        return plan_proxy(balancer, listeners, groups, self.find_address, self.find_pair, policies)
