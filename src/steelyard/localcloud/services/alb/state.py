from __future__ import annotations

from collections.abc import Iterable

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.proxy.config import ProxyConfig
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.alb.models import (
    Acl,
    HealthCheckTemplate,
    Job,
    Listener,
    LoadBalancer,
    Rule,
    SecurityPolicy,
    ServerGroup,
)
from steelyard.localcloud.services.alb.plan import Shelf, plan_proxy
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.state import ZonalState
from steelyard.localcloud.wire.error import ApiError


class AlbState(ZonalState[LoadBalancer, ServerGroup, Listener]):
    """What the parts of the ALB service share: its records, and what each load balancer does by them."""

    code, version = "alb", "2020-06-16"
    balancer_type, group_type, listener_type = LoadBalancer, ServerGroup, Listener
    job_type, policy_type = Job, SecurityPolicy
    # The real cloud takes seconds; a waiter meets the states here, too, and a caller that does not wait fails.
    settle_s = 0.05

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.rules = Records(cloud.store, Rule)
        self.acls = Records(cloud.store, Acl)
        self.check_templates = Records(cloud.store, HealthCheckTemplate)

    def not_found(self, what: str) -> ApiError:
        """Tell that a thing is not there; ALB writes its words with a capital."""
        return errors.not_found(what[0].upper() + what[1:])

    def plan_serving(self, balancer: LoadBalancer) -> ProxyConfig:
        """Give what a load balancer's HAProxy does by its listeners and their rules."""
        listeners = self.listeners_of(balancer.id)
        shelf = Shelf(
            groups={group.id: group for group in self.server_groups.list()},
            rules={listener.id: self.rules_of(listener.id) for listener in listeners},
            bundles=self._bundles(one for listener in listeners for one in listener.certificate_ids),
            ranges={acl.id: acl.cidrs for acl in self.acls.list()},
            policies=self.tls_policies(),
            find_address=self.find_address,
        )
        return plan_proxy(balancer, listeners, shelf)

    def users_of(self, group_id: str) -> list[str]:
        """Give the ids of the load balancers that send traffic to a server group, by listeners or by rules."""
        by_rules = [rule.load_balancer_id for rule in self.rules.list() if group_id in rule.server_group_ids]
        return list(dict.fromkeys([*super().users_of(group_id), *by_rules]))

    def rules_of(self, listener_id: str) -> list[Rule]:
        """Give the rules of a listener, the one that decides first first."""
        rules = [rule for rule in self.rules.list() if rule.listener_id == listener_id]
        return sorted(rules, key=lambda rule: rule.priority)

    def _bundles(self, certificate_ids: Iterable[str]) -> dict[str, str]:
        pairs = {one: self.find_pair(one) for one in certificate_ids}
        return {one: pair.bundle for one, pair in pairs.items() if pair is not None}
