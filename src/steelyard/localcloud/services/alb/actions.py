from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.acl_actions import AclActions
from steelyard.localcloud.services.alb.load_balancer_actions import LoadBalancerActions
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, ServerGroup, answered_job
from steelyard.localcloud.services.alb.plan import pool_name
from steelyard.localcloud.services.alb.rule_actions import RuleActions
from steelyard.localcloud.services.alb.security_policy_actions import SecurityPolicyActions
from steelyard.localcloud.services.alb.template_actions import TemplateActions
from steelyard.localcloud.services.zonal.directory_actions import ZonalDirectoryActions
from steelyard.localcloud.services.zonal.health import ZonalHealth
from steelyard.localcloud.traffic.server_status import ServerStatus


class AlbService(
    LoadBalancerActions,
    RuleActions,
    AclActions,
    SecurityPolicyActions,
    TemplateActions,
    ZonalDirectoryActions[LoadBalancer, ServerGroup, Listener],
    ZonalHealth[LoadBalancer, ServerGroup, Listener],
):
    """Load balancers, listeners, rules, server groups, lists, templates, health, jobs, zones and tags."""

    grouped_types = ("loadbalancer", "servergroup", "acl", "securitypolicy")
    reasons = {
        "L4TOUT": "CONNECT_TIMEOUT",
        "L4CON": "CONNECT_FAILED",
        "L6RSP": "RECV_RESPONSE_FAILED",
        "L7TOUT": "RECV_RESPONSE_TIMEOUT",
        "L7RSP": "RESPONSE_FORMAT_ERROR",
        "L7STS": "RESPONSE_MISMATCH",
        "SOCKERR": "CONNECT_FAILED",
    }
    unused_status = "Unused"

    @action("GetListenerHealthStatus")
    def get_listener_health_status(self, request: Request) -> dict[str, object]:
        """Tell which servers of a listener, and if asked of its rules, are not healthy, as HAProxy finds it."""
        listener = self.listener(request)
        statuses = self.statuses(listener.load_balancer_id)
        entry = {
            "ListenerId": listener.id,
            "ListenerPort": listener.port,
            "ListenerProtocol": listener.protocol,
            "ServerGroupInfos": [self._info(listener, listener.server_group_id, statuses)],
        }
        rules = self.rules_of(listener.id) if request.flag("IncludeRule") else []
        by_rule = [
            {
                "RuleId": rule.id,
                "ServerGroupInfos": [self._info(listener, one, statuses) for one in rule.server_group_ids],
            }
            for rule in rules
        ]
        return {"ListenerHealthStatus": [entry], "RuleHealthStatus": by_rule, "NextToken": ""}

    @action("ListAsynJobs")
    def list_asyn_jobs(self, request: Request) -> dict[str, object]:
        """List changes by ids, what they changed, calls and times, and tell which have been taken in."""
        ids, resource_ids = request.texts("JobIds"), request.texts("ResourceIds")
        begin, end = request.number("BeginTime", 0), request.number("EndTime", 0)
        now = self.cloud.clock()
        found = [
            job
            for job in self.jobs.list()
            if (not ids or job.id in ids)
            and (not resource_ids or job.resource_id in resource_ids)
            and request.text("ResourceType") in ("", job.resource_type)
            and request.text("ApiName") in ("", job.action)
            and begin <= job.created_at * 1000
            and (not end or job.created_at * 1000 <= end)
        ]
        return token_answer(request, "Jobs", found, lambda job: answered_job(job, now))

    @action("ListTagKeys")
    def list_tag_keys(self, request: Request) -> dict[str, object]:
        """List the keys of the tags that resources of one type have."""
        word, category = request.text("Keyword"), request.text("Category", "All")
        keys = {key for record in self.tagged(request).list() for key in record.tags if word in key}
        found = sorted(keys) if category in ("All", "Custom") else []
        return token_answer(request, "TagKeys", found, lambda key: {"TagKey": key, "Category": "Custom"})

    @action("ListTagValues")
    def list_tag_values(self, request: Request) -> dict[str, object]:
        """List the values that a tag has at resources of one type, or at one of them."""
        resource_id, key = request.text("ResourceId"), request.text("TagKey")
        values = {
            record.tags[key]
            for record in self.tagged(request).list()
            if key in record.tags and resource_id in ("", record.id)
        }
        return token_answer(request, "TagValues", sorted(values), str)

    @action("UnTagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        return self.untag(request)

    def tagged_records(self) -> Mapping[str, Records[Any]]:
        """Give what may be tagged, by the product's word for its type."""
        return {
            "loadbalancer": self.load_balancers,
            "servergroup": self.server_groups,
            "listener": self.listeners,
            "securitypolicy": self.security_policies,
            "rule": self.rules,
            "acl": self.acls,
            "healthchecktemplate": self.check_templates,
        }

    def _info(
        self, listener: Listener, group_id: str, statuses: Mapping[tuple[str, str], ServerStatus]
    ) -> dict[str, object]:
        group = self.server_group(group_id)
        return {
            "ServerGroupId": group.id,
            "ActionType": "ForwardGroup",
            "HealthCheckEnabled": "on" if group.check["HealthCheckEnabled"] else "off",
            "ServerCount": len(group.servers),
            "NonNormalServers": self.unhealthy_servers(pool_name(listener, group.id), group, statuses),
        }
